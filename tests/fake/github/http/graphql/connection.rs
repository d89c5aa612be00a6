//! Lists in pages: `first`, `after`, `last`, `before`.

use std::rc::Rc;

use apollo_compiler::resolvers::{FieldError, ResolveInfo, ResolvedValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::View;
use super::node::{Kind, Node};

/// Where something stands in a list: its sort key and its id.
pub type Key = (i64, u64);

/// A page of a list.
#[derive(Clone)]
pub struct Connection {
    /// As in `ReviewConnection`.
    pub name: &'static str,
    /// As in `ReviewEdge`.
    pub edge: &'static str,
    /// What is on it.
    pub items: Vec<(Key, Kind)>,
    /// How many there are on all pages.
    pub total: usize,
    /// Whether there is more after it.
    pub next: bool,
    /// Whether there is more before it.
    pub previous: bool,
}

/// The cursor of a place in a list.
pub fn cursor(key: Key) -> String {
    STANDARD.encode(format!("cursor:v2:{}:{}", key.0, key.1))
}

fn parse(cursor: &str) -> Option<Key> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    let (at, id) = text.strip_prefix("cursor:v2:")?.split_once(':')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// The page that a field asks for. The list is sorted, `descending` says which way.
pub fn page<'a>(
    view: &Rc<View>,
    info: &ResolveInfo<'a>,
    (name, edge): (&'static str, &'static str),
    all: Vec<(Key, Kind)>,
    descending: bool,
) -> Result<ResolvedValue<'a>, FieldError> {
    let field = info.field_name();
    let number = |name: &str| info.arguments().get(name).and_then(|value| value.as_i64());
    let text = |name: &str| info.arguments().get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let fail = |message: String| {
        view.unknown.borrow_mut().push(message.clone());
        FieldError { message }
    };
    let place = |name: &str| match text(name) {
        None => Ok(None),
        Some(cursor) => {
            parse(&cursor).map(Some).ok_or_else(|| fail(format!("`{cursor}` does not appear to be a valid cursor.")))
        }
    };
    let (first, last) = (number("first"), number("last"));
    let size = first.or(last).ok_or_else(|| {
        fail(format!("You must provide a `first` or `last` value to properly paginate the `{field}` connection."))
    })?;
    if !(1..=100).contains(&size) {
        return Err(fail(format!(
            "Requesting {size} records on the `{field}` connection exceeds the limit of 100 records."
        )));
    }
    let total = all.len();
    let beyond = |key: Key, place: Key| if descending { key < place } else { key > place };
    let (after, before) = (place("after")?, place("before")?);
    let mut items: Vec<(Key, Kind)> = all
        .into_iter()
        .filter(|(key, _)| after.is_none_or(|after| beyond(*key, after)))
        .filter(|(key, _)| before.is_none_or(|before| beyond(before, *key)))
        .collect();
    let size = usize::try_from(size).unwrap_or(100);
    let (mut next, mut previous) = (before.is_some(), after.is_some());
    if first.is_some() {
        next = items.len() > size;
        items.truncate(size);
    } else {
        previous = items.len() > size;
        items.drain(..items.len().saturating_sub(size));
    }
    let connection = Connection { name, edge, items, total, next, previous };
    Ok(ResolvedValue::object(Node { view: Rc::clone(view), kind: Kind::Connection(connection) }))
}
