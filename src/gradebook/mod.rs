//! The gradebook: what each learner reached, as append-only files, one per learner, one JSON object per line; and what
//! instructors decided, one YAML file per decision.
//!
//! A line is an [`Entry`]: a verdict, a hint that was asked for, an objection. Nothing is ever rewritten; what counts is
//! computed when read ([`Book`]). A line is whole or not there: a tail without a line end is what a crash or a full disk
//! left of one, it is ignored and cut off before the next line is written. Appending the same entry twice leaves one.
//! Files may change under us (another daemon, an instructor, a pull from a repository): they are looked at before use.

pub mod book;
pub mod decision;
pub mod entry;
mod exchange;
mod files;
pub mod grades;
mod origin;
mod sharing;
mod union;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::course::id::Learner;
use crate::forge::pull::User;
use crate::store::time::Time;
use book::Book;
use decision::{Decision, Decisions};
use entry::{Entry, Line};
pub use exchange::{ExchangeError, Exchanged};
use files::{Lock, Stamp};
use grades::{Filter, Grades};
pub use origin::{InvalidOrigin, Origin, Token};
pub use sharing::Backlog;
use sharing::Sharing;

/// Whether instructors' decisions have a place where they last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// They are written down.
    Kept,
    /// No gradebook is configured: nothing is decided here.
    NotConfigured,
}

/// The gradebook of everybody.
#[derive(Debug)]
pub struct Gradebook {
    dir: PathBuf,
    keeping: Keeping,
    sharing: Option<Arc<Sharing>>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    books: HashMap<Learner, Cached>,
    shelf: Option<Shelf>,
}

/// The decisions, and the files that they were read from as they were then.
#[derive(Debug)]
struct Shelf {
    files: Vec<(String, Option<Stamp>)>,
    decisions: Arc<Decisions>,
}

/// A learner's file as it was read.
#[derive(Debug, Clone)]
struct Cached {
    stamp: Option<Stamp>,
    /// What the entries alone say.
    entries: Arc<Book>,
    /// With these decisions.
    decided: Arc<Book>,
    by: Arc<Decisions>,
}

/// A file of the gradebook cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {source}", path.display())]
pub struct GradebookError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

impl GradebookError {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

impl Gradebook {
    /// Over this directory, which exists. Reads nothing yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, keeping: Keeping::Kept, sharing: None, cache: Mutex::default() }
    }

    /// Over this directory, which exists, and shared through a repository. Nothing is fetched yet: [`Gradebook::share`]
    /// does so all the time, [`Gradebook::exchange`] once.
    pub fn shared(dir: PathBuf, origin: Origin) -> Self {
        let sharing = Some(Arc::new(Sharing::new(dir.clone(), origin)));
        Self { sharing, ..Self::new(dir) }
    }

    /// Over this directory, where verdicts are kept and no decisions: no gradebook is configured.
    pub fn without_decisions(dir: PathBuf) -> Self {
        Self { keeping: Keeping::NotConfigured, ..Self::new(dir) }
    }

    /// Exchanges with the repository until `stop` says so; without one there is nothing to do.
    pub async fn share(&self, stop: tokio::sync::watch::Receiver<bool>) {
        if let Some(sharing) = &self.sharing {
            sharing.keep(stop).await;
        }
    }

    /// Exchanges with the repository now: theirs is here and ours is there when it returns. Blocks on the network.
    pub fn exchange(&self) -> Result<Exchanged, ExchangeError> {
        self.sharing.as_ref().map_or_else(|| Ok(Exchanged::default()), |sharing| sharing.run())
    }

    /// What waits to be shared; none when it is not shared at all. Looks at every file.
    pub fn backlog(&self) -> Result<Option<Backlog>, ExchangeError> {
        self.sharing.as_ref().map(|sharing| sharing.backlog()).transpose()
    }

    fn tell(&self) {
        if let Some(sharing) = &self.sharing {
            sharing.tell();
        }
    }

    /// Whether decisions have a place.
    pub fn keeping(&self) -> Keeping {
        self.keeping
    }

    /// What a learner reached so far, with what instructors decided.
    pub fn book(&self, learner: &Learner) -> Result<Arc<Book>, GradebookError> {
        let mut cache = self.lock();
        let decisions = self.shelf(&mut cache)?;
        Ok(self.known(&mut cache, &decisions, learner)?.decided)
    }

    /// What instructors decided.
    pub fn decisions(&self) -> Result<Arc<Decisions>, GradebookError> {
        self.shelf(&mut self.lock())
    }

    fn shelf(&self, cache: &mut Cache) -> Result<Arc<Decisions>, GradebookError> {
        let shelf = self.dir.join(decision::DIR);
        let stamp = |name: String| {
            let stamp = Stamp::of(&self.dir.join(&name)).ok().flatten();
            (name, stamp)
        };
        let names = decision::names(&self.dir).map_err(GradebookError::at(&shelf))?;
        let files: Vec<_> = names.into_iter().map(stamp).collect();
        if let Some(known) = cache.shelf.as_ref().filter(|known| known.files == files) {
            return Ok(known.decisions.clone());
        }
        let decisions = Arc::new(Decisions::load(&self.dir).map_err(GradebookError::at(&shelf))?);
        for problem in decisions.problems() {
            tracing::error!("a decision has no say until its file is mended: {problem}");
        }
        cache.shelf = Some(Shelf { files, decisions: decisions.clone() });
        Ok(decisions)
    }

    fn known(&self, cache: &mut Cache, by: &Arc<Decisions>, learner: &Learner) -> Result<Cached, GradebookError> {
        let path = self.path(learner);
        let stamp = Stamp::of(&path).map_err(GradebookError::at(&path))?;
        let known = cache.books.get(learner).filter(|known| known.stamp == stamp);
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.by, by)) {
            return Ok(known.clone());
        }
        let entries = match known {
            Some(known) => known.entries.clone(),
            None => {
                let bytes = files::read_lines(&path).map_err(GradebookError::at(&path))?;
                let book = files::book(&name(learner), &bytes);
                book.damaged().iter().for_each(|problem| tracing::error!("{problem}"));
                Arc::new(book)
            }
        };
        Ok(keep(cache, learner, stamp, entries, by))
    }

    /// Appends what is not there yet, and gives the book with it.
    pub fn append(&self, who: &User, entries: &[Entry]) -> Result<Arc<Book>, GradebookError> {
        // Held from reading to writing: neither lines nor books of two workers may mix.
        let mut cache = self.lock();
        let _lock = Lock::take(&self.dir.join(files::LOCK)).map_err(GradebookError::at(&self.dir))?;
        let decisions = self.shelf(&mut cache)?;
        let known = self.known(&mut cache, &decisions, &who.id)?;
        let new = entries.iter().filter(|entry| !known.entries.holds(entry));
        let lines: Vec<Line> = new.map(|entry| Line { login: Some(who.login.clone()), entry: entry.clone() }).collect();
        if lines.is_empty() {
            return Ok(known.decided);
        }
        let path = self.path(&who.id);
        files::append(&path, &lines).map_err(GradebookError::at(&path))?;
        self.tell();
        let mut book = known.entries;
        let changed = Arc::make_mut(&mut book);
        lines.into_iter().for_each(|line| changed.take(line));
        let stamp = Stamp::of(&path).map_err(GradebookError::at(&path))?;
        Ok(keep(&mut cache, &who.id, stamp, book, &decisions).decided)
    }

    /// Writes decisions down, each into a file of its own. Paths in the gradebook, in their order.
    pub fn decide(&self, decisions: &[Decision]) -> Result<Vec<String>, GradebookError> {
        let _lock = Lock::take(&self.dir.join(files::LOCK)).map_err(GradebookError::at(&self.dir))?;
        let mut names = Vec::new();
        for decision in decisions {
            let name = format!("{}/{}", decision::DIR, decision::file::name(decision));
            let path = self.dir.join(&name);
            files::replace(&path, decision::file::write(decision).as_bytes()).map_err(GradebookError::at(&path))?;
            names.push(name);
            self.tell();
        }
        Ok(names)
    }

    /// Puts another text into the file of a decision.
    pub fn rewrite(&self, name: &str, text: &str) -> Result<(), GradebookError> {
        let _lock = Lock::take(&self.dir.join(files::LOCK)).map_err(GradebookError::at(&self.dir))?;
        let path = self.dir.join(name);
        files::replace(&path, text.as_bytes()).map_err(GradebookError::at(&path))?;
        self.tell();
        Ok(())
    }

    /// Everybody's grades.
    pub fn grades(&self, filter: &Filter, now: Time) -> Result<Grades, GradebookError> {
        let decisions = self.decisions()?;
        let mut learners = grades::concerned(&decisions);
        learners.extend(self.learners()?);
        let book = |learner: Learner| Ok((learner.clone(), self.book(&learner)?));
        let books: Vec<_> = learners.into_iter().map(book).collect::<Result<_, GradebookError>>()?;
        Ok(Grades::of(&books, &decisions, filter, now))
    }

    /// Everybody who has a file, in order.
    pub fn learners(&self) -> Result<Vec<Learner>, GradebookError> {
        let mut learners = Vec::new();
        for file in std::fs::read_dir(&self.dir).map_err(GradebookError::at(&self.dir))? {
            let name = file.map_err(GradebookError::at(&self.dir))?.file_name();
            learners.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse::<Learner>().ok()));
        }
        learners.sort();
        Ok(learners)
    }

    fn path(&self, learner: &Learner) -> PathBuf {
        self.dir.join(name(learner))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        // A cache that is changed in whole values: a panic elsewhere leaves it right.
        self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn name(learner: &Learner) -> String {
    format!("{learner}.jsonl")
}

fn keep(cache: &mut Cache, learner: &Learner, stamp: Option<Stamp>, entries: Arc<Book>, by: &Arc<Decisions>) -> Cached {
    let mut decided = entries.clone();
    for decision in by.about(learner) {
        Arc::make_mut(&mut decided).decide(decision);
    }
    let cached = Cached { stamp, entries, decided, by: by.clone() };
    cache.books.insert(learner.clone(), cached.clone());
    cached
}

#[cfg(test)]
mod tests {
    use super::decision::tests::{overridden, waiver};
    use super::entry::tests::{fail, pass};
    use super::*;

    fn learner() -> Learner {
        "ada".parse().unwrap()
    }

    fn user() -> User {
        User::local(learner())
    }

    fn open(dir: &tempfile::TempDir) -> Gradebook {
        Gradebook::new(dir.path().to_owned())
    }

    fn record(gradebook: &Gradebook) -> book::Record {
        let book = gradebook.book(&learner()).unwrap();
        book.record(&"hello".parse().unwrap(), &"t".parse().unwrap()).unwrap().clone()
    }

    #[test]
    fn what_was_appended_is_there_after_a_restart_once() {
        let dir = tempfile::tempdir().unwrap();
        let entries = [fail("t", "a"), pass("t", "b")];
        let gradebook = open(&dir);
        gradebook.append(&user(), &entries).unwrap();
        gradebook.append(&user(), &entries).unwrap();
        let again = open(&dir);
        again.append(&user(), &entries).unwrap();
        assert_eq!(*again.book(&learner()).unwrap(), *gradebook.book(&learner()).unwrap());
        let text = std::fs::read_to_string(dir.path().join("ada.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(again.learners().unwrap(), [learner()]);
    }

    #[test]
    fn an_entry_that_stands_there_twice_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.jsonl");
        open(&dir).append(&user(), &[fail("t", "a")]).unwrap();
        let once = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{once}{once}")).unwrap();
        assert_eq!(open(&dir).book(&learner()).unwrap().entries().len(), 1);
    }

    #[test]
    fn what_another_process_writes_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (open(&dir), open(&dir));
        ours.append(&user(), &[fail("t", "a")]).unwrap();
        theirs.append(&user(), &[pass("t", "b")]).unwrap();
        assert!(record(&ours).passed());
        ours.append(&user(), &[pass("t", "b"), fail("t", "c")]).unwrap();
        assert_eq!(record(&theirs).attempts().len(), 3);
        theirs.decide(&[overridden("ada", 3)]).unwrap();
        assert_eq!(record(&ours).score(), 3);
    }

    #[test]
    fn decisions_are_applied_when_read_and_leave_the_entries_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = open(&dir);
        gradebook.append(&user(), &[fail("t", "a")]).unwrap();
        let before = std::fs::read(dir.path().join("ada.jsonl")).unwrap();
        let files = gradebook.decide(&[waiver("ada", "c"), waiver("bob", "c"), waiver("ada", "c")]).unwrap();
        assert_eq!(files[0], files[2], "the same decision is one file");
        assert!(record(&gradebook).passed());
        gradebook.append(&user(), &[fail("t", "b")]).unwrap();
        assert!(record(&gradebook).passed());
        std::fs::remove_file(dir.path().join(&files[0])).unwrap();
        assert!(!record(&gradebook).passed(), "a decision that is taken back is gone");
        assert!(std::fs::read(dir.path().join("ada.jsonl")).unwrap().starts_with(&before));
    }

    #[test]
    fn half_a_line_left_by_a_crash_is_ignored_and_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.jsonl");
        open(&dir).append(&user(), &[fail("t", "a")]).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{}", &whole[..whole.len() / 2])).unwrap();
        let gradebook = open(&dir);
        assert_eq!(gradebook.book(&learner()).unwrap().entries().len(), 1);
        gradebook.append(&user(), &[pass("t", "b")]).unwrap();
        assert_eq!(open(&dir).book(&learner()).unwrap().entries().len(), 2);
    }

    #[test]
    fn a_damaged_line_is_named_everything_else_counts_and_nothing_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ada.jsonl");
        open(&dir).append(&user(), &[fail("t", "a")]).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{{\"kind\":\"verdict\"}}\n{good}nonsense\n")).unwrap();
        let gradebook = open(&dir);
        let book = gradebook.append(&user(), &[pass("t", "b")]).unwrap();
        assert_eq!(book.entries().len(), 2);
        let named: Vec<String> = book.damaged().iter().map(ToString::to_string).collect();
        assert!(
            named[0].starts_with("ada.jsonl:1:18: this line is damaged and does not count: missing field"),
            "{named:?}"
        );
        assert!(named[1].starts_with("ada.jsonl:3:"), "{named:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_line_that_cannot_be_written_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = open(&dir);
        gradebook.append(&user(), &[fail("t", "a")]).unwrap();
        let path = dir.path().join("ada.jsonl");
        let before = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(gradebook.append(&user(), &[pass("t", "b")]).is_err());
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, before).unwrap();
        assert_eq!(gradebook.book(&learner()).unwrap().entries().len(), 1, "what is not on disk is not in memory");
        gradebook.append(&user(), &[pass("t", "b")]).unwrap();
    }
}
