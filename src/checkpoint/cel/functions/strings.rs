//! cel-go's strings extension. Positions count characters.

use super::{Declaration, global, int, list, method, text, text_format};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    method("charAt", &["string, int -> string"], char_at),
    method("indexOf", &["string, string -> int", "string, string, int -> int"], index_of),
    method("lastIndexOf", &["string, string -> int", "string, string, int -> int"], last_index_of),
    method("join", &["list<string> -> string", "list<string>, string -> string"], join),
    method("lowerAscii", &["string -> string"], |_, args| map_text(args, |text| text.to_ascii_lowercase())),
    method("upperAscii", &["string -> string"], |_, args| map_text(args, |text| text.to_ascii_uppercase())),
    method("trim", &["string -> string"], |_, args| map_text(args, |text| text.trim().to_owned())),
    method("reverse", &["string -> string"], |_, args| map_text(args, |text| text.chars().rev().collect())),
    method("replace", &["string, string, string -> string", "string, string, string, int -> string"], replace),
    method("split", &["string, string -> list<string>", "string, string, int -> list<string>"], split),
    method("substring", &["string, int -> string", "string, int, int -> string"], substring),
    method("format", &["string, list<dyn> -> string"], |_, args| match args {
        [pattern, values] => text_format::format(text(pattern)?, &list(values)?).map(Val::text),
        _ => Err(Fault::overload()),
    }),
    global("strings.quote", &["string -> string"], |_, args| map_text(args, quote)),
];

fn map_text<'a>(args: &[Val<'a>], change: fn(&str) -> String) -> Result<Val<'a>, Fault> {
    match args {
        [value] => Ok(Val::text(change(text(value)?))),
        _ => Err(Fault::overload()),
    }
}

fn out_of_range(index: i64) -> Fault {
    Fault::invalid(format!("index out of range: {index}"))
}

/// A position of a text of `length` characters, its end included.
fn position(index: i64, length: usize) -> Result<usize, Fault> {
    usize::try_from(index).ok().filter(|index| *index <= length).ok_or_else(|| out_of_range(index))
}

fn char_at<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [receiver, index] = args else { return Err(Fault::overload()) };
    let text = text(receiver)?;
    let index = position(int(index)?, text.chars().count())?;
    Ok(Val::text(text.chars().nth(index).map(String::from).unwrap_or_default()))
}

fn index_of<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (receiver, part, from) = match args {
        [receiver, part] => (text(receiver)?, text(part)?, 0),
        [receiver, part, from] => (text(receiver)?, text(part)?, int(from)?),
        _ => return Err(Fault::overload()),
    };
    let from = position(from, receiver.chars().count())?;
    let start = receiver.char_indices().nth(from).map_or(receiver.len(), |(at, _)| at);
    let found = receiver.get(start..).and_then(|rest| rest.find(part).map(|at| rest.get(..at).unwrap_or_default()));
    Ok(Val::Int(found.map_or(-1, |before| (from + before.chars().count()) as i64)))
}

fn last_index_of<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (receiver, part, upto) = match args {
        [receiver, part] => (text(receiver)?, text(part)?, None),
        [receiver, part, upto] => (text(receiver)?, text(part)?, Some(int(upto)?)),
        _ => return Err(Fault::overload()),
    };
    let upto = upto.map(|upto| position(upto, receiver.chars().count())).transpose()?;
    let starts = receiver.char_indices().map(|(at, _)| at).chain([receiver.len()]);
    let candidates: Vec<usize> = match upto {
        Some(upto) => starts.take(upto + 1).collect(),
        None => starts.collect(),
    };
    let found = candidates
        .iter()
        .enumerate()
        .rev()
        .find(|(_, at)| receiver.get(**at..).is_some_and(|rest| rest.starts_with(part)));
    Ok(Val::Int(found.map_or(-1, |(index, _)| index as i64)))
}

fn join<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (items, separator) = match args {
        [items] => (list(items)?, ""),
        [items, separator] => (list(items)?, text(separator)?),
        _ => return Err(Fault::overload()),
    };
    machine.charge((items.len() * separator.len() / 16) as u64)?;
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        let part = item.as_text().ok_or_else(|| {
            Fault::invalid(format!("`join` needs texts, item {index} is of type {}", item.type_name()))
        })?;
        joined.push_str(if index == 0 { "" } else { separator });
        joined.push_str(part);
    }
    Ok(Val::text(joined))
}

fn replace<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (receiver, old, new, limit) = match args {
        [receiver, old, new] => (receiver, old, new, -1),
        [receiver, old, new, limit] => (receiver, old, new, int(limit)?),
        _ => return Err(Fault::overload()),
    };
    let (receiver, old, new) = (text(receiver)?, text(old)?, text(new)?);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // The result may be much longer than what was charged for the arguments.
    machine.charge((receiver.matches(old).take(limit).count().saturating_mul(new.len()) / 16) as u64)?;
    Ok(Val::text(receiver.replacen(old, new, limit)))
}

fn split<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (receiver, separator, limit) = match args {
        [receiver, separator] => (text(receiver)?, text(separator)?, -1),
        [receiver, separator, limit] => (text(receiver)?, text(separator)?, int(limit)?),
        _ => return Err(Fault::overload()),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(Val::list(Vec::new()));
    }
    let parts = if separator.is_empty() {
        let mut characters: Vec<String> = receiver.chars().map(String::from).collect();
        if characters.len() > limit {
            let rest = characters.split_off(limit - 1).concat();
            characters.push(rest);
        }
        characters.into_iter().map(Val::text).collect()
    } else {
        receiver.splitn(limit, separator).map(Val::text).collect()
    };
    Ok(Val::list(parts))
}

fn substring<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let (receiver, start, end) = match args {
        [receiver, start] => (text(receiver)?, int(start)?, None),
        [receiver, start, end] => (text(receiver)?, int(start)?, Some(int(end)?)),
        _ => return Err(Fault::overload()),
    };
    let length = receiver.chars().count();
    let first = position(start, length)?;
    let last = end.map_or(Ok(length), |end| position(end, length))?;
    if last < first {
        return Err(Fault::invalid(format!("invalid substring range: start {first}, end {last}")));
    }
    Ok(Val::text(receiver.chars().skip(first).take(last - first).collect::<String>()))
}

/// A text literal in double quotes, as `strings.quote` of cel-go writes it.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
