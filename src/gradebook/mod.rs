//! The gradebook: what each learner reached, as append-only files, one per learner, one JSON object per line.
//!
//! A line is an [`Entry`]: a verdict, a hint that was asked for, an objection. Nothing is ever rewritten; what counts is
//! computed when read ([`Book`]). A line is whole or not there: a tail without a line end is what a crash or a full disk
//! left of one, it is ignored and cut off before the next line is written. Appending the same entry twice leaves one.

pub mod book;
pub mod entry;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::course::id::Learner;
use book::Book;
use entry::Entry;

/// The gradebook of everybody.
#[derive(Debug)]
pub struct Gradebook {
    dir: PathBuf,
    books: Mutex<HashMap<Learner, Arc<Book>>>,
}

/// A learner's file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GradebookError {
    /// The system says no.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is not one of ours.
    #[error("{}:{line} is damaged: {source}; mend or remove that line, nothing else is affected", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Gradebook {
    /// Over this directory, which exists. Reads nothing yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, books: Mutex::default() }
    }

    /// What a learner reached so far.
    pub fn book(&self, learner: &Learner) -> Result<Arc<Book>, GradebookError> {
        self.known(&mut self.lock(), learner)
    }

    fn known(&self, books: &mut HashMap<Learner, Arc<Book>>, learner: &Learner) -> Result<Arc<Book>, GradebookError> {
        if let Some(book) = books.get(learner) {
            return Ok(book.clone());
        }
        let book = Arc::new(read(&self.path(learner))?);
        books.insert(learner.clone(), book.clone());
        Ok(book)
    }

    /// Appends what is not there yet, and gives the book with it.
    pub fn append(&self, learner: &Learner, entries: &[Entry]) -> Result<Arc<Book>, GradebookError> {
        // Held from reading to writing: neither lines nor books of two workers may mix.
        let mut books = self.lock();
        let mut book = self.known(&mut books, learner)?;
        let new: Vec<&Entry> = entries.iter().filter(|entry| !book.holds(entry)).collect();
        if new.is_empty() {
            return Ok(book);
        }
        let path = self.path(learner);
        append(&path, &new).map_err(|source| GradebookError::Io { path, source })?;
        let changed = Arc::make_mut(&mut book);
        for entry in new {
            changed.add(entry.clone());
        }
        books.insert(learner.clone(), book.clone());
        Ok(book)
    }

    /// Everybody who has a file, in order.
    pub fn learners(&self) -> Result<Vec<Learner>, GradebookError> {
        let io = |source| GradebookError::Io { path: self.dir.clone(), source };
        let mut learners = Vec::new();
        for file in std::fs::read_dir(&self.dir).map_err(io)? {
            let name = file.map_err(io)?.file_name();
            learners.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse::<Learner>().ok()));
        }
        learners.sort();
        Ok(learners)
    }

    fn path(&self, learner: &Learner) -> PathBuf {
        self.dir.join(format!("{learner}.jsonl"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Learner, Arc<Book>>> {
        // The map is a cache that is changed in one step: a panic elsewhere leaves it right.
        self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<Book, GradebookError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Book::default()),
        other => other.map_err(|source| GradebookError::Io { path: path.to_owned(), source })?,
    };
    let mut book = Book::default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (index, line) in whole.lines().enumerate() {
        let entry = serde_json::from_str(line).map_err(|source| GradebookError::Damaged {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        book.add(entry);
    }
    Ok(book)
}

fn append(path: &Path, entries: &[&Entry]) -> std::io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::entry::tests::{fail, pass};
    use super::*;

    fn learner() -> Learner {
        "ada".parse().unwrap()
    }

    #[test]
    fn what_was_appended_is_there_after_a_restart_once() {
        let dir = tempfile::tempdir().unwrap();
        let entries = [fail("t", "a"), pass("t", "b")];
        let gradebook = Gradebook::new(dir.path().to_owned());
        gradebook.append(&learner(), &entries).unwrap();
        gradebook.append(&learner(), &entries).unwrap();
        let again = Gradebook::new(dir.path().to_owned());
        again.append(&learner(), &entries).unwrap();
        assert_eq!(*again.book(&learner()).unwrap(), *gradebook.book(&learner()).unwrap());
        let text = std::fs::read_to_string(dir.path().join("ada.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(again.learners().unwrap(), [learner()]);
    }

    #[test]
    fn half_a_line_left_by_a_crash_is_ignored_and_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.jsonl");
        let gradebook = Gradebook::new(dir.path().to_owned());
        gradebook.append(&learner(), &[fail("t", "a")]).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{}", &whole[..whole.len() / 2])).unwrap();
        let gradebook = Gradebook::new(dir.path().to_owned());
        assert_eq!(gradebook.book(&learner()).unwrap().entries().len(), 1);
        gradebook.append(&learner(), &[pass("t", "b")]).unwrap();
        assert_eq!(Gradebook::new(dir.path().to_owned()).book(&learner()).unwrap().entries().len(), 2);
    }

    #[test]
    fn a_damaged_line_is_named_and_nothing_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.jsonl");
        std::fs::write(&path, "{\"kind\":\"verdict\"}\nnonsense\n").unwrap();
        let gradebook = Gradebook::new(dir.path().to_owned());
        let error = gradebook.append(&learner(), &[pass("t", "b")]).unwrap_err().to_string();
        assert!(error.contains("ada.jsonl:1 is damaged"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_line_that_cannot_be_written_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = Gradebook::new(dir.path().to_owned());
        gradebook.append(&learner(), &[fail("t", "a")]).unwrap();
        let path = dir.path().join("ada.jsonl");
        let before = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(gradebook.append(&learner(), &[pass("t", "b")]), Err(GradebookError::Io { .. })));
        assert_eq!(gradebook.book(&learner()).unwrap().entries().len(), 1, "what is not on disk is not in memory");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, before).unwrap();
        gradebook.append(&learner(), &[pass("t", "b")]).unwrap();
    }
}
