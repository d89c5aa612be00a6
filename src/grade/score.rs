//! From standings to a report: points, sentences, paths.

use std::collections::BTreeMap;

use super::Job;
use super::plan::Standing;
use super::report::{CheckpointResult, Report, ReportKind};
use crate::checkpoint::outcome::Outcome;
use crate::checkpoint::spec::Credit;
use crate::checkpoint::{Checkpoint, Judgement};
use crate::course::id::CheckpointId;
use crate::course::task::API_VERSION;

/// The report of a job.
pub fn report(job: &Job<'_>, standings: &BTreeMap<&CheckpointId, Standing>) -> Report {
    let prefix = job.prefix();
    let checkpoints: Vec<CheckpointResult> = job
        .task
        .checkpoints
        .iter()
        .filter_map(|checkpoint| Some(result(checkpoint, standings.get(&checkpoint.id)?, &prefix)))
        .collect();
    let mut report = Report {
        api_version: API_VERSION.to_owned(),
        kind: ReportKind::Report,
        task: job.task.id.clone(),
        title: job.task.title.clone(),
        course: job.course.clone(),
        commit: job.commit.cloned(),
        score: 0,
        points: 0,
        outcome: Outcome::NotRun,
        provisional: false,
        checkpoints,
    };
    total(&mut report);
    report
}

/// Sets what follows from the checkpoints.
pub(super) fn total(report: &mut Report) {
    let judged = || report.checkpoints.iter().filter(|c| c.outcome != Outcome::NotRun);
    let score = judged().map(|c| c.score).sum();
    let points = judged().map(|c| c.points).sum();
    let outcome = overall(judged().map(|c| c.outcome));
    let provisional = judged().any(|c| c.outcome.is_provisional());
    (report.score, report.points, report.outcome, report.provisional) = (score, points, outcome, provisional);
}

/// The outcome of a report from those of its judged checkpoints.
fn overall(judged: impl Iterator<Item = Outcome> + Clone) -> Outcome {
    let any = |outcome| judged.clone().any(|o| o == outcome);
    if any(Outcome::Error) {
        Outcome::Error
    } else if any(Outcome::Inconclusive) {
        Outcome::Inconclusive
    } else if any(Outcome::Fail) || any(Outcome::Blocked) {
        Outcome::Fail
    } else if any(Outcome::Pass) {
        Outcome::Pass
    } else {
        Outcome::NotRun
    }
}

fn result(checkpoint: &Checkpoint, standing: &Standing, prefix: &str) -> CheckpointResult {
    let mut result = CheckpointResult {
        id: checkpoint.id.clone(),
        title: checkpoint.title.clone(),
        outcome: Outcome::Blocked,
        score: 0,
        points: checkpoint.points,
        blame: None,
        blocked_by: Vec::new(),
        cases: None,
        evidence: Vec::new(),
    };
    match standing {
        Standing::Blocked(roots) => result.blocked_by = roots.clone(),
        Standing::Judged(judgement) => {
            result.outcome = judgement.outcome;
            result.score = points(checkpoint, judgement);
            result.blame = judgement.blame;
            result.cases = judgement.cases;
            result.evidence = judgement.evidence.clone();
            for evidence in &mut result.evidence {
                if let Some(file) = &mut evidence.place.file {
                    file.insert_str(0, prefix);
                }
                if let (Outcome::Fail, Some(message)) = (judgement.outcome, &checkpoint.message) {
                    evidence.message.clone_from(message);
                }
            }
        }
    }
    result
}

/// Whole points only; a share is rounded down, and nothing but a pass gives all of them.
fn points(checkpoint: &Checkpoint, judgement: &Judgement) -> u32 {
    match (judgement.outcome, checkpoint.credit, judgement.cases) {
        (Outcome::Pass, _, _) => checkpoint.points,
        (Outcome::Fail, Credit::PerCase, Some((passed, total))) if total > 0 => {
            let share = u64::from(checkpoint.points) * u64::from(passed) / u64::from(total);
            let most = checkpoint.points.saturating_sub(1);
            u32::try_from(share).map_or(most, |share| share.min(most))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::evidence::{Evidence, Place};
    use crate::grade::testing::{self, checkpoint, task};

    fn fail(message: &str) -> Judgement {
        let place = Place { file: Some("app/web.yaml".to_owned()), line: Some(3), ..Place::default() };
        Judgement::fail(vec![Evidence { message: message.to_owned(), place, ..Evidence::default() }])
    }

    fn cases(passed: u32, total: u32) -> Judgement {
        Judgement { cases: Some((passed, total)), ..fail("some cases fail") }
    }

    #[test]
    fn a_share_is_rounded_down_and_only_a_pass_is_full() {
        let mut shared = checkpoint("a", 5, &[]);
        shared.credit = Credit::PerCase;
        for (judgement, expected) in [
            (cases(0, 3), 0),
            (cases(1, 3), 1),
            (cases(2, 3), 3),
            (cases(3, 3), 4),
            (cases(7, 0), 0),
            (cases(u32::MAX, 1), 4),
            (Judgement { cases: Some((3, 3)), ..Judgement::pass() }, 5),
            (Judgement { cases: Some((2, 3)), ..Judgement::inconclusive("x") }, 0),
        ] {
            assert_eq!(points(&shared, &judgement), expected, "{judgement:?}");
        }
        assert_eq!(points(&checkpoint("a", 5, &[]), &cases(2, 3)), 0);
    }

    #[test]
    fn what_is_not_run_is_left_out_of_the_total() {
        let task = task(vec![checkpoint("a", 3, &[]), checkpoint("b", 4, &[])]);
        let report = testing::report(&task, vec![("a", Judgement::pass()), ("b", Judgement::not_run("not here"))]);
        assert_eq!((report.score, report.points, report.outcome), (3, 3, Outcome::Pass));
        assert!(!report.provisional);
    }

    #[test]
    fn the_outcome_of_a_report_is_that_of_its_gravest_checkpoint() {
        use Outcome::{Error, Fail, Inconclusive, NotRun, Pass};
        for (outcomes, expected, provisional) in [
            (vec![Pass, Pass], Pass, false),
            (vec![Pass, Fail], Fail, false),
            (vec![NotRun, NotRun], NotRun, false),
            (vec![Fail, Inconclusive], Inconclusive, true),
            (vec![Inconclusive, Error], Error, true),
            (vec![], NotRun, false),
        ] {
            let ids = ["a", "b"];
            let task = task(outcomes.iter().zip(ids).map(|(_, id)| checkpoint(id, 1, &[])).collect());
            let judged = outcomes.iter().map(|o| Judgement { outcome: *o, ..Judgement::pass() });
            let report = testing::report(&task, ids.into_iter().zip(judged).collect());
            assert_eq!((report.outcome, report.provisional), (expected, provisional), "{outcomes:?}");
        }
    }

    #[test]
    fn the_authors_message_replaces_the_sentence_and_nothing_else() {
        let mut with_message = checkpoint("a", 1, &[]);
        with_message.message = Some("The window must close on Friday".to_owned());
        let task = task(vec![with_message, checkpoint("b", 1, &[])]);
        let report = testing::report(&task, vec![("a", fail("generated")), ("b", fail("generated"))]);
        let [a, b] = [&report.checkpoints[0].evidence[0], &report.checkpoints[1].evidence[0]];
        assert_eq!((a.message.as_str(), b.message.as_str()), ("The window must close on Friday", "generated"));
        assert_eq!(a.place.file.as_deref(), Some("tasks/first-steps/app/web.yaml"));
        assert_eq!(a.place.line, Some(3));
    }
}
