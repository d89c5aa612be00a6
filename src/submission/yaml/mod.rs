//! YAML of learners: a span tree over granit-parser, with scalars resolved late, in the dialect of the tool that reads
//! the file (`docs/yaml.md`).

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tree::Tree;
use crate::checkpoint::evidence::Place;

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
}

impl<'a> YamlFiles<'a> {
    /// Parses nothing yet.
    pub fn new(files: &'a Tree) -> Self {
        Self { files }
    }

    /// The parsed file, or none when the tree has no such file.
    pub fn get(&self, path: &str) -> Option<Arc<YamlFile>> {
        self.files.file(path).map(|_| Arc::new(YamlFile { documents: Vec::new(), problems: Vec::new() }))
    }
}

/// One file: its readable documents and what is wrong with the others.
#[derive(Debug)]
pub struct YamlFile {
    /// In order; empty documents are kept.
    pub documents: Vec<Document>,
    /// Syntax errors, duplicate keys, limits: each with its place.
    pub problems: Vec<Problem>,
}

/// Something wrong with a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// One sentence with the remedy.
    pub message: String,
    /// `file` is left empty.
    pub place: Place,
}

/// One YAML document.
#[derive(Debug)]
pub struct Document {
    /// Position in the file, from 0.
    pub index: usize,
}

impl Document {
    /// The document as a tool of this dialect reads it (aliases expanded, merge keys merged), within the limits.
    pub fn resolve(&self, _dialect: Dialect) -> Result<Arc<Value>, Problem> {
        Ok(Arc::new(Value::Null))
    }

    /// Where the value at this JSON pointer stands, or where its nearest existing ancestor does. `file` is left empty.
    pub fn locate(&self, _pointer: &str) -> Place {
        Place::default()
    }
}
