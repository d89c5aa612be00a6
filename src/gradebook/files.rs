//! Files on disk: lines appended whole or not at all, other files replaced in one step, one writer at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

use super::book::Book;
use super::entry::Line;
use crate::course::diagnostic::{Diagnostic, Spot};

/// By what a change of a file is noticed: its number, length and time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// Of the file as it is now; none when there is none.
    pub fn of(path: &Path) -> std::io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            found => found.map(|file| {
                Some(Self { inode: file.ino(), length: file.len(), changed: (file.ctime(), file.ctime_nsec()) })
            }),
        }
    }
}

/// The lock of a gradebook's files, in its directory.
pub const LOCK: &str = ".lock";

/// A lock file that is ours until this is dropped, among all processes.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for whoever holds it.
    pub fn take(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Self { _file: file })
    }
}

/// The bytes of a learner's file without a half line at its end; nothing when there is no file.
pub fn read_lines(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    Ok(bytes)
}

/// The book that a learner's file makes; `name` stands in what is said about damaged lines.
pub fn book(name: &str, bytes: &[u8]) -> Book {
    let mut book = Book::default();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => book.take(line),
            Err(error) => {
                let problem = Diagnostic::new(name, format!("this line is damaged and does not count: {error}"));
                let spot = Spot::point(index + 1, error.column().saturating_sub(1));
                book.damage(problem.at(spot).help("mend it or remove it; all other lines count"));
            }
        }
    }
    book
}

/// Appends lines and has them on the disk before it returns. Whoever calls it holds the [`Lock`].
pub fn append(path: &Path, entries: &[Line]) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut lines, entry)?;
        lines.push(b'\n');
    }
    let mut file = File::options().create(true).read(true).append(true).open(path)?;
    let whole = whole_length(&mut file)?;
    file.set_len(whole)?;
    let written = file.write_all(&lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // Take half a line back; if even that fails, the next reader ignores it.
        let _ = file.set_len(whole);
    }
    written
}

/// Puts a file there in one step. Whoever calls it holds the [`Lock`].
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    NamedTempFile::persist(file, path)?;
    Ok(())
}

/// The length up to the last line end.
fn whole_length(file: &mut File) -> std::io::Result<u64> {
    const STEP: u64 = 4096;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(end - start).read_to_end(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
