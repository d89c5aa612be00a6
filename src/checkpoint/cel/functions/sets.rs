//! cel-go's sets extension: lists compared as sets.

use super::{Declaration, global, list};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::{ListRef, Val};

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("sets.contains", &["list<T>, list<T> -> bool"], |machine, args| {
        sets(machine, args, |left, right| right.iter().all(|item| holds(left, &item)))
    }),
    global("sets.equivalent", &["list<T>, list<T> -> bool"], |machine, args| {
        sets(machine, args, |left, right| {
            right.iter().all(|item| holds(left, &item)) && left.iter().all(|item| holds(right, &item))
        })
    }),
    global("sets.intersects", &["list<T>, list<T> -> bool"], |machine, args| {
        sets(machine, args, |left, right| right.iter().any(|item| holds(left, &item)))
    }),
];

fn holds<'a>(list: &ListRef<'_, 'a>, item: &Val<'a>) -> bool {
    list.iter().any(|candidate| candidate.equals(item))
}

fn sets<'a>(
    machine: &mut Machine<'a>,
    args: &[Val<'a>],
    test: fn(&ListRef<'_, 'a>, &ListRef<'_, 'a>) -> bool,
) -> Result<Val<'a>, Fault> {
    let [left, right] = args else { return Err(Fault::overload()) };
    let (left, right) = (list(left)?, list(right)?);
    machine.charge((left.len() as u64).saturating_mul(right.len() as u64))?;
    Ok(Val::Bool(test(&left, &right)))
}
