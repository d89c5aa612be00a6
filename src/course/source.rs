//! The YAML that authors write, with the place of every key and value.
//!
//! Learner files go through `submission::yaml`, which reads scalars as some tool does. Here the reader is Gradus itself,
//! so a scalar that tools read differently (`yes`, `0644`, `1_000`) is refused instead of interpreted, and byte ranges
//! are kept because the edits of mutants change the text and not the data.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use serde_json::{Number, Value};

use super::diagnostic::Spot;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;
/// Most nodes of one document with all aliases expanded.
const MAX_NODES: usize = 1_000_000;

/// One YAML file of an author.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// One root per document, in order.
    pub documents: Vec<Node>,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub content: Content,
    /// Its bytes in the file; of a block collection up to the end of its last value.
    pub bytes: Range<usize>,
    /// Its first line, for people.
    pub spot: Spot,
    /// Reached through an alias: its bytes are those of the anchor.
    pub aliased: bool,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A scalar and how it reads.
    Scalar(Value),
    /// A list.
    List(Vec<Node>, Style),
    /// A map in order of the file; keys are scalars.
    Map(Vec<(Key, Node)>, Style),
}

/// A key with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// As text.
    pub text: String,
    /// Its bytes in the file.
    pub bytes: Range<usize>,
    /// Where it stands.
    pub spot: Spot,
}

/// How a collection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With indentation.
    Block,
    /// With brackets.
    Flow,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceError {
    /// Where.
    pub spot: Spot,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// How strictly scalars are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalars {
    /// Refuse scalars that tools read differently.
    Unambiguous,
    /// Read them as YAML 1.2 does: only the places matter (files that mutants edit).
    Any,
}

impl Source {
    /// Reads a file.
    pub fn parse(text: &str, scalars: Scalars) -> Result<Source, SourceError> {
        let mut reader =
            Reader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), nodes: 0, scalars, text };
        let mut documents = Vec::new();
        while let Some((event, span)) = reader.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event => documents.push(reader.node(event, span, 0)?),
            }
        }
        Ok(Source { documents })
    }
}

impl Node {
    /// As data.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items, _) => Value::Array(items.iter().map(Node::to_value).collect()),
            Content::Map(entries, _) => {
                Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), node.to_value())).collect())
            }
        }
    }

    /// The child at one segment of a JSON pointer, with its key in a map.
    pub fn child(&self, segment: &str) -> Option<(Option<&Key>, &Node)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::List(items, _) => Some((None, items.get(segment.parse::<usize>().ok()?)?)),
            Content::Map(entries, _) => {
                entries.iter().find(|(key, _)| key.text == segment).map(|(key, node)| (Some(key), node))
            }
        }
    }

    /// Where the key at this JSON pointer stands, else the value, else the nearest ancestor that exists.
    pub fn locate_key(&self, pointer: &str) -> Spot {
        let (key, node) = self.nearest(pointer);
        key.map_or(node.spot, |key| key.spot)
    }

    /// Where the value at this JSON pointer stands, else the key of the nearest ancestor that exists.
    pub fn locate(&self, pointer: &str) -> Spot {
        let (key, node) = self.nearest(pointer);
        match (&node.content, key) {
            (Content::Scalar(value), Some(key)) if value.is_null() => key.spot,
            (Content::Map(_, Style::Block) | Content::List(_, Style::Block), Some(key)) => key.spot,
            _ => node.spot,
        }
    }

    fn nearest(&self, pointer: &str) -> (Option<&Key>, &Node) {
        let mut found = (None, self);
        for segment in segments(pointer) {
            match found.1.child(&segment) {
                Some(next) => found = next,
                None => break,
            }
        }
        found
    }
}

/// The segments of a JSON pointer, unescaped.
pub fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// A pointer to a child.
pub fn join(pointer: &str, segment: &str) -> String {
    format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"))
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    scalars: Scalars,
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, SourceError> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(error)) => {
                    let at = Spot::point(error.marker().line(), error.marker().col());
                    let line = self.text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
                    let help = line.contains("${").then(|| "put text that holds `${name}` in quotes".to_owned());
                    return Err(refuse(at, format!("not YAML: {}", error.info()), help));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, SourceError> {
        self.count(1, &span)?;
        if depth > MAX_DEPTH {
            return Err(refuse(spot(&span), format!("nested deeper than {MAX_DEPTH} levels"), None));
        }
        let (anchor, mut node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| tag.core_suffix().unwrap_or("!").to_owned());
                let value = self.scalar(&text, style, tag.as_deref(), &span)?;
                (anchor, self.leaf(Content::Scalar(value), &span))
            }
            Event::SequenceStart(style, anchor, _) => (anchor, self.list(style, &span, depth)?),
            Event::MappingStart(style, anchor, _) => (anchor, self.map(style, &span, depth)?),
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id).cloned() else {
                    return Err(refuse(spot(&span), "an alias inside its own anchor", None));
                };
                self.count(size(&target), &span)?;
                return Ok(Node { aliased: true, spot: spot(&span), ..target });
            }
            _ => return Err(refuse(spot(&span), "not YAML that is understood here", None)),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node.bytes.end = node.bytes.end.max(node.bytes.start);
        Ok(node)
    }

    fn leaf(&self, content: Content, span: &Span) -> Node {
        let mut bytes = span.byte_range().unwrap_or(0..0);
        // A block scalar's range reaches to the start of the next line: end it at its last character.
        let held = self.text.get(bytes.clone()).unwrap_or_default();
        bytes.end -= held.len() - held.trim_end_matches(['\n', '\r', ' ']).len();
        Node { content, bytes, spot: spot(span), aliased: false }
    }

    fn list(&mut self, style: StructureStyle, start: &Span, depth: usize) -> Result<Node, SourceError> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                return Ok(collection(Content::List(items, written(style)), start, &span));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Err(refuse(spot(start), "this list does not end", None))
    }

    fn map(&mut self, style: StructureStyle, start: &Span, depth: usize) -> Result<Node, SourceError> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        while let Some((event, span)) = self.next()? {
            let text = match event {
                Event::MappingEnd => return Ok(collection(Content::Map(entries, written(style)), start, &span)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(refuse(spot(&span), "a key must be plain text", None)),
            };
            let key = Key { text, bytes: span.byte_range().unwrap_or(0..0), spot: spot(&span) };
            if let Some((earlier, _)) = entries.iter().find(|(earlier, _)| earlier.text == key.text) {
                let message = format!("the key `{}` was given on line {} already", key.text, earlier.spot.line);
                return Err(refuse(key.spot, message, Some("remove one of the two".to_owned())));
            }
            if key.text == "<<" && self.scalars == Scalars::Unambiguous {
                let help = "repeat the fields, or alias a whole value".to_owned();
                return Err(refuse(key.spot, "merge keys are not read here", Some(help)));
            }
            let Some((event, span)) = self.next()? else { break };
            let node = self.node(event, span, depth + 1)?;
            entries.push((key, node));
        }
        Err(refuse(spot(start), "this map does not end", None))
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), SourceError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(refuse(spot(span), format!("more than {MAX_NODES} values with all aliases expanded"), None));
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&str>, span: &Span) -> Result<Value, SourceError> {
        match tag {
            Some("str") => return Ok(text.into()),
            Some(_) if self.scalars == Scalars::Unambiguous => {
                return Err(refuse(spot(span), "tags are not read here", Some("write the value plainly".to_owned())));
            }
            _ => {}
        }
        if style != ScalarStyle::Plain {
            return Ok(text.into());
        }
        if self.scalars == Scalars::Unambiguous && is_ambiguous(text) {
            let message = format!("`{text}` means different things to different YAML readers");
            let help = format!("write \"{text}\" for the text, else `true`, `false` or a decimal number");
            return Err(refuse(spot(span), message, Some(help)));
        }
        Ok(plain(text))
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(_) => 0,
        Content::List(items, _) => items.iter().map(size).sum(),
        Content::Map(entries, _) => entries.iter().map(|(_, node)| size(node)).sum(),
    }
}

fn collection(content: Content, start: &Span, end: &Span) -> Node {
    let from = start.byte_range().unwrap_or(0..0).start;
    let last = match &content {
        Content::List(items, Style::Block) => items.last().map(end_of),
        Content::Map(entries, Style::Block) => entries.last().map(|(key, node)| end_of(node).max(key.bytes.end)),
        _ => None,
    };
    let to = last.unwrap_or_else(|| end.byte_range().unwrap_or(0..0).end);
    Node { content, bytes: from..to.max(from), spot: spot(start), aliased: false }
}

/// An alias' own bytes are not kept, so its parent ends where the scan of the line ends; see `edit`, which checks.
fn end_of(node: &Node) -> usize {
    if node.aliased { 0 } else { node.bytes.end }
}

fn written(style: StructureStyle) -> Style {
    match style {
        StructureStyle::Block => Style::Block,
        StructureStyle::Flow => Style::Flow,
    }
}

fn spot(span: &Span) -> Spot {
    let (line, column) = (span.start.line(), span.start.col());
    let end = if span.end.line() == line && span.end.col() > column { span.end.col() } else { column + 1 };
    Spot::line(line, column, end)
}

fn refuse(spot: Spot, message: impl Into<String>, help: Option<String>) -> SourceError {
    SourceError { spot, message: message.into(), help }
}

/// Whether YAML 1.1 and 1.2 readers disagree about a plain scalar.
pub fn is_ambiguous(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let word = matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off");
    let zero =
        digits.len() > 1 && digits.starts_with('0') && digits[1..].bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let based = ["0x", "0o", "0b", "0X", "0O", "0B"].iter().any(|prefix| digits.starts_with(prefix));
    let grouped = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.contains('_')
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.'));
    word || zero || based || grouped
}

/// A plain scalar as YAML 1.2's core schema reads it.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.strip_prefix('+').unwrap_or(text).parse::<i64>() {
        return number.into();
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let float = if numeric { text.parse::<f64>().ok().and_then(Number::from_f64) } else { None };
    float.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// A value in one line that YAML reads back as the same value; words stay plain.
pub fn inline(value: &Value) -> String {
    match value {
        Value::String(text) if is_word(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                format!(
                    "{}: {}",
                    if is_word(key) { key.clone() } else { Value::from(key.as_str()).to_string() },
                    inline(value)
                )
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Text that reads as itself without quotes, anywhere and by everybody.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
        && !is_ambiguous(text)
        && plain(text).is_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, SourceError> {
        Source::parse(text, Scalars::Unambiguous).map(|source| source.documents[0].to_value())
    }

    #[test]
    fn scalars_read_as_yaml_1_2_and_what_is_unclear_is_refused() {
        let text = "{a: 1, b: -2.5, c: true, d: ~, e: x y, f: '1', g: 1.2.3, h: 2026-01-01, i: 1Gi, j: +3, k: 1e3}";
        let expected = json!({"a": 1, "b": -2.5, "c": true, "d": null, "e": "x y", "f": "1", "g": "1.2.3",
            "h": "2026-01-01", "i": "1Gi", "j": 3, "k": 1000.0});
        assert_eq!(read(text).expect("YAML"), expected);
        for unclear in ["yes", "NO", "on", "y", "0644", "08", "1_000", "0x1f", "0o17"] {
            assert!(read(&format!("a: {unclear}")).is_err(), "{unclear}");
            assert_eq!(read(&format!("a: '{unclear}'")).expect("YAML"), json!({"a": unclear}));
        }
    }

    #[test]
    fn what_would_be_lost_in_reading_is_refused() {
        for text in ["a: 1\na: 2\n", "<<: {a: 1}\n", "a: !x 1\n", "? [a]\n: 1\n", "a: [\n", "a:\n\tb: 1\n", "a: *x\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, before) in "bcdefgh".chars().zip("abcdefg".chars()) {
            bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", "));
        }
        assert!(read(&bomb).is_err());
        assert!(read(&format!("{}1{}", "[".repeat(500), "]".repeat(500))).is_err());
    }

    #[test]
    fn places_are_those_of_keys_and_values() {
        let source = Source::parse("a:\n  - b: é\n    c: x\n", Scalars::Unambiguous).expect("YAML");
        let root = &source.documents[0];
        let spot = |spot: Spot| (spot.line, spot.column, spot.end);
        assert_eq!(spot(root.locate("/a/0/c")), (3, 8, 9));
        assert_eq!(spot(root.locate_key("/a/0/c")), (3, 5, 6));
        assert_eq!(spot(root.locate("/a/0/none")), (2, 5, 6));
        assert_eq!(spot(root.locate("/a")), (1, 1, 2));
        assert_eq!(spot(root.locate("")), (1, 1, 2));
    }

    #[test]
    fn a_line_reads_back_as_the_same_value() {
        for value in [
            json!("a"),
            json!("yes"),
            json!("null"),
            json!("a: b"),
            json!({"a b": [1, "x", {}]}),
            json!("*"),
            json!("é\n"),
            json!(null),
            json!(""),
        ] {
            let text = format!("k: {}\n", inline(&value));
            assert_eq!(Source::parse(&text, Scalars::Any).expect("YAML").documents[0].to_value(), json!({"k": value}));
        }
    }
}
