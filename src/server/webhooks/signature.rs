//! HMAC-SHA256 over the raw bytes of a body, compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::secret::Secret;

/// Whether a claimed tag is that of the body under any of the secrets. Takes as long for a right one as for a wrong one:
/// all are tried.
pub fn is_of_any(claimed: &[u8; 32], body: &[u8], secrets: &[Secret]) -> bool {
    let matches = |secret: &Secret| {
        // Keys of any length are taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
        mac.update(body);
        mac.verify_slice(claimed).is_ok()
    };
    secrets.iter().fold(false, |any, secret| matches(secret) | any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> [u8; 32] {
        let mut tag = [0; 32];
        hex::decode_to_slice(text, &mut tag).unwrap();
        tag
    }

    #[test]
    fn only_the_body_under_one_of_the_secrets_is_believed() {
        // The example of GitHub's own page "Validating webhook deliveries".
        let right = tag("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
        let (secret, body) = (Secret::new("It's a Secret to Everybody"), b"Hello, World!");
        let other = Secret::new("another one");
        for (what, claimed, body, secrets, expected) in [
            ("the only one", right, &body[..], vec![secret.clone()], true),
            ("the new one of two", right, body, vec![secret.clone(), other.clone()], true),
            ("the old one of two", right, body, vec![other.clone(), secret.clone()], true),
            ("another secret", right, body, vec![other.clone()], false),
            ("no secret", right, body, vec![], false),
            ("a changed body", right, b"Hello, World?", vec![secret.clone()], false),
            ("an empty body", right, b"", vec![secret.clone()], false),
            ("a changed tag", tag(&"0".repeat(64)), body, vec![secret.clone()], false),
        ] {
            assert_eq!(is_of_any(&claimed, body, &secrets), expected, "{what}");
        }
    }
}
