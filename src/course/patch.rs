//! Setting and deleting values of a YAML file by changing its text, so that comments, order and layout of all the rest
//! stay as they are.
//!
//! Every change is checked: the new text must read as the old data with exactly that change. Where the text cannot be
//! changed in place (values shared by aliases, say), the edit is refused and `replace` does it.

use std::ops::Range;

use serde_json::Value;

use super::source::{Content, Node, Scalars, Source, Style, inline, segments};

/// Sets the value at a JSON pointer: replaces it, or adds the last segment to its map; `-` appends to a list.
pub fn set(text: &str, document: usize, pointer: &str, to: &Value) -> Result<String, String> {
    let root = root(text, document)?;
    let (parent, last) = descend(&root, pointer)?;
    let new = match parent.child(&last) {
        Some((key, node)) => replace_value(text, key.map(|key| key.bytes.end), node, to)?,
        None => match &parent.content {
            Content::Map(entries, style) => {
                let entry = format!("{}: {}", inline(&Value::String(last.clone())), inline(to));
                let last = entries.last().map(|(key, node)| (key.bytes.start, end_of_entry(node, key.bytes.end)));
                insert(text, parent, *style, last, &entry)?
            }
            Content::List(items, style) if last == "-" => {
                let entry = if *style == Style::Block { format!("- {}", inline(to)) } else { inline(to) };
                let last = items.last().map(|node| (dash_before(text, node.bytes.start), node.bytes.end));
                insert(text, parent, *style, last, &entry)?
            }
            Content::List(items, _) => {
                return Err(format!("`{pointer}`: the list has {} items; `-` appends one", items.len()));
            }
            Content::Scalar(_) => return Err(format!("`{pointer}`: a scalar has no fields")),
        },
    };
    let mut expected = root.to_value();
    put(&mut expected, pointer, to);
    verified(new, document, &expected)
}

/// Deletes the field or list item at a JSON pointer.
pub fn delete(text: &str, document: usize, pointer: &str) -> Result<String, String> {
    let root = root(text, document)?;
    let (parent, last) = descend(&root, pointer)?;
    if parent.child(&last).is_none() {
        return Err(format!("nothing is at `{pointer}`"));
    }
    let new = match &parent.content {
        Content::Map(entries, style) => {
            let at = entries.iter().position(|(key, _)| key.text == last).unwrap_or(0);
            let parts: Vec<_> =
                entries.iter().map(|(key, node)| key.bytes.start..end_of_entry(node, key.bytes.end)).collect();
            cut(text, parent, *style, &parts, at, "{}")
        }
        Content::List(items, style) => {
            let at = last.parse().unwrap_or(0);
            let start = |node: &Node| {
                if *style == Style::Block { dash_before(text, node.bytes.start) } else { node.bytes.start }
            };
            let parts: Vec<_> = items.iter().map(|node| start(node)..node.bytes.end).collect();
            cut(text, parent, *style, &parts, at, "[]")
        }
        Content::Scalar(_) => return Err(format!("nothing is at `{pointer}`")),
    };
    let mut expected = root.to_value();
    take(&mut expected, pointer);
    verified(new, document, &expected)
}

fn root(text: &str, document: usize) -> Result<Node, String> {
    let source = Source::parse(text, Scalars::Any).map_err(|error| {
        format!("line {}: {} (use `replace` for files that are not YAML)", error.spot.line, error.message)
    })?;
    let count = source.documents.len();
    source
        .documents
        .into_iter()
        .nth(document)
        .ok_or_else(|| format!("the file has {count} documents, and `document` counts from 0: {document} is not there"))
}

/// The parent of a pointer's target and the last segment.
fn descend<'n>(root: &'n Node, pointer: &str) -> Result<(&'n Node, String), String> {
    let mut path: Vec<String> = segments(pointer).collect();
    let last = path.pop().ok_or_else(|| "the pointer is empty".to_owned())?;
    let mut node = root;
    let mut seen = String::new();
    for segment in path {
        if node.aliased {
            return Err(format!("`{seen}` is an alias: use `replace`"));
        }
        let Some((_, child)) = node.child(&segment) else {
            return Err(format!("nothing is at `{seen}/{segment}`"));
        };
        seen = format!("{seen}/{segment}");
        node = child;
    }
    if node.aliased { Err(format!("`{seen}` is an alias: use `replace`")) } else { Ok((node, last)) }
}

fn replace_value(text: &str, key_end: Option<usize>, node: &Node, to: &Value) -> Result<String, String> {
    if node.aliased {
        return Err("the value is an alias: use `replace`".to_owned());
    }
    if let Some(end) = key_end {
        let colon = colon_after(text, end);
        // The bytes of a block scalar begin behind its `|` or `>`.
        if text.get(colon..node.bytes.start).is_some_and(|between| between.contains(['|', '>'])) {
            return Ok(format!("{} {}{}", &text[..colon], inline(to), &text[node.bytes.end..]));
        }
    }
    let range = match (&node.content, key_end) {
        // `key:` without a value, or with one that begins on a later line: write behind the colon.
        (Content::Scalar(value), Some(end)) if value.is_null() && node.bytes.is_empty() => {
            let colon = colon_after(text, end);
            return Ok(format!("{} {}{}", &text[..colon], inline(to), &text[colon..]));
        }
        (Content::Map(_, Style::Block) | Content::List(_, Style::Block), Some(end)) => {
            let colon = colon_after(text, end);
            return Ok(format!("{} {}{}", &text[..colon], inline(to), &text[node.bytes.end..]));
        }
        _ => node.bytes.clone(),
    };
    Ok(format!("{}{}{}", &text[..range.start], inline(to), &text[range.end..]))
}

fn colon_after(text: &str, from: usize) -> usize {
    text[from..].find(':').map_or(from, |at| from + at + 1)
}

/// Where an entry of a map ends. An empty value ends with its colon.
fn end_of_entry(node: &Node, key_end: usize) -> usize {
    if node.bytes.is_empty() || node.aliased { key_end + 1 } else { node.bytes.end }
}

/// The start of the `- ` in front of an item.
fn dash_before(text: &str, start: usize) -> usize {
    text[..start].rfind('-').unwrap_or(start)
}

fn insert(
    text: &str,
    parent: &Node,
    style: Style,
    last: Option<(usize, usize)>,
    entry: &str,
) -> Result<String, String> {
    match (style, last) {
        (Style::Block, Some((start, end))) => {
            let column = start - line_start(text, start);
            let end = line_end(text, end);
            Ok(format!("{}\n{}{entry}{}", &text[..end], " ".repeat(column), &text[end..]))
        }
        (Style::Flow, last) => {
            let close = parent.bytes.end - 1;
            let comma = if last.is_some() { ", " } else { "" };
            let end = last.map_or(close, |(_, end)| end);
            Ok(format!("{}{comma}{entry}{}", &text[..end], &text[end..]))
        }
        (Style::Block, None) => Err("there is nothing to add to: use `replace`".to_owned()),
    }
}

/// Takes one of the parts of a collection out of the text.
fn cut(text: &str, parent: &Node, style: Style, parts: &[Range<usize>], at: usize, empty: &str) -> String {
    let part = &parts[at];
    let without = |range: Range<usize>| format!("{}{}", &text[..range.start], &text[range.end..]);
    match style {
        _ if parts.len() == 1 && style == Style::Flow => without(part.clone()),
        Style::Flow if at + 1 < parts.len() => without(part.start..parts[at + 1].start),
        Style::Flow => without(parts[at - 1].end..part.end),
        Style::Block if parts.len() == 1 => {
            format!("{}{empty}{}", &text[..part.start], &text[parent.bytes.end.max(part.end)..])
        }
        Style::Block => {
            let start = line_start(text, part.start);
            let alone = text[start..part.start].trim().is_empty();
            let end = line_end(text, part.end);
            match parts.get(at + 1) {
                // The first field behind a dash: the next one takes its place.
                Some(next) if !alone => without(part.start..next.start),
                _ => without(start..(end + 1).min(text.len())),
            }
        }
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The end of the line, before its line feed.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

/// The new text, if it reads as what was meant.
fn verified(text: String, document: usize, expected: &Value) -> Result<String, String> {
    let refused = || "this cannot be edited in place: use `replace`".to_owned();
    let source = Source::parse(&text, Scalars::Any).map_err(|_| refused())?;
    let read = source.documents.get(document).map(Node::to_value);
    if read.as_ref() == Some(expected) { Ok(text) } else { Err(refused()) }
}

fn put(value: &mut Value, pointer: &str, to: &Value) {
    let (parent, last) = split(pointer);
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(last, to.clone());
        }
        Some(Value::Array(items)) if last == "-" => items.push(to.clone()),
        Some(Value::Array(items)) => {
            if let Some(item) = last.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = to.clone();
            }
        }
        _ => {}
    }
}

fn take(value: &mut Value, pointer: &str) {
    let (parent, last) = split(pointer);
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.shift_remove(&last);
        }
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn split(pointer: &str) -> (&str, String) {
    let (parent, last) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    (parent, last.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FILE: &str = "\
# A comment
apiVersion: apps/v1   # kept
spec:
  replicas: 2
  strategy: {type: Recreate, note: x}
  windows:
    - kind: allow
      schedule: '0 8 * * *'
      apps: ['*']
    # the freeze
    - kind: deny
      schedule: \"0 0 * * 5\"

  empty:
  script: |
    one
    two
  last: yes
---
kind: Second
";

    fn lines_changed(new: &str) -> String {
        similar::TextDiff::from_lines(FILE, new)
            .iter_all_changes()
            .filter(|change| change.tag() != similar::ChangeTag::Equal)
            .map(|change| format!("{}{change}", change.tag()))
            .collect()
    }

    fn set_in_file(pointer: &str, to: Value) -> String {
        set(FILE, 0, pointer, &to).map_or_else(|error| error, |new| lines_changed(&new))
    }

    fn delete_in_file(pointer: &str) -> String {
        delete(FILE, 0, pointer).map_or_else(|error| error, |new| lines_changed(&new))
    }

    #[test]
    fn a_set_value_leaves_the_rest_byte_for_byte() {
        insta::assert_snapshot!(set_in_file("/apiVersion", json!("v1")), @r"
        -apiVersion: apps/v1   # kept
        +apiVersion: v1   # kept
        ");
        insta::assert_snapshot!(set_in_file("/spec/replicas", json!("${x}")), @r#"
        -  replicas: 2
        +  replicas: "${x}"
        "#);
        insta::assert_snapshot!(set_in_file("/spec/strategy/type", json!("RollingUpdate")), @r"
        -  strategy: {type: Recreate, note: x}
        +  strategy: {type: RollingUpdate, note: x}
        ");
        insta::assert_snapshot!(set_in_file("/spec/windows/0/apps", json!(["a", "b"])), @r"
        -      apps: ['*']
        +      apps: [a, b]
        ");
        insta::assert_snapshot!(set_in_file("/spec/windows/1/kind", json!("allow")), @r"
        -    - kind: deny
        +    - kind: allow
        ");
        insta::assert_snapshot!(set_in_file("/spec/windows/1", json!({"kind": "none"})), @r#"
        -    - kind: deny
        -      schedule: "0 0 * * 5"
        +    - {kind: none}
        "#);
        insta::assert_snapshot!(set_in_file("/spec/windows", json!([])), @r#"
        -  windows:
        -    - kind: allow
        -      schedule: '0 8 * * *'
        -      apps: ['*']
        -    # the freeze
        -    - kind: deny
        -      schedule: "0 0 * * 5"
        +  windows: []
        "#);
        insta::assert_snapshot!(set_in_file("/spec/empty", json!(3)), @r"
        -  empty:
        +  empty: 3
        ");
        insta::assert_snapshot!(set_in_file("/spec/script", json!("three\n")), @r#"
        -  script: |
        -    one
        -    two
        +  script: "three\n"
        "#);
        insta::assert_snapshot!(set_in_file("/spec/last", json!(false)), @r"
        -  last: yes
        +  last: false
        ");
        insta::assert_snapshot!(set(FILE, 1, "/kind", &json!("X")).map(|new| lines_changed(&new)).expect("set"), @r"
        -kind: Second
        +kind: X
        ");
    }

    #[test]
    fn a_missing_field_is_added_behind_the_last() {
        insta::assert_snapshot!(set_in_file("/spec/windows/0/timeZone", json!("UTC")), @"+      timeZone: UTC");
        insta::assert_snapshot!(set_in_file("/spec/windows/-", json!({"kind": "deny"})), @"+    - {kind: deny}");
        insta::assert_snapshot!(set_in_file("/spec/windows/0/apps/-", json!("x")), @r"
        -      apps: ['*']
        +      apps: ['*', x]
        ");
        insta::assert_snapshot!(set_in_file("/spec/strategy/a b", json!(1)), @r#"
        -  strategy: {type: Recreate, note: x}
        +  strategy: {type: Recreate, note: x, "a b": 1}
        "#);
        insta::assert_snapshot!(set_in_file("/kind", json!("Deployment")), @"+kind: Deployment");
        insta::assert_snapshot!(set_in_file("/spec/windows/7", json!(1)), @"`/spec/windows/7`: the list has 2 items; `-` appends one");
        insta::assert_snapshot!(set_in_file("/spec/nothing/here", json!(1)), @"nothing is at `/spec/nothing`");
    }

    #[test]
    fn a_deleted_value_leaves_the_rest_byte_for_byte() {
        insta::assert_snapshot!(delete_in_file("/spec/replicas"), @"-  replicas: 2");
        insta::assert_snapshot!(delete_in_file("/spec/strategy/type"), @r"
        -  strategy: {type: Recreate, note: x}
        +  strategy: {note: x}
        ");
        insta::assert_snapshot!(delete_in_file("/spec/strategy/note"), @r"
        -  strategy: {type: Recreate, note: x}
        +  strategy: {type: Recreate}
        ");
        insta::assert_snapshot!(delete_in_file("/spec/windows/0/kind"), @r"
        -    - kind: allow
        -      schedule: '0 8 * * *'
        +    - schedule: '0 8 * * *'
        ");
        insta::assert_snapshot!(delete_in_file("/spec/windows/0/apps"), @"-      apps: ['*']");
        insta::assert_snapshot!(delete_in_file("/spec/windows/0/apps/0"), @r"
        -      apps: ['*']
        +      apps: []
        ");
        insta::assert_snapshot!(delete_in_file("/spec/windows/0"), @r"
        -    - kind: allow
        -      schedule: '0 8 * * *'
        -      apps: ['*']
        ");
        insta::assert_snapshot!(delete_in_file("/spec/windows/1"), @r#"
        -    - kind: deny
        -      schedule: "0 0 * * 5"
        "#);
        insta::assert_snapshot!(delete_in_file("/spec/windows"), @r#"
        -  windows:
        -    - kind: allow
        -      schedule: '0 8 * * *'
        -      apps: ['*']
        -    # the freeze
        -    - kind: deny
        -      schedule: "0 0 * * 5"
        "#);
        insta::assert_snapshot!(delete_in_file("/spec/empty"), @"-  empty:");
        insta::assert_snapshot!(delete_in_file("/spec/script"), @r"
        -  script: |
        -    one
        -    two
        ");
        insta::assert_snapshot!(delete_in_file("/spec/missing"), @"nothing is at `/spec/missing`");
    }

    #[test]
    fn the_only_entry_of_a_block_leaves_an_empty_collection() {
        assert_eq!(delete("a:\n  b: 1\nc: 2\n", 0, "/a/b").expect("deleted"), "a:\n  {}\nc: 2\n");
        assert_eq!(delete("a:\n  - 1\n", 0, "/a/0").expect("deleted"), "a:\n  []\n");
        assert_eq!(delete("a: {b: 1}\n", 0, "/a/b").expect("deleted"), "a: {}\n");
    }

    #[test]
    fn shared_values_are_not_edited_in_place() {
        let text = "a: &x {b: 1}\nc: *x\n";
        assert!(set(text, 0, "/c/b", &json!(2)).is_err());
        assert!(set(text, 0, "/a/b", &json!(2)).is_err(), "it would change `c` too");
    }
}
