//! Kubernetes quantities: `250m`, `1.5Gi`, `3e2`. Exact to the billionth, as in Kubernetes; finer parts are rounded up.

use std::cmp::Ordering;
use std::fmt;

use super::{Declaration, global, int, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("quantity", &["string -> quantity"], |_, args| match args {
        [value] => parse(text(value)?).map(Val::Quantity),
        _ => Err(Fault::overload()),
    }),
    global("isQuantity", &["string -> bool"], |_, args| match args {
        [value] => Ok(Val::Bool(parse(text(value)?).is_ok())),
        _ => Err(Fault::overload()),
    }),
    // A function, not a method: the API server declares it so, whatever its documentation says.
    global("sign", &["quantity -> int"], |_, args| match args {
        [Val::Quantity(value)] => Ok(Val::Int(value.nanos.signum() as i64)),
        _ => Err(Fault::overload()),
    }),
    method("isInteger", &["quantity -> bool"], |_, args| {
        receiver(args).map(|value| Val::Bool(value.integer().is_some()))
    }),
    method("asInteger", &["quantity -> int"], |_, args| {
        let integer = receiver(args)?.integer();
        integer.map(Val::Int).ok_or_else(|| Fault::invalid("cannot convert value to integer"))
    }),
    method("asApproximateFloat", &["quantity -> double"], |_, args| {
        receiver(args).map(|value| Val::Double(value.nanos as f64 / NANO as f64))
    }),
    method("add", ARITHMETIC, |_, args| arithmetic(args, i128::checked_add)),
    method("sub", ARITHMETIC, |_, args| arithmetic(args, i128::checked_sub)),
    method("compareTo", &["quantity, quantity -> int"], |_, args| compared(args).map(|order| Val::Int(order as i64))),
    method("isLessThan", COMPARISON, |_, args| compared(args).map(|order| Val::Bool(order == Ordering::Less))),
    method("isGreaterThan", COMPARISON, |_, args| compared(args).map(|order| Val::Bool(order == Ordering::Greater))),
];

const ARITHMETIC: &[&str] = &["quantity, quantity -> quantity", "quantity, int -> quantity"];
const COMPARISON: &[&str] = &["quantity, quantity -> bool"];
const NANO: i128 = 1_000_000_000;

/// An amount in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    nanos: i128,
}

impl Quantity {
    fn integer(self) -> Option<i64> {
        (self.nanos % NANO == 0).then(|| i64::try_from(self.nanos / NANO).ok()).flatten()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let nano = NANO.unsigned_abs();
        for (suffix, size) in [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)] {
            let unit = nano << size;
            if nanos > 0 && nanos.is_multiple_of(unit) {
                return write!(f, "{sign}{}{suffix}", nanos / unit);
            }
        }
        for (suffix, unit) in [("", nano), ("m", 1_000_000), ("u", 1_000)] {
            if nanos.is_multiple_of(unit) {
                return write!(f, "{sign}{}{suffix}", nanos / unit);
            }
        }
        write!(f, "{sign}{nanos}n")
    }
}

/// Reads a quantity: number, then a binary suffix, a decimal suffix or an exponent.
pub fn parse(text: &str) -> Result<Quantity, Fault> {
    parse_nanos(text).map(|nanos| Quantity { nanos }).ok_or_else(|| {
        Fault::invalid(format!("{} is not a quantity; write it as '250m', '1.5Gi' or '2'", Val::text(text).show()))
    })
}

fn parse_nanos(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(number_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 40 {
        return None;
    }
    let (multiplier, power): (i128, i32) = match suffix {
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            if unsigned.is_empty() || unsigned.len() > 3 || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            (1, digits.parse().ok()?)
        }
    };
    let digits: i128 = match format!("{whole}{fraction}").trim_start_matches('0') {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let power = power.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.checked_mul(multiplier)?;
    let magnitude = match u32::try_from(power) {
        Ok(power) if scaled == 0 || power <= 38 => {
            if scaled == 0 {
                0
            } else {
                scaled.checked_mul(10_i128.checked_pow(power)?)?
            }
        }
        Ok(_) => return None,
        Err(_) => match 10_i128.checked_pow(power.unsigned_abs()) {
            // Finer than a billionth: rounded up, away from zero.
            Some(divisor) => scaled / divisor + i128::from(scaled % divisor != 0),
            None => i128::from(scaled != 0),
        },
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn receiver(args: &[Val<'_>]) -> Result<Quantity, Fault> {
    match args {
        [Val::Quantity(value)] => Ok(*value),
        _ => Err(Fault::overload()),
    }
}

fn arithmetic<'a>(args: &[Val<'a>], combine: fn(i128, i128) -> Option<i128>) -> Result<Val<'a>, Fault> {
    let (left, right) = match args {
        [Val::Quantity(left), Val::Quantity(right)] => (left.nanos, right.nanos),
        [Val::Quantity(left), right] => (left.nanos, i128::from(int(right)?) * NANO),
        _ => return Err(Fault::overload()),
    };
    combine(left, right)
        .map(|nanos| Val::Quantity(Quantity { nanos }))
        .ok_or_else(|| Fault::invalid("quantity out of range"))
}

fn compared(args: &[Val<'_>]) -> Result<Ordering, Fault> {
    match args {
        [Val::Quantity(left), Val::Quantity(right)] => Ok(left.cmp(right)),
        _ => Err(Fault::overload()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_kubernetes_reads_them() {
        for (text, nanos) in [
            ("1", 1_000_000_000),
            ("100m", 100_000_000),
            ("1.5k", 1_500_000_000_000),
            ("1e3", 1_000_000_000_000),
            ("1E", 1_000_000_000_000_000_000_000_000_000),
            ("-.5", -500_000_000),
            ("1Ki", 1_024_000_000_000),
            ("0.5Gi", 536_870_912_000_000_000),
            ("1.0000000001", 1_000_000_001),
            ("5.", 5_000_000_000),
        ] {
            assert_eq!(parse(text).map(|q| q.nanos), Ok(nanos), "{text}");
        }
        for text in ["", "-", "Mi", "200K", "Three", "1,5", "1 Gi", "1GiB", "1e", "1e9999", ".", "1..2", "0x10"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_quantity_is_shown_in_its_largest_whole_unit() {
        for (text, shown) in [("1024Mi", "1Gi"), ("0.25", "250m"), ("1000", "1000"), ("-2Ki", "-2Ki"), ("0", "0")] {
            assert_eq!(parse(text).map(|q| q.to_string()), Ok(shown.to_owned()));
        }
    }
}
