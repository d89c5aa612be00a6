//! YAML of learners: a span tree over granit-parser, with scalars resolved late, in the dialect of the tool that reads
//! the file (`docs/yaml.md`).

mod limits;
mod locate;
mod parse;
mod resolve;
mod scalar;
mod syntax;
mod template;
mod timestamp;
mod tree;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tree::Tree;
use crate::checkpoint::evidence::Place;
use limits::Budget;
use tree::{Arena, NodeId, Size};

pub use limits::{MAX_DEPTH, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_NODES, MAX_SCALAR_BYTES};

/// Whose reading of scalars counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// As kubectl, Helm and Argo CD read it: `yes` is true, `0644` is 420.
    #[default]
    Kubectl,
    /// As kustomize writes it: `yes` stays a string, `0644` is 420.
    Kustomize,
    /// As YAML 1.2's core schema has it (Backstage, MkDocs): `yes` is a string, `0644` is 644.
    Yaml12,
}

/// The parsed YAML files of a tree, each parsed at most once.
pub struct YamlFiles<'a> {
    files: &'a Tree,
    parsed: RefCell<HashMap<String, Arc<YamlFile>>>,
    budget: Arc<Budget>,
}

impl<'a> YamlFiles<'a> {
    /// Parses nothing yet.
    pub fn new(files: &'a Tree) -> Self {
        Self { files, parsed: RefCell::default(), budget: Arc::default() }
    }

    /// The parsed file, or none when the tree has no such file.
    pub fn get(&self, path: &str) -> Option<Arc<YamlFile>> {
        if let Some(file) = self.parsed.borrow().get(path) {
            return Some(Arc::clone(file));
        }
        let file = Arc::new(parse::parse(self.files.file(path)?, &self.budget));
        self.parsed.borrow_mut().insert(path.to_owned(), Arc::clone(&file));
        Some(file)
    }
}

/// One file: its readable documents and what is wrong with the others.
#[derive(Debug)]
pub struct YamlFile {
    /// In order; empty documents are kept, unreadable ones are left out (their [`Document::index`] is skipped).
    pub documents: Vec<Document>,
    /// Syntax errors, duplicate keys, limits: each with its place.
    pub problems: Vec<Problem>,
}

impl YamlFile {
    /// Parses text that is in no tree. Never fails: what goes wrong is a problem.
    pub fn parse(bytes: &[u8]) -> Self {
        parse::parse(bytes, &Arc::default())
    }
}

/// Something wrong with a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What sort it is.
    pub kind: ProblemKind,
    /// One sentence with the remedy.
    pub message: String,
    /// `file` is left empty.
    pub place: Place,
}

/// What sort of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The document is not YAML, or holds what no tool of Kubernetes reads; it is left out.
    Syntax,
    /// The file is a template of Helm, Jinja or the like, not yet YAML; it has no documents.
    Template,
    /// The file or document is larger, deeper or more entangled than the limits; it is left out.
    Limit,
    /// A key is set twice. The document is readable: kubectl takes the last one.
    DuplicateKey,
    /// One tool reads the scalar otherwise than the other. The document is readable.
    Ambiguous,
}

impl ProblemKind {
    /// Whether the document (or file) with this problem is left out.
    pub fn is_fatal(self) -> bool {
        matches!(self, ProblemKind::Syntax | ProblemKind::Template | ProblemKind::Limit)
    }
}

/// One YAML document.
#[derive(Debug)]
pub struct Document {
    /// Position in the file, from 0; unreadable documents count.
    pub index: usize,
    arena: Arena,
    root: NodeId,
    size: Size,
    /// Line of the document's first node, for places in empty documents.
    line: u32,
    budget: Arc<Budget>,
    /// One per dialect.
    resolved: [OnceLock<Result<Resolved, Problem>>; 3],
}

/// A document as a dialect reads it.
#[derive(Debug)]
struct Resolved {
    whole: Arc<Value>,
    objects: Vec<Object>,
}

impl Resolved {
    fn new(whole: Value) -> Self {
        let whole = Arc::new(whole);
        let is_list = whole.get("kind").and_then(Value::as_str) == Some("List");
        let objects = match whole.get("items") {
            Some(Value::Array(items)) if is_list => items
                .iter()
                .enumerate()
                .map(|(index, item)| Object { at: format!("/items/{index}").into(), value: Arc::new(item.clone()) })
                .collect(),
            _ => vec![Object { at: "".into(), value: Arc::clone(&whole) }],
        };
        Resolved { whole, objects }
    }
}

/// An object of a document: the document itself, or an item of a `kind: List`, which every tool of Kubernetes takes
/// apart.
#[derive(Debug, Clone)]
pub struct Object {
    /// JSON pointer in the document; empty for the document itself.
    pub at: Arc<str>,
    /// Its value; null for an empty document.
    pub value: Arc<Value>,
}

impl Document {
    /// The document as a tool of this dialect reads it (aliases expanded, merge keys merged), within the limits.
    /// Computed once per dialect.
    ///
    /// # Errors
    /// The first thing the tool refuses: `.nan`, a key that is no string (kustomize), a duplicate key (kustomize), …
    pub fn resolve(&self, dialect: Dialect) -> Result<Arc<Value>, Problem> {
        self.resolved(dialect).map(|resolved| Arc::clone(&resolved.whole))
    }

    /// The objects of the document, resolved once per dialect.
    ///
    /// # Errors
    /// As [`Document::resolve`].
    pub fn objects(&self, dialect: Dialect) -> Result<&[Object], Problem> {
        self.resolved(dialect).map(|resolved| resolved.objects.as_slice())
    }

    fn resolved(&self, dialect: Dialect) -> Result<&Resolved, Problem> {
        let resolved =
            self.resolved[dialect as usize].get_or_init(|| resolve::resolve(self, dialect).map(Resolved::new));
        resolved.as_ref().map_err(Clone::clone)
    }

    /// Where the value at this JSON pointer stands, or the key of its nearest existing ancestor. Where the pointer
    /// crosses an alias or a merge key, the place is where the alias is used. `file` is left empty.
    pub fn locate(&self, pointer: &str) -> Place {
        locate::value(self, pointer)
    }

    /// Whether the file has this entry as text, whatever its dialect makes of the keys: when a resolved document lacks it,
    /// a key such as `on` or `y` was read as `true`.
    pub fn is_written(&self, pointer: &str) -> bool {
        locate::is_written(self, pointer)
    }

    /// When a key on the way of this JSON pointer is set twice in its map: the key, and the lines of the first and of the
    /// last time, which counts.
    pub fn set_twice(&self, pointer: &str) -> Option<(String, u32, u32)> {
        locate::set_twice(self, pointer)
    }

    /// Where the key of the entry at this JSON pointer stands; for list items and the root, as [`Document::locate`].
    pub fn locate_key(&self, pointer: &str) -> Place {
        locate::key(self, pointer)
    }
}

/// Learner text for a message: short, on one line.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
