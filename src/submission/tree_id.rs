//! The Git tree hash of a tree in memory: what `git write-tree` would say, without writing anything.

use std::iter::Peekable;

use git2::{ObjectType, Oid};

use super::sha::TreeId;
use super::tree::{Entry, Tree};

/// The Git tree hash, equal to that of the commit which holds the same files. A submodule counts with the id of zeros,
/// because [`Entry::Submodule`] does not keep which commit it names.
pub fn tree_id(tree: &Tree) -> TreeId {
    let mut entries = tree.iter().peekable();
    write_tree(&mut entries, "").into()
}

/// Hashes the tree of the directory `prefix` (empty, or ending in a slash), taking its entries.
///
/// Paths come in order of bytes. That is also Git's order inside of a tree, where a directory counts as if its name
/// ended in a slash.
fn write_tree<'a>(entries: &mut Peekable<impl Iterator<Item = (&'a str, &'a Entry)>>, prefix: &str) -> Oid {
    let mut object = Vec::new();
    while let Some((path, entry)) = entries.peek().copied() {
        let Some(rest) = path.strip_prefix(prefix) else { break };
        let (mode, name, id) = if let Some((dir, _)) = rest.split_once('/') {
            ("40000", dir, write_tree(entries, &format!("{prefix}{dir}/")))
        } else {
            entries.next();
            match entry {
                Entry::File { bytes, executable: false } => ("100644", rest, hash(ObjectType::Blob, bytes)),
                Entry::File { bytes, executable: true } => ("100755", rest, hash(ObjectType::Blob, bytes)),
                Entry::Symlink(target) => ("120000", rest, hash(ObjectType::Blob, target.as_bytes())),
                Entry::Submodule => ("160000", rest, Oid::ZERO_SHA1),
            }
        };
        object.extend_from_slice(mode.as_bytes());
        object.push(b' ');
        object.extend_from_slice(name.as_bytes());
        object.push(0);
        object.extend_from_slice(id.as_bytes());
    }
    hash(ObjectType::Tree, &object)
}

fn hash(kind: ObjectType, bytes: &[u8]) -> Oid {
    Oid::hash_object(kind, bytes).expect("hashing in memory cannot fail")
}
