//! Putting a pack into a repository, and making one of what another repository lacks. Blocking.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use git2::{Buf, Indexer, ObjectType, Odb, Oid, Repository};

use crate::submission::sha::CommitId;

/// Up to this many objects are stored one by one, as Git does itself (`fetch.unpackLimit`): every push brings a few, and a
/// repository of ten thousand packs is slow.
const MAX_LOOSE: usize = 100;

/// Largest object that is stored by itself, in bytes: it is held in memory for it. A pack with a larger one stays a pack.
const MAX_LOOSE_BYTES: usize = 1 << 20;

/// The pack of a commit and what leads to it, less what leads to these others.
pub fn outgoing(repository: &Repository, commit: Oid, known: &[CommitId]) -> Result<Vec<u8>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(commit)?;
    // What is not here leads to nothing of ours that we could leave out.
    for id in known.iter().filter_map(|id| id.as_str().parse().ok()).filter(|id| repository.find_commit(*id).is_ok()) {
        walk.hide(id)?;
    }
    let mut pack = repository.packbuilder()?;
    pack.insert_walk(&mut walk)?;
    let mut bytes = Buf::new();
    pack.write_buf(&mut bytes)?;
    Ok(bytes.to_vec())
}

/// Takes a pack in slices and puts its objects into a repository when it is whole. Until then nothing is to be seen of it.
pub struct Incoming<'a> {
    repository: &'a Repository,
    indexer: Indexer<'a>,
    directory: tempfile::TempDir,
}

impl<'a> Incoming<'a> {
    /// For this repository, whose `odb` may be needed for what the pack leaves out.
    pub fn new(repository: &'a Repository, odb: &'a Odb<'a>) -> Result<Self, git2::Error> {
        let failed = |error: std::io::Error| git2::Error::from_str(&format!("cannot make a directory: {error}"));
        // Beside its destination, so that it can be moved there.
        let directory = tempfile::Builder::new().prefix("incoming-").tempdir_in(repository.path()).map_err(failed)?;
        std::fs::create_dir(directory.path().join("pack")).map_err(failed)?;
        let indexer = Indexer::new(Some(odb), &directory.path().join("pack"), 0o444, true)?;
        Ok(Self { repository, indexer, directory })
    }

    /// Takes a slice.
    pub fn take(&mut self, slice: &[u8]) -> Result<(), git2::Error> {
        self.indexer.write_all(slice).map_err(|error| match error.downcast::<git2::Error>() {
            Ok(error) => error,
            Err(error) => git2::Error::from_str(&error.to_string()),
        })
    }

    /// Checks that it is whole and puts its objects into the repository.
    pub fn finish(self) -> Result<(), git2::Error> {
        let Self { repository, indexer, directory } = self;
        let name = indexer.commit()?;
        let objects = Odb::new()?;
        let path = directory.path().to_str().ok_or_else(|| git2::Error::from_str("the path is not text"))?;
        objects.add_disk_alternate(path)?;
        match small(&objects)? {
            Some(ids) => store(repository, &objects, &ids),
            None => keep(repository, &directory.path().join("pack"), &name),
        }
    }
}

/// The objects of a pack in which everything is small.
fn small(objects: &Odb<'_>) -> Result<Option<Vec<Oid>>, git2::Error> {
    let mut ids = Vec::new();
    objects
        .foreach(|id| {
            ids.push(*id);
            ids.len() <= MAX_LOOSE
        })
        .or_else(|error| if ids.len() > MAX_LOOSE { Ok(()) } else { Err(error) })?;
    if ids.len() > MAX_LOOSE {
        return Ok(None);
    }
    for id in &ids {
        if objects.read_header(*id)?.0 > MAX_LOOSE_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(ids))
}

/// Stores objects so that whoever finds a commit also finds what it leads to, whenever this is broken off.
fn store(repository: &Repository, objects: &Odb<'_>, ids: &[Oid]) -> Result<(), git2::Error> {
    let odb = repository.odb()?;
    let mut commits = BTreeMap::new();
    for kind in [ObjectType::Blob, ObjectType::Tree, ObjectType::Commit, ObjectType::Tag] {
        for id in ids {
            if objects.read_header(*id)?.1 != kind {
                continue;
            }
            let object = objects.read(*id)?;
            match kind {
                ObjectType::Commit => _ = commits.insert(*id, parents(object.data())),
                _ => _ = odb.write(kind, object.data())?,
            }
        }
        while kind == ObjectType::Commit && !commits.is_empty() {
            let ready = |parents: &Vec<Oid>| !parents.iter().any(|parent| commits.contains_key(parent));
            let ready: Vec<Oid> = commits.iter().filter(|(_, parents)| ready(parents)).map(|(id, _)| *id).collect();
            for id in ready {
                odb.write(kind, objects.read(id)?.data())?;
                commits.remove(&id);
            }
        }
    }
    Ok(())
}

fn parents(commit: &[u8]) -> Vec<Oid> {
    let lines = commit.split(|byte| *byte == b'\n').skip(1);
    let parent = |line: &[u8]| std::str::from_utf8(line.strip_prefix(b"parent ")?).ok()?.parse().ok();
    lines.map_while(parent).collect()
}

fn keep(repository: &Repository, from: &Path, name: &str) -> Result<(), git2::Error> {
    let failed = |error: std::io::Error| git2::Error::from_str(&format!("cannot keep the pack: {error}"));
    let to = repository.path().join("objects/pack");
    std::fs::create_dir_all(&to).map_err(failed)?;
    // The index last: a pack is there when its index is.
    for ending in ["pack", "idx"] {
        let file = format!("pack-{name}.{ending}");
        std::fs::rename(from.join(&file), to.join(&file)).map_err(failed)?;
    }
    repository.odb()?.refresh()
}
