//! An immutable tree of files in memory: what a commit, a working tree or a course directory holds.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A file tree. Keys are paths with `/` between segments, without a leading slash, `.` or `..`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

/// What a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its bytes, shared: cloning a tree copies no content.
        bytes: Arc<[u8]>,
        /// Git's executable bit.
        executable: bool,
    },
    /// A symbolic link and its target; never followed.
    Symlink(String),
    /// A submodule; never fetched.
    Submodule,
}

impl Tree {
    /// Puts an entry in place of what was at `path`.
    pub fn insert(&mut self, path: impl Into<String>, entry: Entry) {
        self.entries.insert(path.into(), entry);
    }

    /// Puts a regular file in place of what was at `path`.
    pub fn insert_file(&mut self, path: impl Into<String>, bytes: impl Into<Arc<[u8]>>) {
        self.insert(path, Entry::File { bytes: bytes.into(), executable: false });
    }

    /// Takes an entry out.
    pub fn remove(&mut self, path: &str) -> Option<Entry> {
        self.entries.remove(path)
    }

    /// The entry at exactly this path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The bytes of the regular file at exactly this path.
    pub fn file(&self, path: &str) -> Option<&Arc<[u8]>> {
        match self.entries.get(path)? {
            Entry::File { bytes, .. } => Some(bytes),
            Entry::Symlink(_) | Entry::Submodule => None,
        }
    }

    /// All entries in order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// All paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The tree below the directory `dir` (no trailing slash), its paths relative to it.
    pub fn below(&self, dir: &str) -> Tree {
        let prefix = format!("{dir}/");
        let entries = self
            .entries
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, entry)| (path[prefix.len()..].to_owned(), entry.clone()))
            .collect();
        Tree { entries }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<(String, Entry)> for Tree {
    fn from_iter<I: IntoIterator<Item = (String, Entry)>>(entries: I) -> Self {
        Tree { entries: entries.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_keeps_only_that_directory_and_shortens_paths() {
        let mut tree = Tree::default();
        tree.insert_file("tasks/a/x.yaml", *b"1");
        tree.insert_file("tasks/ab/x.yaml", *b"2");
        tree.insert_file("tasks/a/sub/y.yaml", *b"3");
        assert_eq!(tree.below("tasks/a").paths().collect::<Vec<_>>(), ["sub/y.yaml", "x.yaml"]);
        assert!(tree.below("tasks/b").is_empty());
    }
}
