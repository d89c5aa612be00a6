//! The YAML files of a tree: each parsed at most once, its objects resolved at most once per dialect, and what objects are
//! selected by kept as numbers side by side, so that looking through thousands of objects touches none of them.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::limits::Budget;
use super::{Dialect, Document, Problem, YamlFile, parse};
use crate::submission::tree::{Entry, Tree};

/// The parsed YAML files of a tree.
pub struct YamlFiles<'a> {
    /// All regular files, in order of their paths.
    slots: Vec<Slot<'a>>,
    words: RefCell<HashMap<Box<str>, Word>>,
    /// Objects read so far.
    count: Cell<u32>,
    budget: Arc<Budget>,
}

/// A file, parsed or not.
struct Slot<'a> {
    path: &'a str,
    bytes: &'a [u8],
    parsed: OnceCell<YamlFile>,
    /// One per dialect.
    objects: [OnceCell<Objects>; 3],
}

/// A text that objects are told apart by, as a number: equal texts have equal numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Word(u32);

impl Word {
    /// Where there is no text.
    pub const NONE: Word = Word(0);
}

/// What most selections ask of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Identity {
    /// `apiVersion`.
    pub api_version: Word,
    /// `kind`.
    pub kind: Word,
    /// `metadata.name`.
    pub name: Word,
    /// `metadata.namespace`.
    pub namespace: Word,
}

/// An object of a file. Empty documents are none.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its place among all that were read, from 0.
    pub number: u32,
    /// What it is selected by.
    pub identity: Identity,
    /// Index into [`YamlFile::documents`].
    pub document: u32,
    /// Its position in `items`, for an item of a `kind: List`; else it is the document itself.
    pub item: Option<u32>,
    /// Its value; never null.
    pub value: Arc<Value>,
}

/// A file's objects as one dialect reads them.
#[derive(Debug, Default)]
pub struct Objects {
    /// In order.
    pub objects: Vec<Object>,
    /// Documents that a tool of this dialect refuses.
    pub refused: Vec<Problem>,
}

/// One of the files.
#[derive(Clone, Copy)]
pub struct File<'f> {
    files: &'f YamlFiles<'f>,
    slot: &'f Slot<'f>,
}

impl<'a> YamlFiles<'a> {
    /// Parses nothing yet.
    pub fn new(files: &'a Tree) -> Self {
        let slot = |(path, entry): (&'a str, &'a Entry)| match entry {
            Entry::File { bytes, .. } => {
                Some(Slot { path, bytes, parsed: OnceCell::new(), objects: Default::default() })
            }
            Entry::Symlink(_) | Entry::Submodule => None,
        };
        let slots = files.iter().filter_map(slot).collect();
        Self { slots, words: RefCell::default(), count: Cell::default(), budget: Arc::default() }
    }

    /// The file at this path, or none when the tree has no such file.
    pub fn get(&self, path: &str) -> Option<File<'_>> {
        let index = self.slots.binary_search_by(|slot| slot.path.cmp(path)).ok()?;
        Some(File { files: self, slot: &self.slots[index] })
    }

    /// Every `*.yaml` and `*.yml` in order of their paths.
    pub fn all(&self) -> impl Iterator<Item = File<'_>> {
        self.slots.iter().map(|slot| File { files: self, slot }).filter(|file| file.is_named_yaml())
    }

    /// The number of a text; none when no object asked for so far has it.
    pub fn word(&self, text: &str) -> Option<Word> {
        self.words.borrow().get(text).copied()
    }

    fn intern(&self, text: Option<&Value>) -> Word {
        let Some(text) = text.and_then(Value::as_str) else { return Word::NONE };
        let mut words = self.words.borrow_mut();
        if let Some(word) = words.get(text) {
            return *word;
        }
        let next = u32::try_from(words.len() + 1).expect("a submission has fewer bytes than this has numbers");
        words.insert(text.into(), Word(next));
        Word(next)
    }

    fn identity(&self, value: &Value) -> Identity {
        let metadata = value.get("metadata");
        let of_metadata = |field| self.intern(metadata.and_then(|metadata| metadata.get(field)));
        Identity {
            api_version: self.intern(value.get("apiVersion")),
            kind: self.intern(value.get("kind")),
            name: of_metadata("name"),
            namespace: of_metadata("namespace"),
        }
    }
}

impl<'f> File<'f> {
    /// Its path.
    pub fn path(self) -> &'f str {
        self.slot.path
    }

    /// Its size in bytes.
    pub fn size(self) -> usize {
        self.slot.bytes.len()
    }

    /// Whether its name is that of a YAML file.
    pub fn is_named_yaml(self) -> bool {
        self.slot.path.ends_with(".yaml") || self.slot.path.ends_with(".yml")
    }

    /// The parsed file.
    pub fn yaml(self) -> &'f YamlFile {
        self.slot.parsed.get_or_init(|| parse::parse(self.slot.bytes, &self.files.budget))
    }

    /// Its objects as a tool of this dialect reads them.
    pub fn objects(self, dialect: Dialect) -> &'f Objects {
        self.slot.objects[dialect as usize].get_or_init(|| {
            let mut all = Objects::default();
            for (index, document) in (0_u32..).zip(&self.yaml().documents) {
                match document.resolve(dialect) {
                    Ok(value) => self.add(&mut all.objects, index, &value),
                    Err(problem) => all.refused.push(problem),
                }
            }
            all
        })
    }

    /// The document itself, or the items of a `kind: List`, which every tool of Kubernetes takes apart.
    fn add(self, objects: &mut Vec<Object>, document: u32, whole: &Arc<Value>) {
        let mut push = |item, value: Arc<Value>| {
            if !value.is_null() {
                let number = self.files.count.get();
                self.files.count.set(number.saturating_add(1));
                objects.push(Object { number, identity: self.files.identity(&value), document, item, value });
            }
        };
        let is_list = whole.get("kind").and_then(Value::as_str) == Some("List");
        match whole.get("items") {
            Some(Value::Array(items)) if is_list => {
                (0..).zip(items).for_each(|(index, item)| push(Some(index), Arc::new(item.clone())));
            }
            _ => push(None, Arc::clone(whole)),
        }
    }

    /// The document that an object of this file is in.
    pub fn document(self, object: &Object) -> Option<&'f Document> {
        self.yaml().documents.get(object.document as usize)
    }
}

impl Object {
    /// Its JSON pointer in its document: empty for the document itself.
    pub fn pointer(&self) -> String {
        self.item.map(|index| format!("/items/{index}")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        files.iter().for_each(|(path, text)| tree.insert_file(*path, text.as_bytes()));
        tree
    }

    #[test]
    fn a_file_is_parsed_and_resolved_once() {
        let tree = tree(&[("a.yaml", "a: 1\n")]);
        let files = YamlFiles::new(&tree);
        let (first, second) = (files.get("a.yaml").unwrap(), files.get("a.yaml").unwrap());
        assert!(std::ptr::eq(first.yaml(), second.yaml()));
        let value = |file: File<'_>| Arc::clone(&file.objects(Dialect::Kubectl).objects[0].value);
        assert!(Arc::ptr_eq(&value(first), &value(second)));
        assert!(Arc::ptr_eq(&value(first), &first.yaml().documents[0].resolve(Dialect::Kubectl).unwrap()));
        assert!(files.get("b.yaml").is_none());
    }

    #[test]
    fn only_what_is_named_so_is_yaml_and_anything_can_be_asked_for() {
        let mut tree = tree(&[("b.yml", "b: 1\n"), ("a/x.yaml", "a: 1\n"), ("c.json", "{\"c\": 1}\n")]);
        tree.insert("link.yaml", Entry::Symlink("b.yml".to_owned()));
        let files = YamlFiles::new(&tree);
        assert_eq!(files.all().map(File::path).collect::<Vec<_>>(), ["a/x.yaml", "b.yml"]);
        assert_eq!(files.get("c.json").unwrap().objects(Dialect::Kubectl).objects.len(), 1);
        assert!(files.get("link.yaml").is_none());
    }

    #[test]
    fn objects_are_told_apart_by_what_they_say_they_are() {
        let text = "kind: A\nmetadata: {name: x}\n---\nkind: B\nmetadata: {name: x}\n---\n---\nkind: 3\n---\nkind: List\nitems: [{kind: A}, null]\n";
        let tree = tree(&[("a.yaml", text)]);
        let files = YamlFiles::new(&tree);
        assert_eq!(files.word("A"), None, "nothing was looked at yet");
        let objects = &files.get("a.yaml").unwrap().objects(Dialect::Kubectl).objects;
        let kinds: Vec<_> = objects.iter().map(|object| (object.document, object.item, object.identity.kind)).collect();
        let (a, b) = (files.word("A").unwrap(), files.word("B").unwrap());
        assert_eq!(kinds, [(0, None, a), (1, None, b), (3, None, Word::NONE), (4, Some(0), a)]);
        assert!(a != b && a != Word::NONE);
        assert_eq!(objects[0].identity.name, objects[1].identity.name);
        assert_eq!(objects[3].pointer(), "/items/0");
    }
}
