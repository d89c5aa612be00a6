//! Optional values. `or`, `orValue`, `optMap` and `optFlatMap` evaluate an argument only when needed, so they are part of
//! the language, not of this table.

use super::{Declaration, global, method};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("optional.of", &["T -> optional<T>"], |_, args| match args {
        [value] => Ok(Val::some(value.clone())),
        _ => Err(Fault::overload()),
    }),
    global("optional.none", &[" -> optional<dyn>"], |_, _| Ok(Val::Optional(None))),
    global("optional.ofNonZeroValue", &["T -> optional<T>"], of_non_zero),
    method("hasValue", &["optional<dyn> -> bool"], |_, args| match args {
        [Val::Optional(value)] => Ok(Val::Bool(value.is_some())),
        _ => Err(Fault::overload()),
    }),
    method("value", &["optional<T> -> T"], |_, args| match args {
        [Val::Optional(Some(value))] => Ok((**value).clone()),
        [Val::Optional(None)] => Err(Fault::missing("`value()` of an optional that has none")),
        _ => Err(Fault::overload()),
    }),
];

fn of_non_zero<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    let zero = match value {
        Val::Null | Val::Bool(false) | Val::Int(0) | Val::Uint(0) | Val::Optional(None) => true,
        Val::Double(number) => *number == 0.0,
        Val::Str(text) => text.as_str().is_empty(),
        Val::Bytes(bytes) => bytes.is_empty(),
        Val::Duration(span) => span.is_zero(),
        other => {
            other.as_list().is_some_and(|list| list.is_empty()) || other.as_map().is_some_and(|map| map.is_empty())
        }
    };
    Ok(if zero { Val::Optional(None) } else { Val::some(value.clone()) })
}
