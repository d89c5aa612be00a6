//! Regular expressions: CEL's `matches` and Kubernetes' `find` and `findAll`. Linear time, bounded size.

use super::{Declaration, global, int, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    method("matches", &["string, string -> bool"], matches),
    global("matches", &["string, string -> bool"], matches),
    method("find", &["string, string -> string"], find),
    method("findAll", &["string, string -> list<string>", "string, string, int -> list<string>"], find_all),
];

/// Takes the steps that a search may cost: the product of the two lengths, in 16-byte pieces.
fn charge(machine: &mut Machine<'_>, text: &str, pattern: &str) -> Result<(), Fault> {
    machine.charge(((1 + text.len() / 16) * (1 + pattern.len() / 16)) as u64)
}

fn matches<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [receiver, pattern] = args else { return Err(Fault::overload()) };
    let (receiver, pattern) = (text(receiver)?, text(pattern)?);
    charge(machine, receiver, pattern)?;
    Ok(Val::Bool(machine.pattern(pattern)?.is_match(receiver)))
}

fn find<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [receiver, pattern] = args else { return Err(Fault::overload()) };
    let (receiver, pattern) = (text(receiver)?, text(pattern)?);
    charge(machine, receiver, pattern)?;
    Ok(Val::text(machine.pattern(pattern)?.find(receiver).map_or("", |found| found.as_str())))
}

fn find_all<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (receiver, pattern, limit) = match args {
        [receiver, pattern] => (text(receiver)?, text(pattern)?, -1),
        [receiver, pattern, limit] => (text(receiver)?, text(pattern)?, int(limit)?),
        _ => return Err(Fault::overload()),
    };
    charge(machine, receiver, pattern)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let pattern = machine.pattern(pattern)?;
    Ok(Val::list(pattern.find_iter(receiver).take(limit).map(|found| Val::text(found.as_str())).collect()))
}
