//! Base64, and escaping for JSON pointers.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Declaration, global, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("base64.encode", &["bytes -> string"], |_, args| match args {
        [Val::Bytes(bytes)] => Ok(Val::text(STANDARD.encode(bytes))),
        _ => Err(Fault::overload()),
    }),
    global("base64.decode", &["string -> bytes"], decode),
    global("jsonpatch.escapeKey", &["string -> string"], |_, args| match args {
        [key] => Ok(Val::text(text(key)?.replace('~', "~0").replace('/', "~1"))),
        _ => Err(Fault::overload()),
    }),
];

/// Padding may be left out, as in cel-go.
fn decode<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [encoded] = args else { return Err(Fault::overload()) };
    let encoded = text(encoded)?;
    STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .map(|bytes| Val::Bytes(bytes.into()))
        .map_err(|_| Fault::invalid(format!("{} is not base64", Val::text(encoded).show())))
}
