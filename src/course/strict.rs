//! From an author's YAML to a typed kind, reporting every problem that can be told apart in one go.
//!
//! serde stops at its first error. So after an error the field (unknown) or the list item (anything else) that caused it
//! is taken out and reading is tried again, until it succeeds or nothing is left to take out.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::diagnostic::{Diagnostic, nearest};
use super::source::{Node, Scalars, Source, join};

/// Most problems reported of one file.
const MAX_PROBLEMS: usize = 20;

/// Reads the one document of a file.
pub fn document(file: &str, text: &str) -> Result<Node, Diagnostic> {
    let mut documents = match Source::parse(text, Scalars::Unambiguous) {
        Ok(source) => source.documents,
        Err(error) => {
            let diagnostic = Diagnostic::new(file, error.message).at(error.spot);
            return Err(match error.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
    };
    if let Some(second) = documents.get(1) {
        return Err(Diagnostic::new(file, "a second document begins here")
            .at(second.spot)
            .help("keep one object per file: remove the `---`"));
    }
    documents.pop().ok_or_else(|| Diagnostic::new(file, "the file holds nothing").help("see docs/authoring.md"))
}

/// Reads `value`, which is `node` with values filled in, as a `T`. Anything wrong is added to `problems`.
pub fn typed<T: DeserializeOwned>(file: &str, node: &Node, value: Value, problems: &mut Vec<Diagnostic>) -> Option<T> {
    let before = problems.len();
    mended(file, node, value, problems).filter(|_| problems.len() == before)
}

/// The same, but what only has fields that are not known is there too, so that more can be said about it.
pub fn mended<T: DeserializeOwned>(file: &str, node: &Node, value: Value, problems: &mut Vec<Diagnostic>) -> Option<T> {
    let mut live = Live { value, kept: BTreeMap::new() };
    let before = problems.len();
    loop {
        match serde_path_to_error::deserialize::<_, T>(&live.value) {
            Ok(read) => return live.kept.is_empty().then_some(read),
            Err(error) => {
                let pointer = pointer(error.path(), &live.value);
                let message = error.into_inner().to_string();
                problems.push(explain(file, node, &live.original(&pointer), &message));
                let went_on = match message.strip_prefix("unknown field ") {
                    Some(rest) => live.correct(&pointer, &quoted(rest).1),
                    None => live.take_out(&pointer),
                };
                if problems.len() - before >= MAX_PROBLEMS || !went_on {
                    return None;
                }
            }
        }
    }
}

/// The value that is being read and which items of its lists are still there.
struct Live {
    value: Value,
    kept: BTreeMap<String, Vec<usize>>,
}

impl Live {
    /// A pointer into the value as it was at first. Items are taken out of outermost lists only.
    fn original(&self, pointer: &str) -> String {
        let Some((list, index, rest)) = outermost_item(&self.value, pointer) else { return pointer.to_owned() };
        let index = self.kept.get(&list).and_then(|kept| kept.get(index)).copied().unwrap_or(index);
        format!("{list}/{index}{rest}")
    }

    /// Takes out what cannot be read: the list item around it.
    fn take_out(&mut self, pointer: &str) -> bool {
        let Some((list, index, _)) = outermost_item(&self.value, pointer) else { return false };
        let Some(items) = self.value.pointer_mut(&list).and_then(Value::as_array_mut) else { return false };
        let count = items.len();
        items.remove(index);
        self.kept.entry(list).or_insert_with(|| (0..count).collect()).remove(index);
        true
    }

    /// Takes out a field that is not known, or reads it as the one that was probably meant, so that this one is not
    /// reported as missing.
    fn correct(&mut self, pointer: &str, known: &[String]) -> bool {
        let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
        let key = key.replace("~1", "/").replace("~0", "~");
        let Some(map) = self.value.pointer_mut(parent).and_then(Value::as_object_mut) else { return false };
        let Some(value) = map.shift_remove(&key) else { return false };
        if let Some(near) = nearest(&key, known.iter().map(String::as_str))
            && !map.contains_key(near)
        {
            map.insert(near.to_owned(), value);
        }
        true
    }
}

/// Splits a pointer at the first list on its way: (list, index, rest).
fn outermost_item(value: &Value, pointer: &str) -> Option<(String, usize, String)> {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut list = String::new();
    for (at, part) in parts.iter().enumerate() {
        if let Some(Value::Array(items)) = value.pointer(&list) {
            let index = part.parse().ok().filter(|index| *index < items.len())?;
            let rest = parts[at + 1..].iter().fold(String::new(), |rest, part| format!("{rest}/{part}"));
            return Some((list, index, rest));
        }
        list = format!("{list}/{part}");
    }
    None
}

fn pointer(path: &Path, value: &Value) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => join(&pointer, &index.to_string()),
        Segment::Map { key } => join(&pointer, key),
        // Written as a map with the variant as its only key, else it is no step in the file.
        Segment::Enum { variant } => {
            let inside = join(&pointer, variant);
            if value.pointer(&inside).is_some() { inside } else { pointer }
        }
        Segment::Unknown => pointer,
    })
}

/// serde's words in ours, with the place and a remedy.
fn explain(file: &str, node: &Node, pointer: &str, message: &str) -> Diagnostic {
    let field = pointer.rsplit('/').next().unwrap_or_default();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let (found, known) = quoted(rest);
        let diagnostic = Diagnostic::new(file, format!("unknown field `{found}`")).at(node.locate_key(pointer));
        return diagnostic.help(suggest(&found, &known, "fields here"));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let (found, known) = quoted(rest);
        let diagnostic = Diagnostic::new(file, format!("`{field}` cannot be `{found}`")).at(node.locate(pointer));
        return diagnostic.help(suggest(&found, &known, "possible"));
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        let (missing, _) = quoted(rest);
        let within = if field.is_empty() { "the file".to_owned() } else { format!("`{}`", whole(pointer)) };
        return Diagnostic::new(file, format!("the field `{missing}` is missing in {within}"))
            .at(node.locate_key(pointer))
            .help(format!("add `{missing}:` here"));
    }
    // A wrong value is a number that does not fit, as in `-2` for a whole number from 0 on.
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let message = wrong.map_or_else(
        || message.to_owned(),
        |rest| match rest.split_once(", expected ") {
            Some((found, expected)) => format!("`{field}` must be {}, not {}", words(expected), words(found)),
            None => message.to_owned(),
        },
    );
    Diagnostic::new(file, message).at(node.locate(pointer))
}

/// A pointer for people: `spec.checkpoints[2].manifest`.
fn whole(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, part| match part.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => part.to_owned(),
        Err(_) => format!("{path}.{part}"),
    })
}

/// serde's names of types, for people who write YAML.
fn words(serde: &str) -> String {
    match serde {
        "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "unit value" | "null" => "nothing".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        text if text.starts_with("struct ") || text == "map" => "a map".to_owned(),
        text => text.replacen("string ", "the text ", 1).replacen("integer ", "the number ", 1),
    }
}

/// The words in backticks: the first and the others.
fn quoted(text: &str) -> (String, Vec<String>) {
    let mut words = text.split('`').skip(1).step_by(2).map(str::to_owned);
    (words.next().unwrap_or_default(), words.collect())
}

fn suggest(found: &str, known: &[String], label: &str) -> String {
    match nearest(found, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "no field is allowed here".to_owned(),
        None => format!("{label}: {}", known.join(", ")),
    }
}
