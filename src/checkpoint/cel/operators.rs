//! Arithmetic, comparison and membership, with Kubernetes' rules: integers overflow into errors, numbers compare across
//! types and do not mix in arithmetic.

use std::cmp::Ordering;

use super::fault::Fault;
use super::node::Operator;
use super::value::Val;

/// Applies a binary operator to plain values.
pub fn binary<'a>(operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fault> {
    let ordered =
        |accept: fn(Ordering) -> bool| compare(operator, left, right).map(|o| Val::Bool(o.is_some_and(accept)));
    match operator {
        Operator::Equal => Ok(Val::Bool(left.equals(right))),
        Operator::NotEqual => Ok(Val::Bool(!left.equals(right))),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        Operator::In => contains(left, right),
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply | Operator::Divide | Operator::Remainder => scale(operator, left, right),
    }
}

/// `-x`.
pub fn negate(value: Val<'_>) -> Result<Val<'_>, Fault> {
    match value.plain() {
        Val::Int(value) => value.checked_neg().map(Val::Int).ok_or_else(|| Fault::invalid("integer overflow")),
        Val::Double(value) => Ok(Val::Double(-value)),
        other => Err(Fault::invalid(format!("no such overload: -{}", other.type_name()))),
    }
}

fn no_overload(operator: Operator, left: &Val<'_>, right: &Val<'_>) -> Fault {
    let symbol = operator.symbol();
    Fault::invalid(format!("no such overload: {} {symbol} {}", left.type_name(), right.type_name()))
}

/// None for NaN.
fn compare(operator: Operator, left: &Val<'_>, right: &Val<'_>) -> Result<Option<Ordering>, Fault> {
    let nan = |value: &Val<'_>| matches!(value, Val::Double(value) if value.is_nan());
    match left.compare(right) {
        Some(order) => Ok(Some(order)),
        None if nan(left) || nan(right) => Ok(None),
        None => Err(no_overload(operator, left, right)),
    }
}

fn contains<'a>(item: &Val<'a>, range: &Val<'a>) -> Result<Val<'a>, Fault> {
    if let Some(list) = range.as_list() {
        return Ok(Val::Bool(list.iter().any(|candidate| candidate.equals(item))));
    }
    match range.as_map() {
        Some(map) => Ok(Val::Bool(map.get(item).is_some())),
        None => Err(no_overload(Operator::In, item, range)),
    }
}

fn overflow() -> Fault {
    Fault::invalid("integer overflow")
}

fn add<'a>(left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fault> {
    if let (Some(a), Some(b)) = (left.as_list(), right.as_list()) {
        return Ok(Val::list(a.iter().chain(b.iter()).collect()));
    }
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => a.checked_add(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_add(*b).map(Val::Uint).ok_or_else(overflow),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a + b)),
        (Val::Str(a), Val::Str(b)) => Ok(Val::text(format!("{}{}", a.as_str(), b.as_str()))),
        (Val::Bytes(a), Val::Bytes(b)) => Ok(Val::Bytes([a.as_ref(), b.as_ref()].concat().into())),
        (Val::Duration(a), Val::Duration(b)) => a.checked_add(b).map(Val::Duration).ok_or_else(out_of_range),
        (Val::Timestamp(t), Val::Duration(d)) | (Val::Duration(d), Val::Timestamp(t)) => {
            t.checked_add_signed(*d).map(Val::Timestamp).ok_or_else(out_of_range)
        }
        _ => Err(no_overload(Operator::Add, left, right)),
    }
}

fn out_of_range() -> Fault {
    Fault::invalid("time out of range")
}

fn subtract<'a>(left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fault> {
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => a.checked_sub(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_sub(*b).map(Val::Uint).ok_or_else(overflow),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a - b)),
        (Val::Duration(a), Val::Duration(b)) => a.checked_sub(b).map(Val::Duration).ok_or_else(out_of_range),
        (Val::Timestamp(t), Val::Duration(d)) => t.checked_sub_signed(*d).map(Val::Timestamp).ok_or_else(out_of_range),
        (Val::Timestamp(a), Val::Timestamp(b)) => Ok(Val::Duration(a.signed_duration_since(*b))),
        _ => Err(no_overload(Operator::Subtract, left, right)),
    }
}

fn scale<'a>(operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fault> {
    let by_zero = || Fault::invalid(if operator == Operator::Divide { "division by zero" } else { "modulus by zero" });
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => match operator {
            Operator::Multiply => a.checked_mul(*b),
            _ if *b == 0 => return Err(by_zero()),
            Operator::Divide => a.checked_div(*b),
            _ => a.checked_rem(*b),
        }
        .map(Val::Int)
        .ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => match operator {
            Operator::Multiply => a.checked_mul(*b),
            _ if *b == 0 => return Err(by_zero()),
            Operator::Divide => a.checked_div(*b),
            _ => a.checked_rem(*b),
        }
        .map(Val::Uint)
        .ok_or_else(overflow),
        (Val::Double(a), Val::Double(b)) if operator == Operator::Multiply => Ok(Val::Double(a * b)),
        (Val::Double(a), Val::Double(b)) if operator == Operator::Divide => Ok(Val::Double(a / b)),
        _ => Err(no_overload(operator, left, right)),
    }
}
