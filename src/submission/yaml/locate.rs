//! From a JSON pointer to a place in the file.

use super::tree::{Arena, Entry, NodeId, Span, Style, View};
use super::{Dialect, Document, parse, scalar};
use crate::checkpoint::evidence::Place;

pub(super) fn value(document: &Document, pointer: &str) -> Place {
    let found = walk(document, pointer);
    let span = match found {
        // A missing key is looked for below its parent's key; an empty value has no extent of its own.
        Found { complete: false, key: Some(key), .. } => key,
        Found { value, key: Some(key), .. } if is_empty(value) => key,
        Found { value, .. } => value,
    };
    place(span, pointer)
}

pub(super) fn key(document: &Document, pointer: &str) -> Place {
    let found = walk(document, pointer);
    place(found.key.unwrap_or(found.value), pointer)
}

pub(super) fn is_written(document: &Document, pointer: &str) -> bool {
    walk(document, pointer).complete
}

pub(super) fn set_twice(document: &Document, pointer: &str) -> Option<(String, u32, u32)> {
    let arena = &document.arena;
    let mut node = document.root;
    for segment in segments(pointer) {
        let next = step(arena, node, &segment)?.value;
        if let View::Map(entries) = arena.resolved(node) {
            let lines = entries.iter().filter(|[key, _]| arena.text(*key) == Some(&segment));
            let mut lines = lines.map(|[key, _]| arena.span(*key).line);
            if let (Some(first), Some(last)) = (lines.next(), lines.next_back()) {
                return Some((super::excerpt(&segment), first, last));
            }
        }
        node = next;
    }
    None
}

fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

fn place(span: Span, pointer: &str) -> Place {
    Place { pointer: Some(pointer.to_owned()), ..parse::place(span) }
}

fn is_empty(span: Span) -> bool {
    (span.line, span.column) == (span.end_line, span.end_column)
}

struct Found {
    value: Span,
    /// The key in whose entry the value stands; for list items none.
    key: Option<Span>,
    /// The whole pointer was followed.
    complete: bool,
}

fn walk(document: &Document, pointer: &str) -> Found {
    let arena = &document.arena;
    let mut node = document.root;
    let mut found = Found { value: arena.span(node), key: None, complete: false };
    if document.expanded.nodes == 0 {
        found.value = Span { line: document.line, column: 1, end_line: document.line, end_column: 1 };
        return found;
    }
    // Once an alias is crossed, places are those of the alias: there the learner's decision stands.
    let mut crossed = matches!(arena.view(node), View::Alias);
    for segment in segments(pointer) {
        let Some(step) = step(arena, node, &segment) else { return found };
        if !crossed {
            let shown = step.merged_by.unwrap_or(step.value);
            found.value = arena.span(shown);
            found.key = step.key.map(|key| arena.span(key));
            crossed = step.merged_by.is_some() || matches!(arena.view(shown), View::Alias);
        }
        node = step.value;
    }
    found.complete = true;
    found
}

/// One segment of a pointer further.
struct Step {
    /// The key of the entry; by a merge, the `<<`; for list items none.
    key: Option<NodeId>,
    value: NodeId,
    /// The value of the `<<` by which the entry came.
    merged_by: Option<NodeId>,
}

fn step(arena: &Arena, node: NodeId, segment: &str) -> Option<Step> {
    match arena.resolved(node) {
        View::List(items) => {
            let value = *items.get(segment.parse::<usize>().ok()?)?;
            Some(Step { key: None, value, merged_by: None })
        }
        View::Map(entries) => entry(arena, entries, segment),
        View::Scalar { .. } | View::Alias => None,
    }
}

/// The entry that counts for this key.
fn entry(arena: &Arena, entries: &[Entry], name: &str) -> Option<Step> {
    // The last of duplicates counts.
    let own = |fits: &dyn Fn(NodeId) -> bool| entries.iter().rev().find(|[key, _]| fits(*key)).copied();
    let by_text = own(&|key| !arena.is_merge(key) && arena.text(key) == Some(name));
    if let Some([key, value]) = by_text.or_else(|| own(&|key| reads_as(arena, key, name))) {
        return Some(Step { key: Some(key), value, merged_by: None });
    }
    for [key, by] in entries.iter().rev().filter(|[key, _]| arena.is_merge(*key)) {
        let sources = match arena.resolved(*by) {
            View::List(items) => items,
            _ => std::slice::from_ref(by),
        };
        for source in sources {
            if let View::Map(merged) = arena.resolved(*source)
                && let Some(step) = entry(arena, merged, name)
            {
                return Some(Step { key: Some(*key), value: step.value, merged_by: Some(*by) });
            }
        }
    }
    None
}

/// Whether some dialect turns the key into this name: `y` into `true`, `0644` into `420`.
fn reads_as(arena: &Arena, key: NodeId, name: &str) -> bool {
    let View::Scalar { text, style: Style::Plain, tag } = arena.resolved(key) else { return false };
    [Dialect::Kubectl, Dialect::Yaml12]
        .into_iter()
        .filter_map(|dialect| scalar::resolve(text, Style::Plain, tag, dialect).ok())
        .any(|value| !value.is_string() && name == value.to_string().as_str())
}
