//! CEL's standard functions: sizes, text tests, conversions.

use super::{Declaration, global, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("size", SIZES, size),
    method("size", SIZES, size),
    method("contains", &["string, string -> bool"], |_, args| text_test(args, |text, part| text.contains(part))),
    method("startsWith", &["string, string -> bool"], |_, args| text_test(args, |text, part| text.starts_with(part))),
    method("endsWith", &["string, string -> bool"], |_, args| text_test(args, |text, part| text.ends_with(part))),
    global("type", &["dyn -> type"], |_, args| Ok(Val::Type(args.first().map_or("null_type", Val::type_name)))),
    global("dyn", &["dyn -> dyn"], |_, args| args.first().cloned().ok_or_else(Fault::overload)),
    global("int", &["int -> int", "uint -> int", "double -> int", "string -> int", "timestamp -> int"], to_int),
    global("uint", &["uint -> uint", "int -> uint", "double -> uint", "string -> uint"], to_uint),
    global("double", &["double -> double", "int -> double", "uint -> double", "string -> double"], to_double),
    global("bool", &["bool -> bool", "string -> bool"], to_bool),
    global("bytes", &["bytes -> bytes", "string -> bytes"], to_bytes),
    global(
        "string",
        &[
            "string -> string",
            "bool -> string",
            "int -> string",
            "uint -> string",
            "double -> string",
            "bytes -> string",
            "timestamp -> string",
            "duration -> string",
            "ip -> string",
            "cidr -> string",
        ],
        to_string,
    ),
];

const SIZES: &[&str] = &["string -> int", "bytes -> int", "list<dyn> -> int", "map<dyn dyn> -> int"];

fn size<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    let size = match value {
        Val::Str(text) => text.as_str().chars().count(),
        Val::Bytes(bytes) => bytes.len(),
        other => match (other.as_list(), other.as_map()) {
            (Some(list), _) => list.len(),
            (_, Some(map)) => map.len(),
            _ => return Err(Fault::overload()),
        },
    };
    Ok(Val::Int(size as i64))
}

fn text_test<'a>(args: &[Val<'a>], test: fn(&str, &str) -> bool) -> Result<Val<'a>, Fault> {
    let [receiver, part] = args else { return Err(Fault::overload()) };
    Ok(Val::Bool(test(text(receiver)?, text(part)?)))
}

fn out_of_range(value: &Val<'_>, name: &str) -> Fault {
    Fault::invalid(format!("{} is out of the range of {name}", value.bare()))
}

fn not_a(text: &str, name: &str) -> Fault {
    Fault::invalid(format!("{} is not {name}", Val::text(text).show()))
}

fn to_int<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    let int = match value {
        Val::Int(value) => *value,
        Val::Uint(number) => i64::try_from(*number).map_err(|_| out_of_range(value, "int"))?,
        // The bounds are exclusive: -2^63 and 2^63 as doubles.
        Val::Double(number) if number.abs() < -(i64::MIN as f64) => number.trunc() as i64,
        Val::Double(_) => return Err(out_of_range(value, "int")),
        Val::Str(text) => text.as_str().parse().map_err(|_| not_a(text.as_str(), "an int"))?,
        Val::Timestamp(time) => time.timestamp(),
        _ => return Err(Fault::overload()),
    };
    Ok(Val::Int(int))
}

fn to_uint<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    let uint = match value {
        Val::Uint(value) => *value,
        Val::Int(number) => u64::try_from(*number).map_err(|_| out_of_range(value, "uint"))?,
        Val::Double(number) if *number >= 0.0 && *number < -2.0 * (i64::MIN as f64) => number.trunc() as u64,
        Val::Double(_) => return Err(out_of_range(value, "uint")),
        Val::Str(text) => text.as_str().parse().map_err(|_| not_a(text.as_str(), "a uint"))?,
        _ => return Err(Fault::overload()),
    };
    Ok(Val::Uint(uint))
}

fn to_double<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    let double = match value {
        Val::Double(value) => *value,
        Val::Int(value) => *value as f64,
        Val::Uint(value) => *value as f64,
        Val::Str(text) => text.as_str().parse().map_err(|_| not_a(text.as_str(), "a double"))?,
        _ => return Err(Fault::overload()),
    };
    Ok(Val::Double(double))
}

fn to_bool<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    match value {
        Val::Bool(value) => Ok(Val::Bool(*value)),
        Val::Str(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
            other => Err(not_a(other, "a bool")),
        },
        _ => Err(Fault::overload()),
    }
}

fn to_bytes<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Bytes(bytes)] => Ok(Val::Bytes(bytes.clone())),
        [Val::Str(text)] => Ok(Val::Bytes(text.as_str().as_bytes().into())),
        _ => Err(Fault::overload()),
    }
}

fn to_string<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Str(text)] => Ok(Val::Str(text.clone())),
        [Val::Bytes(bytes)] => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Val::text(text)),
            Err(_) => Err(Fault::invalid("the bytes are not UTF-8")),
        },
        [
            value @ (Val::Bool(_)
            | Val::Int(_)
            | Val::Uint(_)
            | Val::Double(_)
            | Val::Timestamp(_)
            | Val::Duration(_)
            | Val::Ip(_)
            | Val::Cidr(_)),
        ] => Ok(Val::text(value.bare())),
        _ => Err(Fault::overload()),
    }
}

/// A double as Go writes it with the fewest digits: `3`, `0.1`, `1e+21`.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 || (1e-4..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => scientific,
    }
}
