//! What counts of a learner's entries: best, latest, attempts, failures. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Verdict};
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::submission::sha::{CommitId, TreeId};

/// A learner's entries and what counts of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    entries: Vec<Entry>,
    tasks: BTreeMap<(CourseId, TaskId), Record>,
}

/// One task of a learner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    attempts: Vec<Attempt>,
    best: Option<Verdict>,
    hints: BTreeMap<CheckpointId, u32>,
    approved: BTreeSet<TreeId>,
    costs: BTreeMap<(CheckpointId, u32), u32>,
}

/// A graded state of the task's files; the newest verdict on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The files.
    pub files: TreeId,
    /// The newest verdict on exactly these files.
    pub verdict: Verdict,
    /// The first head that had them passed: an equal state later is folded away, that head itself is not.
    pub passed_with: Option<CommitId>,
}

impl Book {
    /// Everything, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A task's record, if there is one.
    pub fn record(&self, course: &CourseId, task: &TaskId) -> Option<&Record> {
        self.tasks.get(&(course.clone(), task.clone()))
    }

    /// Whether this is written down already. The time does not count; of a verdict only a different result is new.
    pub fn holds(&self, entry: &Entry) -> bool {
        self.entries.iter().rev().any(|known| match (known, entry) {
            (Entry::Verdict(known), Entry::Verdict(new)) => Verdict { at: new.at, ..known.clone() } == *new,
            (Entry::Hint(known), Entry::Hint(new)) => {
                (&known.course, &known.task, &known.checkpoint, known.number)
                    == (&new.course, &new.task, &new.checkpoint, new.number)
            }
            (known, new) => known == new,
        })
    }

    /// Whether an instructor approved these files of a task.
    pub fn approved(&self, course: &CourseId, task: &TaskId, files: &TreeId) -> bool {
        self.record(course, task).is_some_and(|record| record.approved.contains(files))
    }

    /// Takes an entry in.
    pub fn add(&mut self, entry: Entry) {
        match &entry {
            Entry::Verdict(verdict) => {
                let key = (verdict.course.id.clone(), verdict.task.clone());
                self.tasks.entry(key).or_default().judge(verdict);
            }
            Entry::Hint(hint) => {
                let record = self.tasks.entry((hint.course.clone(), hint.task.clone())).or_default();
                let given = record.hints.entry(hint.checkpoint.clone()).or_default();
                *given = (*given).max(hint.number);
                record.costs.insert((hint.checkpoint.clone(), hint.number), hint.cost);
            }
            Entry::Approval(approval) => {
                let record = self.tasks.entry((approval.course.clone(), approval.task.clone())).or_default();
                record.approved.insert(approval.files.clone());
            }
            Entry::Dispute(_) => {}
        }
        self.entries.push(entry);
    }
}

impl Record {
    fn judge(&mut self, verdict: &Verdict) {
        let passed = verdict.outcome == Outcome::Pass;
        match self.attempts.iter_mut().find(|attempt| attempt.files == verdict.files) {
            Some(attempt) => {
                attempt.verdict = verdict.clone();
                if passed && attempt.passed_with.is_none() {
                    attempt.passed_with = Some(verdict.head.clone());
                }
            }
            None => self.attempts.push(Attempt {
                files: verdict.files.clone(),
                verdict: verdict.clone(),
                passed_with: passed.then(|| verdict.head.clone()),
            }),
        }
        // A later verdict may raise what is recorded, never lower it (design §1, promise 8).
        let rank = |v: &Verdict| (v.outcome == Outcome::Pass, v.score);
        if self.best.as_ref().is_none_or(|best| rank(verdict) > rank(best)) {
            self.best = Some(verdict.clone());
        }
    }

    /// Graded states of the files, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The number that an attempt with these files has, or would have, from 1.
    pub fn attempt_number(&self, files: &TreeId) -> usize {
        self.attempts.iter().position(|attempt| attempt.files == *files).unwrap_or(self.attempts.len()) + 1
    }

    /// The verdict that counts.
    pub fn best(&self) -> Option<&Verdict> {
        self.best.as_ref()
    }

    /// The newest attempt's verdict.
    pub fn latest(&self) -> Option<&Verdict> {
        self.attempts.last().map(|attempt| &attempt.verdict)
    }

    /// Points that count: the best score less what hints cost.
    pub fn score(&self) -> u32 {
        let costs: u32 = self.costs.values().sum();
        self.best.as_ref().map_or(0, |best| best.score.saturating_sub(costs))
    }

    /// Whether it was ever passed.
    pub fn passed(&self) -> bool {
        self.best.as_ref().is_some_and(|best| best.outcome == Outcome::Pass)
    }

    /// Whether these files passed before in another commit than this one.
    pub fn passed_before(&self, files: &TreeId, head: &CommitId) -> bool {
        let same = self.attempts.iter().find(|attempt| attempt.files == *files);
        same.and_then(|attempt| attempt.passed_with.as_ref()).is_some_and(|first| first != head)
    }

    /// In how many attempts each checkpoint was `fail`.
    pub fn failures(&self) -> BTreeMap<CheckpointId, u32> {
        failures(self.attempts.iter())
    }

    /// In how many attempts with other files than these each checkpoint was `fail`.
    pub fn failures_elsewhere(&self, files: &TreeId) -> BTreeMap<CheckpointId, u32> {
        failures(self.attempts.iter().filter(|attempt| attempt.files != *files))
    }

    /// How many hints of a checkpoint were given on request.
    pub fn hints_given(&self, checkpoint: &CheckpointId) -> u32 {
        self.hints.get(checkpoint).copied().unwrap_or(0)
    }
}

fn failures<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> BTreeMap<CheckpointId, u32> {
    let mut failures = BTreeMap::new();
    for attempt in attempts {
        for checkpoint in attempt.verdict.checkpoints.iter().filter(|c| c.outcome == Outcome::Fail) {
            *failures.entry(checkpoint.id.clone()).or_default() += 1;
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::super::entry::HintGiven;
    use super::super::entry::tests::{fail, pass, verdict};
    use super::*;
    use crate::store::time::Time;

    fn record(entries: Vec<Entry>) -> Record {
        let mut book = Book::default();
        for entry in entries {
            book.add(entry);
        }
        book.record(&"hello".parse().unwrap(), &"t".parse().unwrap()).unwrap().clone()
    }

    fn sha<T: std::str::FromStr<Err: std::fmt::Debug>>(letter: &str) -> T {
        letter.repeat(40).parse().unwrap()
    }

    #[test]
    fn the_same_files_are_one_attempt_however_often_graded() {
        let record = record(vec![fail("t", "a"), fail("t", "b"), fail("t", "a")]);
        assert_eq!(record.attempts().len(), 2);
        assert_eq!(record.attempt_number(&sha("a")), 1);
        assert_eq!(record.attempt_number(&sha("c")), 3);
    }

    #[test]
    fn a_pass_stays_a_pass() {
        let mut later = verdict("t", "a", Outcome::Fail, 1);
        later.course.revision = sha("1");
        let record = record(vec![pass("t", "a"), Entry::Verdict(later)]);
        assert!(record.passed());
        assert_eq!(record.score(), 4);
        assert_eq!(record.latest().unwrap().score, 1);
    }

    #[test]
    fn failures_count_attempts_not_gradings() {
        let record = record(vec![fail("t", "a"), fail("t", "a"), fail("t", "b"), pass("t", "c")]);
        let failures = |files: &str| record.failures_elsewhere(&sha(files)).get(&"c".parse().unwrap()).copied();
        assert_eq!(failures("d"), Some(2));
        assert_eq!(failures("b"), Some(1), "the attempt at hand is counted by who grades it");
    }

    #[test]
    fn files_that_passed_are_folded_away_in_later_commits_only() {
        let record = record(vec![pass("t", "a")]);
        assert!(record.passed_before(&sha("a"), &sha("b")));
        assert!(!record.passed_before(&sha("a"), &sha("a")));
        assert!(!record.passed_before(&sha("b"), &sha("b")));
    }

    #[test]
    fn a_hint_costs_once() {
        let hint = |number, cost| {
            let (course, task, checkpoint) = ("hello".parse().unwrap(), "t".parse().unwrap(), "c".parse().unwrap());
            Entry::Hint(HintGiven { at: Time(1), course, task, checkpoint, number, cost })
        };
        let record = record(vec![pass("t", "a"), hint(1, 0), hint(2, 1), hint(2, 1)]);
        assert_eq!(record.score(), 3);
        assert_eq!(record.hints_given(&"c".parse().unwrap()), 2);
    }

    #[test]
    fn only_a_different_result_is_new() {
        let mut book = Book::default();
        book.add(fail("t", "a"));
        let mut again = verdict("t", "a", Outcome::Fail, 0);
        again.at = Time(99);
        assert!(book.holds(&Entry::Verdict(again.clone())));
        again.score = 2;
        assert!(!book.holds(&Entry::Verdict(again)));
    }
}
