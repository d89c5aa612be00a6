//! Who a request is from: tokens and App JWTs.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::super::clock::{Millis, SECOND};
use super::super::state::State;
use super::super::state::account::{Actor, Token};
use super::super::state::refusal::Refusal;
use super::call::Call;

/// Longest life of an App's JWT, in seconds.
const JWT_LIFE: i64 = 600;

/// Whom the credentials of a request stand for, and the token when it is one.
pub fn actor(
    call: &Call,
    state: &State,
    token: impl Fn(&str) -> Option<Token>,
    now: Millis,
) -> Result<(Actor, Option<Token>), Refusal> {
    let Some(header) = call.header("authorization") else { return Ok((Actor::Anonymous, None)) };
    let (scheme, secret) = header.split_once(' ').unwrap_or(("", header));
    let password = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(secret.to_owned()),
        // As Git sends it: any name, the token as password.
        "basic" => STANDARD
            .decode(secret)
            .ok()
            .and_then(|pair| String::from_utf8(pair).ok()?.split_once(':').map(|(_, password)| password.to_owned())),
        _ => None,
    };
    let Some(secret) = password else { return Err(Refusal::unauthorised("Bad credentials")) };
    if let Some(token) = token(&secret) {
        if token.expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::unauthorised("Bad credentials"));
        }
        return Ok((token.actor, Some(token)));
    }
    if secret.matches('.').count() == 2 && !secret.starts_with("gh") {
        return jwt(&secret, state, now / SECOND).map(|app| (Actor::App(app), None));
    }
    Err(Refusal::unauthorised("Bad credentials"))
}

/// The App whose JWT this is: RS256 by its key, issued in the past, ending in the future, at most ten minutes ahead.
fn jwt(text: &str, state: &State, now: i64) -> Result<u64, Refusal> {
    let unreadable = || Refusal::unauthorised("A JSON web token could not be decoded");
    let (signed, signature) = text.rsplit_once('.').ok_or_else(unreadable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(unreadable)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| unreadable());
    let parse = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| unreadable());
    let (header, claims) = (parse(header)?, parse(claims)?);
    if header["alg"] != "RS256" {
        return Err(unreadable());
    }
    let issuer = match &claims["iss"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let app = state.apps.values().find(|app| app.id.to_string() == issuer || app.client_id == issuer);
    let app = app.ok_or_else(|| {
        Refusal::unauthorised("'Issuer' claim ('iss') must be an Integer or the client id of a GitHub App")
    })?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
    key.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| unreadable())?;
    let claim = |name: &str| claims[name].as_i64();
    match (claim("iat"), claim("exp")) {
        (Some(issued), _) if issued > now => Err(Refusal::unauthorised(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )),
        (None, _) => Err(Refusal::unauthorised("Missing 'issued at' claim ('iat') in assertion")),
        (_, None) => Err(Refusal::unauthorised("Missing 'expiration time' claim ('exp') in assertion")),
        (_, Some(end)) if end <= now => Err(Refusal::unauthorised(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        )),
        (_, Some(end)) if end > now + JWT_LIFE => {
            Err(Refusal::unauthorised("'Expiration time' claim ('exp') is too far in the future"))
        }
        _ => Ok(app.id),
    }
}
