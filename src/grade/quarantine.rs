//! A checkpoint that is not trusted for a while: whatever does not pass it is our `error`. Pure.
//!
//! A pass stays a pass (design §1, promise 8), and what is not judged here stays so. A checkpoint that was `blocked` by a
//! quarantined one alone could not be judged either: only the learner's work costs points (promise 3).

use super::report::{CheckpointResult, Report};
use super::score::total;
use crate::checkpoint::Judgement;
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::store::time::Time;

/// The `operator` of evidence that says so: such a result is told to learners whole, and is not worth a retry.
pub const OPERATOR: &str = "quarantine";

/// A quarantine in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Which checkpoint.
    pub checkpoint: CheckpointId,
    /// Until then.
    pub until: Time,
    /// Why, for the learner.
    pub reason: String,
}

impl Quarantine {
    /// Whether it is about this result.
    pub fn covers(&self, report: &Report, result: &CheckpointResult) -> bool {
        (&self.course, &self.task, &self.checkpoint) == (&report.course.id, &report.task, &result.id)
    }

    /// Whether it would change this result.
    pub fn bites(&self, report: &Report, result: &CheckpointResult) -> bool {
        self.covers(report, result)
            && !matches!(result.outcome, Outcome::Pass | Outcome::NotRun)
            && !is_quarantined(result)
    }
}

/// Whether a result is what it is by a quarantine.
pub fn is_quarantined(result: &CheckpointResult) -> bool {
    result.evidence.iter().any(|evidence| evidence.operator.as_deref() == Some(OPERATOR))
}

/// The report with these quarantines, and when the first of those that matter to it ends.
pub fn apply(mut report: Report, quarantines: &[Quarantine]) -> (Report, Option<Time>) {
    let mut ends: Option<Time> = None;
    let mut untrusted: Vec<CheckpointId> = Vec::new();
    for index in 0..report.checkpoints.len() {
        let result = &report.checkpoints[index];
        let biting = quarantines.iter().filter(|quarantine| quarantine.bites(&report, result));
        // Of several the longest counts.
        let Some(quarantine) = biting.max_by_key(|quarantine| quarantine.until) else { continue };
        let why = format!(
            "this checkpoint is not trusted until {}: {}; it costs you nothing meanwhile",
            quarantine.until.to_the_minute(),
            quarantine.reason
        );
        ends = Some(ends.map_or(quarantine.until, |end| end.min(quarantine.until)));
        let result = &mut report.checkpoints[index];
        untrusted.push(result.id.clone());
        ours(result, Judgement::error(why));
    }
    for result in report.checkpoints.iter_mut().filter(|result| result.outcome == Outcome::Blocked) {
        let Some(root) = result.blocked_by.iter().find(|root| untrusted.contains(root)).cloned() else { continue };
        result.blocked_by.retain(|root| !untrusted.contains(root));
        if result.blocked_by.is_empty() {
            ours(result, Judgement::inconclusive(format!("it builds on `{root}`, which is not trusted for now")));
        }
    }
    total(&mut report);
    (report, ends)
}

/// Takes the place of what was judged; points reached by cases stay.
fn ours(result: &mut CheckpointResult, mut judgement: Judgement) {
    for evidence in &mut judgement.evidence {
        evidence.operator = Some(OPERATOR.to_owned());
    }
    result.outcome = judgement.outcome;
    result.blame = judgement.blame;
    result.evidence = judgement.evidence;
    result.blocked_by = Vec::new();
    result.cases = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::outcome::Blame;
    use crate::grade::testing::{self, checkpoint, task};

    const UNTIL: Time = Time(1_795_508_130_000);

    fn quarantine(checkpoint: &str) -> Quarantine {
        let report = sample(Judgement::pass());
        Quarantine {
            course: report.course.id,
            task: report.task,
            checkpoint: checkpoint.parse().unwrap(),
            until: UNTIL,
            reason: "it looks at the wrong port".to_owned(),
        }
    }

    /// `a` came out like this, `b` passed, `c` builds on `a`, `d` on `a` and on `e`, which failed.
    fn sample(a: Judgement) -> Report {
        let task = task(vec![
            checkpoint("a", 2, &[]),
            checkpoint("b", 1, &[]),
            checkpoint("c", 1, &["a"]),
            checkpoint("e", 1, &[]),
            checkpoint("d", 1, &["a", "e"]),
        ]);
        testing::report(
            &task,
            vec![("a", a), ("b", Judgement::pass()), ("c", Judgement::pass()), ("e", Judgement::fail(vec![]))],
        )
    }

    fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
        report.checkpoints.iter().map(|result| (result.id.as_str(), result.outcome)).collect()
    }

    #[test]
    fn what_does_not_pass_is_ours_and_costs_nothing() {
        use Outcome::{Blocked, Error, Fail, Inconclusive, Pass};
        for judgement in [Judgement::fail(vec![]), Judgement::error("x"), Judgement::inconclusive("x")] {
            let (report, ends) = apply(sample(judgement), &[quarantine("a")]);
            let expected = [("a", Error), ("b", Pass), ("c", Inconclusive), ("e", Fail), ("d", Blocked)];
            assert_eq!(outcomes(&report), expected);
            let a = &report.checkpoints[0];
            assert_eq!((a.outcome, a.blame), (Error, Some(Blame::Ours)));
            assert_eq!(
                a.evidence[0].message,
                "this checkpoint is not trusted until 2026-11-24 08:15 UTC: it looks at the wrong port; it costs you nothing \
                 meanwhile"
            );
            assert_eq!((report.outcome, report.provisional, ends), (Error, true, Some(UNTIL)));
        }
    }

    #[test]
    fn what_waits_for_it_alone_is_not_the_learners_either() {
        let (report, _) = apply(sample(Judgement::fail(vec![])), &[quarantine("a")]);
        let result = |id: &str| report.checkpoints.iter().find(|result| result.id.as_str() == id).unwrap();
        assert_eq!((result("c").outcome, result("c").blame), (Outcome::Inconclusive, Some(Blame::Ours)));
        assert!(is_quarantined(result("c")) && is_quarantined(result("a")) && !is_quarantined(result("e")));
        let d = result("d");
        assert_eq!((d.outcome, d.blocked_by.as_slice()), (Outcome::Blocked, ["e".parse().unwrap()].as_slice()));
    }

    #[test]
    fn a_pass_stays_a_pass_and_what_is_not_judged_here_stays_so() {
        for judgement in [Judgement::pass(), Judgement::not_run("not here")] {
            let before = sample(judgement);
            assert_eq!(apply(before.clone(), &[quarantine("a")]), (before, None));
        }
    }

    #[test]
    fn it_is_about_its_checkpoint_task_and_course_only() {
        let before = sample(Judgement::fail(vec![]));
        let other_task = Quarantine { task: "other".parse().unwrap(), ..quarantine("a") };
        let other_course = Quarantine { course: "other".parse().unwrap(), ..quarantine("a") };
        for quarantines in [vec![], vec![quarantine("b")], vec![other_task], vec![other_course]] {
            assert_eq!(apply(before.clone(), &quarantines), (before.clone(), None));
        }
    }

    #[test]
    fn of_two_the_longer_counts_and_twice_is_once() {
        let longer = Quarantine { until: Time(UNTIL.0 + 60_000), ..quarantine("a") };
        let (report, ends) = apply(sample(Judgement::fail(vec![])), &[longer.clone(), quarantine("a")]);
        assert_eq!(ends, Some(longer.until));
        assert_eq!(apply(report.clone(), &[longer, quarantine("a")]), (report, None));
    }

    #[test]
    fn points_reached_by_cases_stay() {
        let mut before = sample(Judgement::fail(vec![]));
        before.checkpoints[0].score = 1;
        let (report, _) = apply(before, &[quarantine("a")]);
        assert_eq!((report.score, report.points), (2, 6));
    }
}
