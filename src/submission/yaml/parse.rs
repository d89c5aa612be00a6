//! From bytes to span trees. Errors cost the document they are in, not the ones after it.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, StrInput};

use super::limits::{Budget, MAX_DEPTH, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_NODES, MAX_PROBLEMS, MAX_SCALAR_BYTES};
use super::tree::{Arena, Entry, NodeId, Size, Span, Style, View};
use super::{Document, Problem, ProblemKind, YamlFile, excerpt, syntax, template};
use crate::checkpoint::evidence::Place;

/// Parses a file. What goes wrong is a problem of the file.
pub(super) fn parse(bytes: &[u8], budget: &Arc<Budget>) -> YamlFile {
    let text = match syntax::text(bytes) {
        Ok(text) => text,
        Err(problem) => return YamlFile { documents: Vec::new(), problems: vec![problem] },
    };
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!(
            "the file has {} MB, at most {} MB are read: split it",
            bytes.len().div_ceil(1024 * 1024),
            MAX_FILE_BYTES / 1024 / 1024
        );
        let problem = Problem { kind: ProblemKind::Limit, message, place: syntax::top() };
        return YamlFile { documents: Vec::new(), problems: vec![problem] };
    }
    Reader::new(text, budget).read()
}

/// A problem at the start of `span`.
fn problem(kind: ProblemKind, span: Span, message: impl Into<String>) -> Problem {
    Problem { kind, message: message.into(), place: place(span) }
}

/// A place without file and pointer.
pub(super) fn place(span: Span) -> Place {
    Place {
        file: None,
        line: Some(span.line),
        column: Some(span.column),
        end_line: Some(span.end_line),
        end_column: Some(span.end_column),
        pointer: None,
    }
}

/// What is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    List,
    Map,
}

/// A list or map that is still open.
struct Open {
    shape: Shape,
    /// Where its children begin in `Reader::children`: items, or keys and values in turn.
    children: usize,
    span: Span,
    size: Size,
    flow: bool,
    anchor: usize,
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    template: template::Suspects,
    file: YamlFile,
    budget: &'t Arc<Budget>,
    /// Documents met so far, unreadable ones included.
    index: usize,
    /// Sizes of the documents so far: written, and with aliases followed.
    written: u64,
    expanded: Size,

    // Of the document being read:
    arena: Arena,
    open: Vec<Open>,
    /// Finished children of all that is open, the innermost last.
    children: Vec<NodeId>,
    root: Option<(NodeId, Size)>,
    anchors: HashMap<usize, (NodeId, Size)>,
    line: u32,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, budget: &'t Arc<Budget>) -> Self {
        let depth = MAX_DEPTH as usize;
        let options = granit_parser::options! {
            emit_comments: false,
            emit_unresolved_aliases: true,
            // One more than ours, so that ours speaks first.
            flow_nesting_limit: depth + 1,
            block_nesting_limit: depth + 1,
        };
        Reader {
            text,
            parser: Parser::new_from_str_with_options(text, options),
            template: template::Suspects::new(text),
            file: YamlFile { documents: Vec::new(), problems: Vec::new() },
            budget,
            index: 0,
            written: 0,
            expanded: Size::default(),
            arena: Arena::default(),
            open: Vec::new(),
            children: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            line: 1,
        }
    }

    fn read(mut self) -> YamlFile {
        while let Some(next) = self.parser.next_event() {
            let stepped = match next {
                Ok((event, span)) => self.step(event, self.span(span)),
                Err(error) => Err(syntax::problem(&error)),
            };
            let Err(problem) = stepped else { continue };
            if let Some(template) = self.template.explains(&problem.place) {
                // A template is no YAML anywhere: what was read of it so far was read by accident.
                return YamlFile { documents: Vec::new(), problems: vec![template] };
            }
            if let Some(unmerged) = syntax::unmerged(self.text) {
                return YamlFile { documents: Vec::new(), problems: vec![unmerged] };
            }
            self.file.problems.push(problem);
            self.forget_document();
            if self.index >= MAX_DOCUMENTS || self.file.problems.len() >= MAX_PROBLEMS {
                break;
            }
            match self.parser.proceed_next_document() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.file.problems.push(syntax::problem(&error));
                    break;
                }
            }
        }
        self.file
    }

    fn step(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(..) => {
                if self.index >= MAX_DOCUMENTS {
                    let message = format!("the file has more than {MAX_DOCUMENTS} documents: split it");
                    return Err(problem(ProblemKind::Limit, span, message));
                }
                self.line = span.line;
                Ok(())
            }
            Event::DocumentEnd => self.end_document(span),
            Event::Scalar(text, style, anchor, tag) => {
                let empty = style == ScalarStyle::Plain && (span.line, span.column) == (span.end_line, span.end_column);
                let text: &str = if empty { "" } else { &text };
                self.template.read_past(span);
                if self.written + self.arena.len() as u64 >= MAX_NODES {
                    return Err(problem(ProblemKind::Limit, span, too_many_nodes()));
                }
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                let (id, size) =
                    (self.arena.scalar(text, style, syntax::tag(tag.as_deref()), span), Size::scalar(text));
                if anchor != 0 {
                    self.anchors.insert(anchor, (id, size));
                }
                self.place_node(id, size, span)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.start(Shape::List, style == granit_parser::StructureStyle::Flow, anchor, span)
            }
            Event::MappingStart(style, anchor, _) => {
                self.start(Shape::Map, style == granit_parser::StructureStyle::Flow, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let Some(&(target, size)) = self.anchors.get(&anchor) else {
                    let message = "the alias stands inside its own anchor, which never ends: write the value out";
                    return Err(problem(ProblemKind::Syntax, span, message));
                };
                if self.written + self.arena.len() as u64 >= MAX_NODES {
                    return Err(problem(ProblemKind::Limit, span, too_many_nodes()));
                }
                let id = self.arena.alias(target, span);
                self.place_node(id, size, span)
            }
            Event::UnresolvedAlias(name) => {
                let name = excerpt(&name);
                let message = format!(
                    "`*{name}` has no anchor `&{name}` above it in this document: add the anchor, or quote the value if it only starts with `*`"
                );
                Err(problem(ProblemKind::Syntax, span, message))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, shape: Shape, flow: bool, anchor: usize, span: Span) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH as usize {
            return Err(problem(ProblemKind::Limit, span, too_deep()));
        }
        if self.open.last().is_some_and(|open| self.awaits_key(open)) {
            let message =
                "a key must be a single word or text, not a list or map: quote it if it starts with `{` or `[`";
            return Err(problem(ProblemKind::Syntax, span, message));
        }
        let size = Size { nodes: 1, bytes: 0, depth: 1 };
        self.open.push(Open { shape, children: self.children.len(), span, size, flow, anchor });
        Ok(())
    }

    fn awaits_key(&self, open: &Open) -> bool {
        open.shape == Shape::Map && (self.children.len() - open.children).is_multiple_of(2)
    }

    fn end(&mut self, end: Span) -> Result<(), Problem> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        // A block ends where its last child does; the parser says where the next token starts.
        if open.flow {
            (open.span.end_line, open.span.end_column) = (end.end_line, end.end_column);
        }
        let (span, size) = (open.span, open.size);
        if size.depth > MAX_DEPTH {
            return Err(problem(ProblemKind::Limit, span, too_deep()));
        }
        let children = &self.children[open.children..];
        let id = match open.shape {
            Shape::List => self.arena.list(children, span),
            Shape::Map => self.arena.map(children, span),
        };
        self.children.truncate(open.children);
        if open.anchor != 0 {
            self.anchors.insert(open.anchor, (id, size));
        }
        self.place_node(id, size, span)
    }

    /// Puts a finished node where it belongs.
    fn place_node(&mut self, id: NodeId, size: Size, span: Span) -> Result<(), Problem> {
        let is_key = self.open.last().is_some_and(|open| self.awaits_key(open));
        let Some(open) = self.open.last_mut() else {
            self.root = Some((id, size));
            return Ok(());
        };
        open.size.add(size);
        if !open.flow {
            (open.span.end_line, open.span.end_column) = (span.end_line, span.end_column);
        }
        if is_key && self.arena.text(id).is_none() {
            let message =
                "a key must be a single word or text, and this alias stands for a list or map: write the key out";
            return Err(problem(ProblemKind::Syntax, span, message));
        }
        self.children.push(id);
        Ok(())
    }

    fn end_document(&mut self, span: Span) -> Result<(), Problem> {
        let (root, size) = match self.root.take() {
            Some(root) => root,
            None => (self.arena.list(&[], span), Size::default()),
        };
        let expanded = Size {
            nodes: self.expanded.nodes.saturating_add(size.nodes),
            bytes: self.expanded.bytes.saturating_add(size.bytes),
            depth: size.depth,
        };
        let written = Size { nodes: self.arena.len() as u64, bytes: self.arena.bytes() as u64, depth: 0 };
        let here = Span { line: self.line, column: 1, end_line: self.line, end_column: 1 };
        if expanded.nodes > MAX_NODES {
            return Err(problem(ProblemKind::Limit, here, too_many_nodes()));
        }
        if expanded.bytes > MAX_SCALAR_BYTES {
            let message = format!(
                "with its aliases written out the file holds more than {} MB of text: write values out instead of using aliases for long texts",
                MAX_SCALAR_BYTES / 1024 / 1024
            );
            return Err(problem(ProblemKind::Limit, here, message));
        }
        self.expanded = expanded;
        self.written += written.nodes;
        let document = Document {
            index: self.index,
            // Copied to its size; what was reserved serves the next one.
            arena: self.arena.clone(),
            root,
            size: written,
            expanded: size,
            line: self.line,
            budget: Arc::clone(self.budget),
            resolved: Default::default(),
        };
        self.note_duplicates(&document);
        self.file.documents.push(document);
        self.forget_document();
        Ok(())
    }

    /// Clears what belongs to the current document and goes on to the next number.
    fn forget_document(&mut self) {
        self.index += 1;
        self.arena.clear();
        self.open.clear();
        self.children.clear();
        self.root = None;
        self.anchors.clear();
    }

    fn note_duplicates(&mut self, document: &Document) {
        for id in document.arena.ids() {
            let View::Map(entries) = document.arena.view(id) else { continue };
            if all_differ(&document.arena, entries) {
                continue;
            }
            let mut seen: HashMap<&str, u32> = HashMap::with_capacity(entries.len());
            for [key, _] in entries {
                let Some(text) = document.arena.text(*key) else { continue };
                let span = document.arena.span(*key);
                let Some(first) = seen.insert(text, span.line) else { continue };
                if document.arena.is_merge(*key) || self.file.problems.len() >= MAX_PROBLEMS {
                    continue;
                }
                let message = format!(
                    "the key `{}` is set twice, in line {first} and in line {}: keep one; kubectl silently takes the \
                     last, kustomize refuses the file",
                    excerpt(text),
                    span.line
                );
                self.file.problems.push(problem(ProblemKind::DuplicateKey, span, message));
            }
        }
    }

    /// The span in lines and columns from 1. The end of a block scalar is the end of its text, not the start of what
    /// comes next.
    fn span(&self, span: granit_parser::Span) -> Span {
        let start = span.start;
        let mut end = position(span.end);
        if span.end.col() == 0
            && span.end.line() > start.line()
            && let Some(text) = span.slice(self.text)
        {
            let text = text.trim_end();
            let last = text.rsplit('\n').next().unwrap_or(text);
            let breaks = text.bytes().filter(|b| *b == b'\n').count();
            let before = if breaks == 0 { start.col() } else { 0 };
            end = ((start.line() + breaks) as u32, (before + last.chars().count()) as u32 + 1);
        }
        let (line, column) = position(start);
        Span { line, column, end_line: end.0, end_column: end.1 }
    }
}

/// Whether no key is there twice, where that is told without a table: most maps have a few keys.
fn all_differ(arena: &Arena, entries: &[Entry]) -> bool {
    const FEW: usize = 8;
    let text = |entry: &Entry| arena.text(entry[0]);
    entries.len() <= FEW
        && entries.iter().enumerate().all(|(n, entry)| entries[..n].iter().all(|before| text(before) != text(entry)))
}

fn position(marker: Marker) -> (u32, u32) {
    (marker.line() as u32, marker.col() as u32 + 1)
}

fn too_deep() -> String {
    format!("lists and maps are nested more than {MAX_DEPTH} deep here: flatten them")
}

fn too_many_nodes() -> String {
    format!("the file holds more than {MAX_NODES} values (aliases written out): split it, and use fewer aliases")
}
