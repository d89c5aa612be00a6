//! The App's key. It opens nothing but this fake.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// As GitHub hands it out: PKCS #1 PEM.
pub const PEM: &str = include_str!("app.pem");

/// Reading a key checks it, which takes longer than signing.
static PAIR: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let base64: String = PEM.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).expect("the key is PEM");
    RsaKeyPair::from_der(&der).expect("the key is an RSA key")
});

/// What checks its signatures: PKCS #1 DER.
pub fn public() -> Vec<u8> {
    PAIR.public_key().as_ref().to_vec()
}

/// A JWT with these claims, signed with the key.
pub fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(claims));
    let mut signature = vec![0; PAIR.public().modulus_len()];
    let signing = PAIR.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
    signing.expect("an RSA key signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
