//! cel-go's math extension.

use std::cmp::Ordering;

use super::{Declaration, global};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("math.greatest", EXTREMES, |_, args| extreme(args, Ordering::Greater)),
    global("math.least", EXTREMES, |_, args| extreme(args, Ordering::Less)),
    global("math.ceil", &["double -> double"], |_, args| rounded(args, f64::ceil)),
    global("math.floor", &["double -> double"], |_, args| rounded(args, f64::floor)),
    global("math.round", &["double -> double"], |_, args| rounded(args, f64::round)),
    global("math.trunc", &["double -> double"], |_, args| rounded(args, f64::trunc)),
    global("math.sqrt", &["double -> double", "int -> double", "uint -> double"], |_, args| match args {
        [Val::Int(value)] => Ok(Val::Double((*value as f64).sqrt())),
        [Val::Uint(value)] => Ok(Val::Double((*value as f64).sqrt())),
        _ => rounded(args, f64::sqrt),
    }),
    global("math.isInf", &["double -> bool"], |_, args| tested(args, f64::is_infinite)),
    global("math.isNaN", &["double -> bool"], |_, args| tested(args, f64::is_nan)),
    global("math.isFinite", &["double -> bool"], |_, args| tested(args, f64::is_finite)),
    global("math.abs", &["int -> int", "uint -> uint", "double -> double"], abs),
    global("math.sign", &["int -> int", "uint -> uint", "double -> double"], sign),
    global("math.bitOr", BITS, |_, args| bits(args, |a, b| a | b)),
    global("math.bitAnd", BITS, |_, args| bits(args, |a, b| a & b)),
    global("math.bitXor", BITS, |_, args| bits(args, |a, b| a ^ b)),
    global("math.bitNot", &["int -> int", "uint -> uint"], |_, args| match args {
        [Val::Int(value)] => Ok(Val::Int(!value)),
        [Val::Uint(value)] => Ok(Val::Uint(!value)),
        _ => Err(Fault::overload()),
    }),
    global("math.bitShiftLeft", SHIFTS, |_, args| shift(args, u64::checked_shl)),
    global("math.bitShiftRight", SHIFTS, |_, args| shift(args, u64::checked_shr)),
];

const EXTREMES: &[&str] = &[
    "int... -> int",
    "uint... -> uint",
    "double... -> double",
    "list<int> -> int",
    "list<uint> -> uint",
    "list<double> -> double",
    "dyn... -> dyn",
];
const BITS: &[&str] = &["int, int -> int", "uint, uint -> uint"];
const SHIFTS: &[&str] = &["int, int -> int", "uint, int -> uint"];

fn extreme<'a>(args: &[Val<'a>], wanted: Ordering) -> Result<Val<'a>, Fault> {
    let values: Vec<Val<'a>> = match args {
        [single] => match single.as_list() {
            Some(list) => list.iter().map(Val::plain).collect(),
            None => vec![single.clone()],
        },
        several => several.to_vec(),
    };
    let mut best: Option<Val<'a>> = None;
    for value in values {
        if !matches!(value, Val::Int(_) | Val::Uint(_) | Val::Double(_)) {
            return Err(Fault::overload());
        }
        if best.as_ref().is_none_or(|best| value.compare(best) == Some(wanted)) {
            best = Some(value);
        }
    }
    best.ok_or_else(|| Fault::invalid("the list is empty"))
}

fn rounded<'a>(args: &[Val<'a>], round: fn(f64) -> f64) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Double(value)] => Ok(Val::Double(round(*value))),
        _ => Err(Fault::overload()),
    }
}

fn tested<'a>(args: &[Val<'a>], test: fn(f64) -> bool) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Double(value)] => Ok(Val::Bool(test(*value))),
        _ => Err(Fault::overload()),
    }
}

fn abs<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Int(value)] => value.checked_abs().map(Val::Int).ok_or_else(|| Fault::invalid("integer overflow")),
        [Val::Uint(value)] => Ok(Val::Uint(*value)),
        [Val::Double(value)] => Ok(Val::Double(value.abs())),
        _ => Err(Fault::overload()),
    }
}

fn sign<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Int(value)] => Ok(Val::Int(value.signum())),
        [Val::Uint(value)] => Ok(Val::Uint((*value).min(1))),
        [Val::Double(value)] if *value == 0.0 => Ok(Val::Double(0.0)),
        [Val::Double(value)] => Ok(Val::Double(value.signum())),
        _ => Err(Fault::overload()),
    }
}

fn bits<'a>(args: &[Val<'a>], combine: fn(u64, u64) -> u64) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Int(a), Val::Int(b)] => Ok(Val::Int(combine(*a as u64, *b as u64) as i64)),
        [Val::Uint(a), Val::Uint(b)] => Ok(Val::Uint(combine(*a, *b))),
        _ => Err(Fault::overload()),
    }
}

/// Bits shifted out are lost; a shift by 64 or more gives zero.
fn shift<'a>(args: &[Val<'a>], shift: fn(u64, u32) -> Option<u64>) -> Result<Val<'a>, Fault> {
    let by = |count: i64| u32::try_from(count.min(64)).map_err(|_| Fault::invalid(format!("cannot shift by {count}")));
    match args {
        [Val::Int(value), Val::Int(count)] => Ok(Val::Int(shift(*value as u64, by(*count)?).unwrap_or(0) as i64)),
        [Val::Uint(value), Val::Int(count)] => Ok(Val::Uint(shift(*value, by(*count)?).unwrap_or(0))),
        _ => Err(Fault::overload()),
    }
}
