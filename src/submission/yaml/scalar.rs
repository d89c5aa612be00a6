//! What a scalar means to the tool that reads it. Measured against kubectl 1.35.4 and kustomize 5.7.1 (go-yaml 2 and 3);
//! the table is `tests/truth/yaml-scalars.json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Number, Value};

use super::Dialect;
use super::timestamp::rfc3339;
use super::tree::{Style, Tag};

/// The value of a scalar, or why the tool refuses it (half a sentence, with the remedy).
pub(super) fn resolve(text: &str, style: Style, tag: Tag, dialect: Dialect) -> Result<Value, String> {
    match tag {
        Tag::None if style == Style::Quoted => Ok(Value::from(text)),
        Tag::None => plain(text, dialect),
        Tag::Str | Tag::Other => Ok(Value::from(text)),
        Tag::Binary => binary(text),
        Tag::Timestamp if dialect == Dialect::Kustomize => {
            rfc3339(text).map(Value::from).ok_or_else(|| wrong_tag(text, "a timestamp"))
        }
        Tag::Timestamp => Ok(Value::from(text)),
        Tag::Null => expect(text, dialect, "null", Value::is_null),
        Tag::Bool => expect(text, dialect, "a bool", Value::is_boolean),
        Tag::Int => expect(text, dialect, "an integer", |value| value.is_i64() || value.is_u64()),
        Tag::Float => expect(text, dialect, "a number", Value::is_number),
    }
}

fn expect(text: &str, dialect: Dialect, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
    plain(text, dialect).ok().filter(fits).ok_or_else(|| wrong_tag(text, what))
}

fn wrong_tag(text: &str, what: &str) -> String {
    format!("`{}` is tagged as {what} and is none: drop the tag", super::excerpt(text))
}

fn binary(text: &str) -> Result<Value, String> {
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = BASE64.decode(packed).map_err(|_| wrong_tag(text, "base64"))?;
    String::from_utf8(bytes)
        .map(Value::from)
        .map_err(|_| "a `!!binary` value that is no text cannot be compared".into())
}

fn plain(text: &str, dialect: Dialect) -> Result<Value, String> {
    // Most scalars are words: one look at the first byte spares them the rest.
    let Some(first) = text.bytes().next() else { return Ok(Value::Null) };
    match first {
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'o' | b'O' => Ok(word(text, dialect)),
        b'.' | b'+' | b'-' | b'0'..=b'9' => number_like(text, dialect),
        _ => Ok(Value::from(text)),
    }
}

fn word(text: &str, dialect: Dialect) -> Value {
    match text {
        "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::Kubectl => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::Kubectl => Value::Bool(false),
        _ => Value::from(text),
    }
}

fn number_like(text: &str, dialect: Dialect) -> Result<Value, String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!(
            "`{text}` has no place in JSON, so no Kubernetes tool takes it: quote it or give a number"
        ));
    }
    let number = match dialect {
        Dialect::Kubectl | Dialect::Kustomize => go_number(text, dialect),
        Dialect::Yaml12 => core_number(text),
    };
    if let Some(number) = number {
        return Ok(Value::Number(number));
    }
    let timestamp = (dialect == Dialect::Kustomize).then(|| rfc3339(text)).flatten();
    Ok(Value::from(timestamp.as_deref().unwrap_or(text)))
}

/// As go-yaml reads numbers, and as they look after the JSON that comes next.
fn go_number(text: &str, dialect: Dialect) -> Option<Number> {
    if text.starts_with('.') {
        return is_float(text).then(|| float(text)).flatten();
    }
    let digits: std::borrow::Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    match go_integer(&digits) {
        // kubectl's JSON decoder has no unsigned integers: above 2^63 it has floats.
        Some(n) if dialect == Dialect::Kubectl => {
            i64::try_from(n).map(Number::from).ok().or_else(|| Number::from_f64(n as f64))
        }
        Some(n) => i64::try_from(n).map(Number::from).ok().or_else(|| u64::try_from(n).map(Number::from).ok()),
        None => is_float(&digits).then(|| float(&digits)).flatten(),
    }
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: prefixes 0x, 0b, 0o and a bare 0 for octal.
fn go_integer(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = |prefix: [&str; 2]| prefix.iter().find_map(|p| unsigned.strip_prefix(p));
    let (digits, radix) = if let Some(digits) = lower(["0x", "0X"]) {
        (digits, 16)
    } else if let Some(digits) = lower(["0b", "0B"]) {
        (digits, 2)
    } else if let Some(digits) = lower(["0o", "0O"]) {
        (digits, 8)
    } else if unsigned.len() > 1 && unsigned.starts_with('0') {
        (&unsigned[1..], 8)
    } else {
        (unsigned, 10)
    };
    let magnitude = radix_digits(digits, radix)?;
    let signed = if negative { -magnitude } else { magnitude };
    let unsigned_fits = unsigned.len() == text.len() && magnitude <= i128::from(u64::MAX);
    (i64::try_from(signed).is_ok() || unsigned_fits).then_some(signed)
}

/// Digits only: Rust's own parser would take a sign.
fn radix_digits(digits: &str, radix: u32) -> Option<i128> {
    let plain = !digits.is_empty() && digits.len() <= 128 && digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| i128::from_str_radix(digits, radix).ok()).flatten()
}

/// YAML 1.2, core schema (§10.3.2).
fn core_number(text: &str) -> Option<Number> {
    let integer = if let Some(digits) = text.strip_prefix("0x") {
        radix_digits(digits, 16)
    } else if let Some(digits) = text.strip_prefix("0o") {
        radix_digits(digits, 8)
    } else {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        radix_digits(digits, 10).map(|n| if text.starts_with('-') { -n } else { n })
    };
    match integer {
        Some(n) => {
            let signed = i64::try_from(n).map(Number::from);
            signed.or_else(|_| u64::try_from(n).map(Number::from)).ok().or_else(|| Number::from_f64(n as f64))
        }
        None => is_float(text).then(|| float(text)).flatten(),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, which both go-yaml and the core schema have.
fn is_float(text: &str) -> bool {
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let shape = if whole.is_empty() { fraction.is_some_and(|f| !f.is_empty()) } else { true };
    shape && digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

/// A float as it looks after JSON: whole numbers have lost their point. Overflow is no number (go-yaml: a string).
fn float(text: &str) -> Option<Number> {
    let value: f64 = text.parse().ok()?;
    // 2^63 is exact as f64; below it every whole f64 is an i64.
    let whole = value.fract() == 0.0 && value.abs() < 9_223_372_036_854_775_808.0;
    if whole { Some(Number::from(value as i64)) } else { Number::from_f64(value) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Dialect, YamlFile};

    fn read(scalar: &str, dialect: Dialect) -> Option<Value> {
        let file = YamlFile::parse(format!("spec:\n  v: {scalar}\n").as_bytes());
        let document = file.documents.first()?;
        document.resolve(dialect).ok().map(|value| value["spec"]["v"].clone())
    }

    /// The table writes numbers as "int 420" or "float 0.5", so that they differ from texts.
    fn expected(cell: &Value) -> Option<Value> {
        match cell {
            Value::String(text) if text == "ERR" => None,
            Value::String(text) => match text.split_once(' ') {
                Some(("int" | "float", number)) => Some(number.parse().map(Value::Number).unwrap()),
                _ => Some(cell.clone()),
            },
            Value::Array(items) => items.iter().map(expected).collect(),
            other => Some(other.clone()),
        }
    }

    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            _ => a == b,
        }
    }

    #[test]
    fn every_scalar_reads_as_the_real_tools_read_it() {
        let truth: Value = serde_json::from_str(include_str!("../../../tests/truth/yaml-scalars.json")).unwrap();
        let rows = truth["scalars"].as_array().unwrap();
        assert_eq!(rows.len(), 41);
        for row in rows {
            let scalar = row["yaml"].as_str().unwrap();
            let (want, found) = (expected(&row["kubectl"]), read(scalar, Dialect::Kubectl));
            let agree = match (&want, &found) {
                (Some(want), Some(found)) => same(want, found),
                (want, found) => want.is_none() && found.is_none(),
            };
            assert!(agree, "kubectl reads `{scalar}` as {want:?}, we as {found:?}");

            // kustomize's column is YAML that it wrote itself, in quotes wherever they matter: it reads back unchanged.
            let text = row["kustomize_text"].as_str().unwrap();
            let want = (text != "ERR").then(|| read(&text.replace('\n', "\n  "), Dialect::Yaml12)).flatten();
            let want = if text.starts_with("- ") { Some(json!([1, 420, "yes"])) } else { want };
            let found = read(scalar, Dialect::Kustomize);
            let agree = match (&want, &found) {
                (Some(want), Some(found)) => same(want, found),
                (want, found) => want.is_none() && found.is_none(),
            };
            assert!(agree, "kustomize reads `{scalar}` as {want:?}, we as {found:?}");
        }
    }

    // Measured with kubectl 1.35.4, beyond the table.
    #[test]
    fn numbers_and_words_read_as_go_yaml_reads_them() {
        for (scalar, value) in [
            ("1e999", json!("1e999")),
            ("1.", json!(1)),
            ("1_", json!(1)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-0x1f", json!(-31)),
            ("+1", json!(1)),
            (".5e3", json!(500)),
            ("1e21", json!(1e21)),
            ("123456789012345678901", json!(123456789012345680000.0)),
            ("-9223372036854775809", json!(-9223372036854775808.0)),
            ("2.0", json!(2)),
            ("!!str 7", json!("7")),
            ("!!bool \"true\"", json!(true)),
            ("0o8", json!("0o8")),
            ("0_7", json!(7)),
            ("1__0", json!(10)),
            ("2026-01-01 10:00:00", json!("2026-01-01 10:00:00")),
            ("n", json!(false)),
            ("OFF", json!(false)),
            ("yEs", json!("yEs")),
            (".inf0", json!(".inf0")),
            ("+.5", json!(0.5)),
            ("0b12", json!("0b12")),
            ("-0b11", json!(-3)),
            ("1:30", json!("1:30")),
            ("0x1_F", json!(31)),
            ("1_000.5", json!(1000.5)),
            ("0b", json!("0b")),
            ("!!binary aGk=", json!("hi")),
            ("!custom y", json!("y")),
            ("!!bool yes", json!(true)),
            ("", json!(null)),
        ] {
            let found = read(scalar, Dialect::Kubectl).unwrap();
            assert!(same(&value, &found), "{scalar}: {value} {found}");
        }
        for refused in [".inf", "-.Inf", "!!float x", "!!int 1.5", "!!null x"] {
            assert_eq!(read(refused, Dialect::Kubectl), None, "{refused}");
        }
        assert_eq!(read("!!bool yes", Dialect::Kustomize), None);
        assert_eq!(read("!!timestamp 2026-01-01", Dialect::Kustomize), Some(json!("2026-01-01T00:00:00Z")));
    }

    #[test]
    fn the_core_schema_knows_no_bare_octal_and_no_yes() {
        for (scalar, value) in [
            ("0644", json!(644)),
            ("yes", json!("yes")),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("1_000", json!("1_000")),
            ("0b101", json!("0b101")),
            ("2026-01-01", json!("2026-01-01")),
            ("1e3", json!(1000)),
            ("+12", json!(12)),
            ("-12", json!(-12)),
        ] {
            assert_eq!(read(scalar, Dialect::Yaml12), Some(value), "{scalar}");
        }
    }
}
