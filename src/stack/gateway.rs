//! What we ask of etcd ourselves, by its JSON gateway: how much it holds below a prefix, and to forget that.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::plan::etcd::EtcdAt;
use super::probe::{Own, Unwell, ask_as, client};

/// How many keys are below a prefix, which has to end with `/`.
pub fn count(at: &EtcdAt, prefix: &str) -> Result<u64, Unwell> {
    let mut range = range(prefix);
    range["count_only"] = json!(true);
    let answer = ask(at, "/v3/kv/range", &range)?;
    Ok(number(&answer["count"]))
}

/// Deletes all keys below a prefix, which has to end with `/`; answers how many there were.
pub fn forget(at: &EtcdAt, prefix: &str) -> Result<u64, Unwell> {
    let answer = ask(at, "/v3/kv/deleterange", &range(prefix))?;
    Ok(number(&answer["deleted"]))
}

/// From the prefix to the first key that does not begin with it: the character after `/` is `0`.
fn range(prefix: &str) -> Value {
    let end = format!("{}0", prefix.trim_end_matches('/'));
    json!({"key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end)})
}

/// Numbers of 64 bits are texts there, and zero is left out.
fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn ask(at: &EtcdAt, path: &str, question: &Value) -> Result<Value, Unwell> {
    let own = Own::of_files(&at.certificate(), &at.key())?;
    let url = format!("{}{path}", at.address);
    match ask_as(client(&at.authority(), Some(own))?, "POST", &url, Some(question))? {
        (200, body) => serde_json::from_str(&body).map_err(|error| io::Error::other(error).into()),
        (_, body) => Err(Unwell::Says(body.trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_before_what_only_begins_alike() {
        let (Value::Object(range), text) =
            (range("/planes/ab/"), |value: &Value| value.as_str().map(|text| STANDARD.decode(text)))
        else {
            panic!()
        };
        let (from, to) = (text(&range["key"]).unwrap().unwrap(), text(&range["range_end"]).unwrap().unwrap());
        let within = |key: &str| from.as_slice() <= key.as_bytes() && key.as_bytes() < to.as_slice();
        assert!(within("/planes/ab/registry") && within("/planes/ab/"));
        assert!(!within("/planes/ab") && !within("/planes/abc/registry") && !within("/planes/ab0"));
    }

    #[test]
    fn a_count_that_is_left_out_is_none() {
        assert_eq!((number(&json!("12")), number(&Value::Null)), (12, 0));
    }
}
