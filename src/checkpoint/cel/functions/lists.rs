//! Kubernetes' lists library and cel-go's lists extension.

use std::cmp::Ordering;

use super::{Declaration, global, int, list, method};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::limits;
use crate::checkpoint::cel::machine::{Machine, article};
use crate::checkpoint::cel::node::Operator;
use crate::checkpoint::cel::operators;
use crate::checkpoint::cel::value::{ListRef, Val};

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    method("isSorted", COMPARABLE_TO_BOOL, is_sorted),
    method(
        "sum",
        &["list<int> -> int", "list<uint> -> uint", "list<double> -> double", "list<duration> -> duration"],
        sum,
    ),
    method("min", COMPARABLE_TO_ITEM, |machine, args| extreme(machine, args, "min", Ordering::Less)),
    method("max", COMPARABLE_TO_ITEM, |machine, args| extreme(machine, args, "max", Ordering::Greater)),
    method("indexOf", &["list<T>, T -> int"], |_, args| position(args, |list, item| list.position(item))),
    method("lastIndexOf", &["list<T>, T -> int"], |_, args| position(args, |list, item| list.last_position(item))),
    method("includes", &["list<T>, T -> bool"], |_, args| {
        position(args, |list, item| list.position(item)).map(|at| Val::Bool(!at.equals(&Val::Int(-1))))
    }),
    method("slice", &["list<T>, int, int -> list<T>"], slice),
    method("flatten", &["list<dyn> -> list<dyn>", "list<dyn>, int -> list<dyn>"], flatten),
    method("distinct", &["list<T> -> list<T>"], distinct),
    method("sort", &["list<T> -> list<T>"], sort),
    method("reverse", &["list<T> -> list<T>"], |_, args| match args {
        [items] => Ok(Val::list(list(items)?.iter().rev().collect())),
        _ => Err(Fault::overload()),
    }),
    method("first", &["list<T> -> optional<T>"], |_, args| end(args, |list| list.get(0))),
    method("last", &["list<T> -> optional<T>"], |_, args| end(args, |list| list.get(list.len().wrapping_sub(1)))),
    global("lists.range", &["int -> list<int>"], range),
];

const COMPARABLE_TO_BOOL: &[&str] = &[
    "list<int> -> bool",
    "list<uint> -> bool",
    "list<double> -> bool",
    "list<bool> -> bool",
    "list<duration> -> bool",
    "list<timestamp> -> bool",
    "list<string> -> bool",
    "list<bytes> -> bool",
];

const COMPARABLE_TO_ITEM: &[&str] = &[
    "list<int> -> int",
    "list<uint> -> uint",
    "list<double> -> double",
    "list<bool> -> bool",
    "list<duration> -> duration",
    "list<timestamp> -> timestamp",
    "list<string> -> string",
    "list<bytes> -> bytes",
];

impl<'a> ListRef<'_, 'a> {
    fn position(&self, item: &Val<'a>) -> Option<usize> {
        self.iter().position(|candidate| candidate.equals(item))
    }

    fn last_position(&self, item: &Val<'a>) -> Option<usize> {
        let back = self.iter().rev().position(|candidate| candidate.equals(item))?;
        Some(self.len() - 1 - back)
    }
}

fn compare<'a>(left: &Val<'a>, right: &Val<'a>) -> Result<Ordering, Fault> {
    left.compare(right).ok_or_else(|| {
        let (left, right) = (article(left.type_name()), article(right.type_name()));
        Fault::invalid(format!("{left} and {right} have no order"))
    })
}

fn is_sorted<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [items] = args else { return Err(Fault::overload()) };
    let items: Vec<_> = list(items)?.iter().collect();
    for pair in items.windows(2) {
        if let [left, right] = pair
            && compare(left, right)? == Ordering::Greater
        {
            return Ok(Val::Bool(false));
        }
    }
    Ok(Val::Bool(true))
}

fn sum<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [items] = args else { return Err(Fault::overload()) };
    let mut total: Option<Val<'a>> = None;
    for item in list(items)?.iter() {
        let item = item.plain();
        if !matches!(item, Val::Int(_) | Val::Uint(_) | Val::Double(_) | Val::Duration(_)) {
            return Err(Fault::invalid(format!("`sum` does not take {}", article(item.type_name()))));
        }
        total = Some(match total {
            Some(total) => operators::binary(Operator::Add, &total, &item)?,
            None => item,
        });
    }
    Ok(total.unwrap_or(Val::Int(0)))
}

fn extreme<'a>(_: &mut Machine<'a>, args: &[Val<'a>], name: &str, wanted: Ordering) -> Result<Val<'a>, Fault> {
    let [items] = args else { return Err(Fault::overload()) };
    let mut best: Option<Val<'a>> = None;
    for item in list(items)?.iter() {
        let better = match &best {
            Some(best) => compare(&item, best)? == wanted,
            None => true,
        };
        if better {
            best = Some(item);
        }
    }
    best.ok_or_else(|| Fault::invalid(format!("`{name}` of an empty list")))
}

fn position<'a>(args: &[Val<'a>], find: fn(&ListRef<'_, 'a>, &Val<'a>) -> Option<usize>) -> Result<Val<'a>, Fault> {
    let [items, item] = args else { return Err(Fault::overload()) };
    Ok(Val::Int(find(&list(items)?, item).map_or(-1, |index| index as i64)))
}

fn slice<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [items, start, end] = args else { return Err(Fault::overload()) };
    let (items, start, end) = (list(items)?, int(start)?, int(end)?);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(first), Ok(last)) if first <= last && last <= items.len() => {
            Ok(Val::list(items.iter().skip(first).take(last - first).collect()))
        }
        _ => Err(Fault::invalid(format!("cannot slice({start}, {end}) a list of {}", items.len()))),
    }
}

fn flatten<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (items, depth) = match args {
        [items] => (list(items)?, 1),
        [items, depth] => (list(items)?, int(depth)?),
        _ => return Err(Fault::overload()),
    };
    if depth < 0 {
        return Err(Fault::invalid("`flatten` needs a depth of 0 or more"));
    }
    let mut flat = Vec::new();
    flatten_into(machine, &items, depth, &mut flat)?;
    Ok(Val::list(flat))
}

fn flatten_into<'a>(
    machine: &mut Machine<'a>,
    items: &ListRef<'_, 'a>,
    depth: i64,
    flat: &mut Vec<Val<'a>>,
) -> Result<(), Fault> {
    machine.charge(items.len() as u64)?;
    for item in items.iter() {
        match item.as_list() {
            Some(inner) if depth > 0 => flatten_into(machine, &inner, depth - 1, flat)?,
            _ => flat.push(item),
        }
    }
    Ok(())
}

fn distinct<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [items] = args else { return Err(Fault::overload()) };
    let mut kept: Vec<Val<'a>> = Vec::new();
    for item in list(items)?.iter() {
        machine.charge(kept.len() as u64)?;
        if !kept.iter().any(|before| before.equals(&item)) {
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}

fn sort<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [items] = args else { return Err(Fault::overload()) };
    sort_keyed(machine, list(items)?.iter().map(|item| (item.clone(), item)).collect())
}

/// Sorts items by their keys, stable. Keys of different types are refused before anything is compared.
pub fn sort_keyed<'a>(machine: &mut Machine<'a>, mut keyed: Vec<(Val<'a>, Val<'a>)>) -> Result<Val<'a>, Fault> {
    machine.charge((keyed.len() as u64) * 8)?;
    if let Some((first, _)) = keyed.first() {
        let first = first.clone();
        for (key, _) in &keyed {
            compare(&first, key)?;
            compare(key, key)?;
        }
    }
    keyed.sort_by(|(left, _), (right, _)| left.compare(right).unwrap_or(Ordering::Equal));
    Ok(Val::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn end<'a>(args: &[Val<'a>], pick: fn(&ListRef<'_, 'a>) -> Option<Val<'a>>) -> Result<Val<'a>, Fault> {
    let [items] = args else { return Err(Fault::overload()) };
    Ok(pick(&list(items)?).map_or(Val::Optional(None), Val::some))
}

fn range<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [count] = args else { return Err(Fault::overload()) };
    let count = int(count)?;
    if count > limits::ITEMS as i64 {
        return Err(Fault::invalid(format!("`lists.range` makes at most {} items", limits::ITEMS)));
    }
    machine.charge(count.max(0) as u64)?;
    Ok(Val::list((0..count).map(Val::Int).collect()))
}
