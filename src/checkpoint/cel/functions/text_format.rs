//! `'%s …'.format([…])`.

use std::fmt::Write as _;

use super::standard::double_text;
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::value::{ListRef, Val};

/// Largest precision, as in cel-go.
const MAX_PRECISION: usize = 1000;

/// Fills the clauses of a pattern.
pub fn format(pattern: &str, values: &ListRef<'_, '_>) -> Result<String, Fault> {
    let mut out = String::new();
    let mut rest = pattern;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let precision = match rest.strip_prefix('.') {
            Some(digits) => {
                let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                let (number, after) = digits.split_at(end);
                rest = after;
                let precision = number.parse().ok().filter(|precision| *precision <= MAX_PRECISION);
                Some(precision.ok_or_else(|| Fault::invalid("bad precision in the format"))?)
            }
            None => None,
        };
        let mut characters = rest.chars();
        let verb = characters.next().ok_or_else(|| Fault::invalid("unfinished clause at the end of the format"))?;
        rest = characters.as_str();
        let value =
            values.get(next).ok_or_else(|| Fault::invalid(format!("the format needs more than {next} values")))?;
        next += 1;
        out.push_str(&clause(verb, precision, &value.plain())?);
    }
    out.push_str(rest);
    Ok(out)
}

fn clause(verb: char, precision: Option<usize>, value: &Val<'_>) -> Result<String, Fault> {
    let refuse = || Err(Fault::invalid(format!("`%{verb}` does not take a value of type {}", value.type_name())));
    match verb {
        's' => Ok(text_of(value)),
        'd' => match value {
            Val::Int(_) | Val::Uint(_) => Ok(value.bare()),
            Val::Double(number) if number.fract() == 0.0 => Ok(double_text(*number)),
            _ => refuse(),
        },
        'f' | 'e' => {
            let number = match value {
                Val::Double(number) => *number,
                Val::Int(number) => *number as f64,
                Val::Uint(number) => *number as f64,
                Val::Str(text) if matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") => {
                    return Ok(text.as_str().to_owned());
                }
                _ => return refuse(),
            };
            Ok(floating(verb, precision.unwrap_or(6), number))
        }
        'b' => match value {
            Val::Int(number) => Ok(signed(*number, |number| format!("{number:b}"))),
            Val::Uint(number) => Ok(format!("{number:b}")),
            Val::Bool(value) => Ok(u8::from(*value).to_string()),
            _ => refuse(),
        },
        'o' => match value {
            Val::Int(number) => Ok(signed(*number, |number| format!("{number:o}"))),
            Val::Uint(number) => Ok(format!("{number:o}")),
            _ => refuse(),
        },
        'x' | 'X' => {
            let lower = match value {
                Val::Int(number) => signed(*number, |number| format!("{number:x}")),
                Val::Uint(number) => format!("{number:x}"),
                Val::Str(text) => hex::encode(text.as_str()),
                Val::Bytes(bytes) => hex::encode(bytes),
                _ => return refuse(),
            };
            Ok(if verb == 'X' { lower.to_uppercase() } else { lower })
        }
        other => Err(Fault::invalid(format!("unknown clause `%{other}` in the format"))),
    }
}

fn signed(number: i64, write: fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", write(number.unsigned_abs()))
}

fn floating(verb: char, precision: usize, number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if verb == 'f' {
        return format!("{number:.precision$}");
    }
    let scientific = format!("{number:.precision$e}");
    match scientific.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => scientific,
    }
}

/// `%s`: texts bare, also inside lists and maps, whose entries are in order of their keys.
fn text_of(value: &Val<'_>) -> String {
    if let Some(list) = value.as_list() {
        let items: Vec<_> = list.iter().map(|item| text_of(&item)).collect();
        return format!("[{}]", items.join(", "));
    }
    if let Some(map) = value.as_map() {
        let mut entries: Vec<_> = map.entries().iter().map(|(key, value)| (text_of(key), text_of(value))).collect();
        entries.sort();
        let mut out = String::from("{");
        for (index, (key, value)) in entries.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}{key}: {value}", if index == 0 { "" } else { ", " });
        }
        out.push('}');
        return out;
    }
    value.bare()
}
