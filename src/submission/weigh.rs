//! How much a Git tree unfolds to, without unfolding it: forty small objects can stand for a billion files.

use std::collections::HashMap;

use git2::{ObjectType, Oid, Repository};

use super::limits::MAX_FILES;
use super::read::{MAX_TREE_BYTES, Mode, ReadError};

/// Deepest tree that is weighed. Deeper ones count as unbearable; a recursive walk stays within a small stack.
const MAX_WEIGHED_DEPTH: usize = 500;

/// Weighs trees, each of them once.
#[derive(Debug, Default)]
pub(super) struct Scale {
    /// Files below a tree; `usize::MAX` when it is too deep, too wide or no tree.
    files: HashMap<Oid, usize>,
}

impl Scale {
    /// Whether walking this tree is a matter of at most [`MAX_FILES`] files.
    pub fn bearable(&mut self, repository: &Repository, tree: Oid) -> Result<bool, ReadError> {
        let odb = repository.odb().map_err(ReadError::git("open the object database"))?;
        Ok(self.files(repository, &odb, tree, 0)? <= MAX_FILES)
    }

    fn files(
        &mut self,
        repository: &Repository,
        odb: &git2::Odb<'_>,
        tree: Oid,
        depth: usize,
    ) -> Result<usize, ReadError> {
        if let Some(files) = self.files.get(&tree) {
            return Ok(*files);
        }
        let (size, kind) = odb.read_header(tree).map_err(ReadError::git("read the size of a tree"))?;
        let mut files = 0_usize;
        if depth == MAX_WEIGHED_DEPTH || kind != ObjectType::Tree || size > MAX_TREE_BYTES {
            files = usize::MAX;
        } else {
            let tree = repository.find_tree(tree).map_err(ReadError::git("read a tree"))?;
            for entry in tree.iter() {
                files = files.saturating_add(match Mode::of(entry.filemode()) {
                    Mode::Tree => self.files(repository, odb, entry.id(), depth + 1)?,
                    _ => 1,
                });
            }
        }
        self.files.insert(tree, files);
        Ok(files)
    }
}
