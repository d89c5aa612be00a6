//! What a stack leaves on disk for whoever comes later: `state.json` in its directory, replaced as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::part::Part;
use super::plan::Endpoints;
use super::probe::Probe;
use super::process::Identity;

const FILE: &str = "state.json";

/// How far a stack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Somebody is starting it, or was killed while doing so.
    Starting,
    /// Every part was healthy once.
    Up,
    /// It did not come up; only logs are left.
    Failed,
}

/// A part that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Which.
    pub part: Part,
    /// Its process.
    pub process: Identity,
    /// Where it listens, for people.
    pub address: String,
    /// How to ask whether it is healthy.
    pub probe: Probe,
}

/// A stack, as of the last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Which.
    pub name: Name,
    /// How far.
    pub phase: Phase,
    /// Who started it.
    pub starter: Option<Identity>,
    /// In the order of their start.
    pub parts: Vec<Running>,
    /// Where it is found.
    pub endpoints: Endpoints,
}

impl State {
    /// None where nothing was noted.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(dir.join(FILE)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file in one go: a reader never sees half of it.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.persist(dir.join(FILE))?;
        Ok(())
    }

    /// The processes of all parts.
    pub fn processes(&self) -> Vec<Identity> {
        self.parts.iter().map(|running| running.process.clone()).collect()
    }

    /// Whether it came up and every part still runs.
    pub fn is_whole(&self) -> bool {
        self.phase == Phase::Up && self.parts.iter().all(|running| running.process.lives())
    }
}

/// Whether a directory is one that we may empty: not there, empty, or with a state of ours.
pub fn is_ours(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none() || dir.join(FILE).is_file(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The log of a part.
pub fn log(dir: &Path, part: Part) -> PathBuf {
    dir.join("logs").join(format!("{part}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_files_of_somebody_else_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_ours(dir.path()) && is_ours(&dir.path().join("none")));
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        assert!(!is_ours(dir.path()));
        fs::write(dir.path().join(FILE), "{}").unwrap();
        assert!(is_ours(dir.path()));
    }
}
