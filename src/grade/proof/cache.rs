//! Proofs remembered by content, in the user's cache directory. Only green ones: what is wrong is always shown anew.
//!
//! The key covers everything a proof depends on: the task's files, what its draws depend on, and the program itself.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{DRAWS, Proof};
use crate::course::{Course, CourseTask};
use crate::submission::tree_id;

/// Remembered proofs.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    /// SHA-256 of the running program.
    program: [u8; 32],
}

impl Cache {
    /// The user's cache: `$XDG_CACHE_HOME/gradus/proofs`, else `~/.cache/gradus/proofs`. None where neither is known or
    /// the running program cannot be read.
    pub fn of_user() -> Option<Self> {
        let dir = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = dir("XDG_CACHE_HOME").or_else(|| Some(dir("HOME")?.join(".cache")))?;
        let program = std::env::current_exe().ok()?;
        let mut hash = Sha256::new();
        io::copy(&mut File::open(program).ok()?, &mut HashWriter(&mut hash)).ok()?;
        Some(Self { dir: base.join("gradus/proofs"), program: hash.finalize().into() })
    }

    /// The green proof of exactly this task by exactly this program.
    pub fn get(&self, course: &Course, task: &CourseTask) -> Option<Proof> {
        let text = fs::read(self.path(course, task)).ok()?;
        let proof: Proof = serde_json::from_slice(&text).ok()?;
        (proof.is_green() && proof.task == task.task.id).then_some(proof)
    }

    /// Remembers a proof if it is green. A cache that cannot be written is no reason to fail.
    pub fn put(&self, course: &Course, task: &CourseTask, proof: &Proof) -> io::Result<()> {
        if !proof.is_green() {
            return Ok(());
        }
        fs::create_dir_all(&self.dir)?;
        // Renamed into place, so that another run never reads half of it.
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        serde_json::to_writer(&mut file, proof)?;
        file.persist(self.path(course, task))?;
        Ok(())
    }

    fn path(&self, course: &Course, task: &CourseTask) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(self.program);
        let revision = tree_id(&task.files);
        for part in ["gradus-proof-1", course.id.as_str(), task.task.id.as_str(), &course.salt, revision.as_str()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(DRAWS.to_le_bytes());
        self.dir.join(hex::encode(hash.finalize()) + ".json")
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
