//! What grading again with the courses as they are now would change: who gains, who loses, and what is to be done. Pure.
//!
//! Compared is the newest graded head of each learner and task, as it was judged and as it would be now. A pass stays a
//! pass (design §1, promise 8): where somebody would lose, nothing is graded again unless an instructor accepts it, and
//! then the lower score is a decision with a reason.

use std::collections::BTreeMap;
use std::time::Duration;

use super::grader::{GradedTask, Grading};
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CourseId, Learner, TaskId};
use crate::forge::budget::{Quota, WritePolicy};
use crate::forge::pull::{Login, PullKey};
use crate::grade::report::Report;
use crate::gradebook::book::Book;
use crate::gradebook::decision::Decision;
use crate::gradebook::decision::kinds::{Concerned, Holds, Instructor, Metadata, OverrideFile, OverrideSpec, Reason};
use crate::gradebook::decision::when::Moment;
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// What one head's judgement of one task becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// More points, or a pass.
    Gains,
    /// Fewer points, or no pass any more.
    Loses,
    /// The same points.
    Unchanged,
    /// It cannot be judged now: nobody loses by that.
    Undecided,
}

impl Change {
    /// The word in a table.
    pub fn word(self) -> &'static str {
        match self {
            Change::Gains => "gains",
            Change::Loses => "loses",
            Change::Unchanged => "unchanged",
            Change::Undecided => "undecided",
        }
    }
}

/// A graded head, and what comes of it now.
#[derive(Debug, Clone)]
pub struct Regraded {
    /// Its pull request.
    pub key: PullKey,
    /// Whose.
    pub learner: Learner,
    /// The head.
    pub head: CommitId,
    /// When it was graded first.
    pub first_at: Time,
    /// As it was judged.
    pub before: Grading,
    /// As it would be.
    pub after: Grading,
}

/// One task of one learner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The pull request.
    pub key: PullKey,
    /// The head.
    pub head: CommitId,
    /// Whose.
    pub learner: Learner,
    /// Which course.
    pub course: CourseId,
    /// Which task.
    pub task: TaskId,
    /// Points of this head before.
    pub before: u32,
    /// Points now.
    pub after: u32,
    /// Points that it is worth now.
    pub of: u32,
    /// What the two make.
    pub change: Change,
}

/// What is to be done about a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Todo {
    /// What it tells is the same.
    Nothing,
    /// To be graded again and told.
    Again,
    /// Somebody would lose and nobody accepted it: left as it is.
    LeftAlone,
    /// Nobody knows yet what would become of it: left as it is.
    NotNow,
}

/// Whether lower scores are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Losses {
    /// What was reached stays.
    Refused,
    /// An instructor wants them.
    Accepted,
}

/// Only the newest head of each learner and task, and only these tasks count.
pub fn newest(mut all: Vec<Regraded>) -> Vec<Regraded> {
    all.sort_by_key(|one| std::cmp::Reverse(one.first_at));
    let mut seen: BTreeMap<(Learner, CourseId, TaskId), ()> = BTreeMap::new();
    for one in &mut all {
        let (learner, course) = (one.learner.clone(), one.before.course.id.clone());
        one.before
            .tasks
            .retain(|graded| seen.insert((learner.clone(), course.clone(), graded.report.task.clone()), ()).is_none());
        let kept: Vec<TaskId> = one.before.tasks.iter().map(|graded| graded.report.task.clone()).collect();
        one.after.tasks.retain(|graded| kept.contains(&graded.report.task));
    }
    all.retain(|one| !one.before.tasks.is_empty());
    all.sort_by(|a, b| (&a.learner, &a.key).cmp(&(&b.learner, &b.key)));
    all
}

impl Regraded {
    /// What becomes of each task.
    pub fn rows(&self) -> Vec<Row> {
        self.before.tasks.iter().map(|before| self.row(before)).collect()
    }

    fn row(&self, before: &GradedTask) -> Row {
        let task = &before.report.task;
        let after = self.after.tasks.iter().map(|graded| &graded.report).find(|report| report.task == *task);
        let judged = after.unwrap_or(&before.report);
        Row {
            key: self.key.clone(),
            head: self.head.clone(),
            learner: self.learner.clone(),
            course: self.before.course.id.clone(),
            task: task.clone(),
            before: before.report.score,
            after: judged.score,
            of: judged.points,
            change: after.map_or(Change::Undecided, |after| change(&before.report, after)),
        }
    }

    /// What is to be done about it.
    pub fn todo(&self, losses: Losses) -> Todo {
        let rows = self.rows();
        let any = |change| rows.iter().any(|row| row.change == change);
        match () {
            () if self.before.digest() == self.after.digest() => Todo::Nothing,
            // Later it may turn out to be a loss.
            () if any(Change::Undecided) => Todo::NotNow,
            () if losses == Losses::Refused && any(Change::Loses) => Todo::LeftAlone,
            () => Todo::Again,
        }
    }

    /// The decisions that apply what is lost: of scores that were reached by this head and are recorded.
    pub fn losses(&self, book: &Book, by: &Instructor, reason: &Reason, now: Time) -> Vec<Decision> {
        let recorded = |row: &Row| {
            let best = book.record(&row.course, &row.task)?.best()?;
            (best.head == row.head && (best.score > row.after || best.outcome == Outcome::Pass)).then_some(())
        };
        let lost = self.rows().into_iter().filter(|row| row.change == Change::Loses && recorded(row).is_some());
        let decide = |row: Row| {
            let spec = OverrideSpec {
                learner: Concerned { id: row.learner, login: book.login().map(|login| Login(login.0.clone())) },
                course: row.course,
                task: row.task,
                points: row.after,
                of: row.of,
                holds: Holds::UntilBetter,
                reason: reason.clone(),
            };
            let metadata = Metadata { author: by.clone(), at: Moment(now), pull: Some(row.key.to_string()) };
            Decision::Override(OverrideFile::new(metadata, spec))
        };
        lost.map(decide).collect()
    }
}

fn change(before: &Report, after: &Report) -> Change {
    if after.provisional {
        return Change::Undecided;
    }
    let rank = |report: &Report| (report.outcome == Outcome::Pass, report.score);
    match rank(after).cmp(&rank(before)) {
        std::cmp::Ordering::Greater => Change::Gains,
        std::cmp::Ordering::Less => Change::Loses,
        std::cmp::Ordering::Equal => Change::Unchanged,
    }
}

/// About how long so many verdicts take to be written where nobody else writes; nothing without a limit.
pub fn writing_time(verdicts: usize, policy: &WritePolicy) -> Duration {
    /// The pending review, its submission, and the status; the first two make content.
    const WRITES: u32 = 3;
    const CONTENT: u64 = 2;
    let verdicts = u32::try_from(verdicts).unwrap_or(u32::MAX);
    let content = u64::from(verdicts) * CONTENT;
    let spaced = policy.spacing.saturating_mul(WRITES).max(policy.notify_spacing).saturating_mul(verdicts);
    let rationed = |quota: Option<Quota>, window: u64| {
        let room = quota.map_or(u64::MAX, |quota| quota.writes.saturating_sub(quota.kept).max(1) as u64);
        // What fits into one window goes as fast as the spacing allows.
        if content <= room { Duration::ZERO } else { Duration::from_secs(content.saturating_mul(window) / room) }
    };
    spaced.max(rationed(policy.per_minute, 60)).max(rationed(policy.per_hour, 3600))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::forge::pull::PullNumber;
    use crate::grade::testing::{self, checkpoint, task};
    use crate::gradebook::entry::{Entry, Verdict};
    use crate::reconcile;

    /// Of a task of four points: `a` is worth 3 and `b` 1.
    fn grading(a: Judgement, b: Judgement) -> Grading {
        let task = task(vec![checkpoint("a", 3, &[]), checkpoint("b", 1, &[])]);
        let report = testing::report(&task, vec![("a", a), ("b", b)]);
        let graded = GradedTask { files: "0".repeat(40).parse().unwrap(), attempt: 1, report, observed: None };
        reconcile::testing::grading(graded.report.course.clone(), vec![graded])
    }

    fn pass() -> Judgement {
        Judgement::pass()
    }

    fn fail() -> Judgement {
        Judgement::fail(vec![])
    }

    fn regraded(before: Grading, after: Grading) -> Regraded {
        let (key, head) = (reconcile::testing::key(), "a".repeat(40).parse().unwrap());
        Regraded { key, learner: "ada".parse().unwrap(), head, first_at: Time(1), before, after }
    }

    #[test]
    fn who_gains_and_who_loses_is_told_by_points_and_by_the_pass() {
        for (before, after, expected, todo) in [
            (grading(pass(), fail()), grading(pass(), pass()), Change::Gains, Todo::Again),
            (grading(pass(), pass()), grading(pass(), fail()), Change::Loses, Todo::LeftAlone),
            (grading(pass(), fail()), grading(pass(), fail()), Change::Unchanged, Todo::Nothing),
            (grading(pass(), fail()), grading(pass(), Judgement::error("x")), Change::Undecided, Todo::NotNow),
            (grading(pass(), Judgement::error("x")), grading(pass(), pass()), Change::Gains, Todo::Again),
        ] {
            let one = regraded(before, after);
            assert_eq!(one.rows()[0].change, expected);
            assert_eq!(one.todo(Losses::Refused), todo, "{expected:?}");
            let accepted = if todo == Todo::LeftAlone { Todo::Again } else { todo };
            assert_eq!(one.todo(Losses::Accepted), accepted);
        }
    }

    #[test]
    fn a_loss_is_a_decision_that_a_better_verdict_ends_and_only_of_what_this_head_had_reached() {
        let one = regraded(grading(pass(), pass()), grading(pass(), fail()));
        let report = &one.before.tasks[0].report;
        let verdict = |head: &str, at: i64, report: &Report| {
            let (head, files) = (head.repeat(40).parse().unwrap(), head.repeat(40).parse().unwrap());
            Entry::Verdict(Verdict::of(report, "local#1".into(), head, files, Time(at)))
        };
        let by = Instructor { id: None, login: Login("grace".into()) };
        let reason: Reason = "the old rubric passed empty files".parse().unwrap();
        let mut book = Book::default();
        book.add(verdict("a", 1, report));
        let losses = one.losses(&book, &by, &reason, Time(50));
        let [Decision::Override(file)] = losses.as_slice() else { panic!("{losses:?}") };
        assert_eq!((file.spec.points, file.spec.of, file.spec.holds), (3, 4, Holds::UntilBetter));
        let score = |book: &Book| {
            let record = book.record(&report.course.id, &report.task).unwrap();
            (record.score(), record.passed())
        };
        assert_eq!(score(&book), (4, true), "nothing is lost by itself");
        book.decide(&losses[0]);
        assert_eq!(score(&book), (3, false));
        book.add(verdict("b", 99, report));
        assert_eq!(score(&book), (4, true), "a pass after it counts");

        let mut elsewhere = Book::default();
        elsewhere.add(verdict("c", 1, report));
        assert_eq!(
            one.losses(&elsewhere, &by, &reason, Time(50)),
            [],
            "another head's points are not this one's to lose"
        );
    }

    #[test]
    fn only_the_newest_head_of_each_learner_and_task_counts() {
        let old = regraded(grading(pass(), fail()), grading(pass(), pass()));
        let mut new = regraded(grading(pass(), pass()), grading(pass(), pass()));
        new.first_at = Time(9);
        new.key.number = PullNumber(2);
        let mut bob = regraded(grading(fail(), fail()), grading(pass(), pass()));
        bob.learner = "bob".parse().unwrap();
        let kept: Vec<(String, i64)> =
            newest(vec![old, bob, new]).iter().map(|one| (one.learner.to_string(), one.key.number.0)).collect();
        assert_eq!(kept, [("ada".to_owned(), 2), ("bob".to_owned(), 1)]);
    }

    #[test]
    fn writing_takes_what_the_budget_for_nobody_in_particular_allows() {
        assert_eq!(writing_time(1000, &WritePolicy::OFF), Duration::ZERO);
        let minutes = |verdicts| writing_time(verdicts, &WritePolicy::GITHUB).as_secs() / 60;
        assert_eq!(minutes(0), 0);
        assert!((4..=8).contains(&minutes(120)), "{}", minutes(120));
        assert!((150..=170).contains(&minutes(400)), "{}", minutes(400));
    }
}
