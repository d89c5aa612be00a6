//! What counts of a learner's entries and of what instructors decided about them: best, latest, attempts, failures. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::Decision;
use super::decision::kinds::{ExtensionSpec, Holds, OverrideSpec};
use super::entry::{Approval, CheckpointVerdict, Entry, Line, Verdict};
use crate::checkpoint::outcome::Outcome;
use crate::course::diagnostic::Diagnostic;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::forge::pull::Login;
use crate::store::time::Time;
use crate::submission::sha::{CommitId, TreeId};

/// Failed attempts on one checkpoint after which somebody is stuck (issue 4: three).
pub const STUCK: u32 = 3;

/// A learner's entries and what counts of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    login: Option<Login>,
    entries: Vec<Entry>,
    damaged: Vec<Diagnostic>,
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
    waived: BTreeSet<CheckpointId>,
    overridden: Option<Overridden>,
    extensions: Vec<ExtensionSpec>,
}

/// An override and when it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Overridden {
    at: Time,
    spec: OverrideSpec,
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

    /// What the learner was called last, where that is known.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Lines that could not be read and have no say.
    pub fn damaged(&self) -> &[Diagnostic] {
        &self.damaged
    }

    /// All tasks that something is recorded of.
    pub fn records(&self) -> impl Iterator<Item = (&CourseId, &TaskId, &Record)> {
        self.tasks.iter().map(|((course, task), record)| (course, task, record))
    }

    /// A task's record, if there is one.
    pub fn record(&self, course: &CourseId, task: &TaskId) -> Option<&Record> {
        self.tasks.get(&(course.clone(), task.clone()))
    }

    /// Whether this is written down already. The time does not count; of a verdict only a different result is new. What is
    /// recalled from a review has no causes, and no checkpoints where there was no room for them.
    pub fn holds(&self, entry: &Entry) -> bool {
        self.entries.iter().rev().any(|known| match (known, entry) {
            (Entry::Verdict(known), Entry::Verdict(new)) => same(known, new),
            (Entry::Approval(known), Entry::Approval(new)) => Approval { at: new.at, ..known.clone() } == *new,
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

    /// Takes a line in that is not there yet; an entry written twice is one.
    pub fn take(&mut self, line: Line) {
        if line.login.is_some() {
            self.login = line.login;
        }
        if !self.holds(&line.entry) {
            self.add(line.entry);
        }
    }

    /// Notes a line that cannot be read.
    pub(super) fn damage(&mut self, problem: Diagnostic) {
        self.damaged.push(problem);
    }

    /// Takes in what an instructor decided about this learner; the later of two counts.
    pub fn decide(&mut self, decision: &Decision) {
        match decision {
            Decision::Waiver(file) => {
                let spec = &file.spec;
                self.task(&spec.course, &spec.task).waived.insert(spec.checkpoint.clone());
            }
            Decision::Extension(file) => {
                self.task(&file.spec.course, &file.spec.task).extensions.push(file.spec.clone());
            }
            Decision::Override(file) => {
                let overridden = Overridden { at: file.metadata.at.0, spec: file.spec.clone() };
                self.task(&file.spec.course, &file.spec.task).overridden = Some(overridden);
            }
            Decision::Quarantine(_) => {}
        }
    }

    fn task(&mut self, course: &CourseId, task: &TaskId) -> &mut Record {
        self.tasks.entry((course.clone(), task.clone())).or_default()
    }

    /// Takes an entry in.
    pub fn add(&mut self, entry: Entry) {
        match &entry {
            Entry::Verdict(verdict) => {
                self.task(&verdict.course.id, &verdict.task).judge(verdict);
            }
            Entry::Hint(hint) => {
                let record = self.task(&hint.course, &hint.task);
                let given = record.hints.entry(hint.checkpoint.clone()).or_default();
                *given = (*given).max(hint.number);
                record.costs.insert((hint.checkpoint.clone(), hint.number), hint.cost);
            }
            Entry::Approval(approval) => {
                self.task(&approval.course, &approval.task).approved.insert(approval.files.clone());
            }
            Entry::Dispute(_) => {}
        }
        self.entries.push(entry);
    }
}

fn same(known: &Verdict, new: &Verdict) -> bool {
    let result = |c: &CheckpointVerdict| CheckpointVerdict { cause: None, ..c.clone() };
    let plain = |verdict: &Verdict| Verdict {
        at: new.at,
        checkpoints: match new.checkpoints.is_empty() {
            true => Vec::new(),
            false => verdict.checkpoints.iter().map(result).collect(),
        },
        ..verdict.clone()
    };
    plain(known) == plain(new)
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

    /// The verdict that counts, before decisions.
    pub fn best(&self) -> Option<&Verdict> {
        self.best.as_ref()
    }

    /// The newest attempt's verdict.
    pub fn latest(&self) -> Option<&Verdict> {
        self.attempts.last().map(|attempt| &attempt.verdict)
    }

    /// Points that count: those an instructor set, else the best score with waived checkpoints as passed, less what hints
    /// cost.
    pub fn score(&self) -> u32 {
        let costs: u32 = self.costs.values().sum();
        let judged =
            self.candidates().map(|verdict| self.waived_score(verdict).saturating_sub(costs)).max().unwrap_or(0);
        self.overridden.as_ref().map_or(judged, |overridden| overridden.spec.points.max(judged))
    }

    /// Whether it counts as passed: all points by an override, or once judged with nothing open but what is waived.
    pub fn passed(&self) -> bool {
        let set = self.overridden.as_ref().is_some_and(|overridden| overridden.spec.points >= overridden.spec.of);
        set || self.candidates().any(|verdict| self.passes(verdict))
    }

    /// Verdicts that may be the best one: beside an override none, or later ones.
    fn candidates(&self) -> impl Iterator<Item = &Verdict> {
        let counts = |verdict: &&Verdict| match &self.overridden {
            None => true,
            Some(overridden) => overridden.spec.holds == Holds::UntilBetter && verdict.at > overridden.at,
        };
        self.best.iter().chain(self.attempts.iter().map(|attempt| &attempt.verdict)).filter(counts)
    }

    fn waived_score(&self, verdict: &Verdict) -> u32 {
        let waived = verdict.checkpoints.iter().filter(|c| self.waived.contains(&c.id) && c.outcome != Outcome::NotRun);
        verdict.score + waived.map(|c| c.points.saturating_sub(c.score)).sum::<u32>()
    }

    fn passes(&self, verdict: &Verdict) -> bool {
        let judged = || verdict.checkpoints.iter().filter(|c| c.outcome != Outcome::NotRun);
        let good = |c: &CheckpointVerdict| c.outcome == Outcome::Pass || self.waived.contains(&c.id);
        verdict.outcome == Outcome::Pass || (judged().next().is_some() && judged().all(good))
    }

    /// Checkpoints that count as passed for this learner.
    pub fn waived(&self) -> &BTreeSet<CheckpointId> {
        &self.waived
    }

    /// The points that an instructor set.
    pub fn overridden(&self) -> Option<&OverrideSpec> {
        self.overridden.as_ref().map(|overridden| &overridden.spec)
    }

    /// More time, oldest decision first.
    pub fn extensions(&self) -> &[ExtensionSpec] {
        &self.extensions
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

    /// Checkpoints that failed in [`STUCK`] attempts or more and still do, while the task is not passed.
    pub fn stuck(&self) -> Vec<CheckpointId> {
        let (Some(latest), false) = (self.latest(), self.passed()) else { return Vec::new() };
        let failures = self.failures();
        let stuck = |id: &CheckpointId| failures.get(id).is_some_and(|failed| *failed >= STUCK);
        let failing = latest.checkpoints.iter().filter(|c| c.outcome == Outcome::Fail);
        failing.map(|c| &c.id).filter(|id| stuck(id)).cloned().collect()
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
    use super::super::decision::tests::{overridden, waiver};
    use super::super::entry::HintGiven;
    use super::super::entry::tests::{fail, pass, verdict};
    use super::*;

    fn record(entries: Vec<Entry>) -> Record {
        let mut book = Book::default();
        for entry in entries {
            book.add(entry);
        }
        book.record(&"hello".parse().unwrap(), &"t".parse().unwrap()).unwrap().clone()
    }

    fn decided(entries: Vec<Entry>, decisions: &[Decision]) -> Record {
        let mut book = Book::default();
        entries.into_iter().for_each(|entry| book.add(entry));
        decisions.iter().for_each(|decision| book.decide(decision));
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

    /// Promise 8: whatever another revision makes of the same or another head, what was reached stays.
    #[test]
    fn a_later_lower_verdict_never_lowers_what_is_recorded() {
        for (outcome, score) in [(Outcome::Pass, 4), (Outcome::Fail, 3)] {
            for files in ["a", "b"] {
                for (later, lower) in [(Outcome::Fail, 1), (Outcome::Error, 0), (Outcome::NotRun, 0)] {
                    let first = verdict("t", "a", outcome, score);
                    let mut second = verdict("t", files, later, lower);
                    second.course.revision = sha("1");
                    let record = record(vec![Entry::Verdict(first.clone()), Entry::Verdict(second)]);
                    assert_eq!(
                        (record.score(), record.passed()),
                        (score, outcome == Outcome::Pass),
                        "{files} {later:?}"
                    );
                    assert_eq!(record.best(), Some(&first));
                }
            }
        }
    }

    #[test]
    fn a_waived_checkpoint_counts_as_passed_before_and_after_it_is_judged() {
        let waived = [waiver("ada", "c")];
        let record = decided(vec![fail("t", "a")], &waived);
        assert_eq!((record.score(), record.passed()), (4, true));
        assert_eq!((record.best().unwrap().score, record.latest().unwrap().outcome), (0, Outcome::Fail));
        let other = decided(vec![fail("t", "a")], &[waiver("ada", "d")]);
        assert_eq!((other.score(), other.passed()), (0, false));
        let nothing = decided(vec![], &waived);
        assert_eq!((nothing.score(), nothing.passed()), (0, false), "nothing was handed in");
    }

    #[test]
    fn an_override_sets_the_points_until_the_next_one() {
        let lower = decided(vec![pass("t", "a")], &[overridden("ada", 3)]);
        assert_eq!((lower.score(), lower.passed()), (3, false));
        let full = decided(vec![], &[overridden("ada", 3), waiver("ada", "c"), overridden("ada", 4)]);
        assert_eq!((full.score(), full.passed()), (4, true));
    }

    #[test]
    fn failures_count_attempts_not_gradings() {
        let record = record(vec![fail("t", "a"), fail("t", "a"), fail("t", "b"), pass("t", "c")]);
        let failures = |files: &str| record.failures_elsewhere(&sha(files)).get(&"c".parse().unwrap()).copied();
        assert_eq!(failures("d"), Some(2));
        assert_eq!(failures("b"), Some(1), "the attempt at hand is counted by who grades it");
    }

    #[test]
    fn stuck_is_who_failed_a_checkpoint_three_times_and_still_does() {
        let stuck = |entries| record(entries).stuck().len();
        assert_eq!(stuck(vec![fail("t", "a"), fail("t", "b")]), 0);
        assert_eq!(stuck(vec![fail("t", "a"), fail("t", "b"), fail("t", "c")]), 1);
        assert_eq!(stuck(vec![fail("t", "a"), fail("t", "b"), fail("t", "c"), pass("t", "d")]), 0);
        let mut fixed = verdict("t", "d", Outcome::Fail, 0);
        fixed.checkpoints[0].outcome = Outcome::Pass;
        assert_eq!(stuck(vec![fail("t", "a"), fail("t", "b"), fail("t", "c"), Entry::Verdict(fixed)]), 0);
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
        let recalled = Verdict { checkpoints: Vec::new(), ..again.clone() };
        assert!(book.holds(&Entry::Verdict(recalled)));
        again.score = 2;
        assert!(!book.holds(&Entry::Verdict(again)));
    }
}
