//! What an operator has to hear of a grading: checkpoints that the course or the platform is at fault for.

use super::grader::Grading;
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, TaskId};
use crate::forge::pull::PullKey;
use crate::grade::quarantine::is_quarantined;

/// A checkpoint that nobody can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault<'a> {
    task: &'a TaskId,
    checkpoint: &'a CheckpointId,
    cause: &'a str,
}

/// Writes each of them into the log. A cause may hold learner text: `Debug` keeps it on its line.
pub(super) fn alert(pull: &PullKey, grading: &Grading) {
    for Fault { task, checkpoint, cause } in faults(grading) {
        tracing::warn!(%pull, %task, %checkpoint, ?cause, "a checkpoint cannot be judged: the course's fault, or ours");
    }
}

/// Those that no instructor has put in quarantine already.
fn faults(grading: &Grading) -> impl Iterator<Item = Fault<'_>> {
    grading.tasks.iter().flat_map(|graded| {
        let results = graded.report.checkpoints.iter();
        results.filter(|result| result.outcome == Outcome::Error && !is_quarantined(result)).map(|result| Fault {
            task: &graded.report.task,
            checkpoint: &result.id,
            cause: result.evidence.first().map_or("not said", |evidence| &evidence.message),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::grade::quarantine::{Quarantine, apply};
    use crate::grade::report::Report;
    use crate::grade::testing::{checkpoint, report, task};
    use crate::reconcile::grader::GradedTask;
    use crate::reconcile::testing;
    use crate::store::time::Time;

    fn grading_of(report: Report) -> Grading {
        let graded = GradedTask { files: "0".repeat(40).parse().unwrap(), attempt: 1, report, observed: None };
        testing::grading(graded.report.course.clone(), vec![graded])
    }

    #[test]
    fn what_is_not_the_learners_is_named_unless_an_instructor_knows_of_it() {
        let task = task(vec![checkpoint("a", 3, &[]), checkpoint("b", 1, &[])]);
        let broken = || report(&task, vec![("a", Judgement::error("no such rule")), ("b", Judgement::fail(vec![]))]);
        let grading = grading_of(broken());
        let found: Vec<_> = faults(&grading).map(|fault| (fault.checkpoint.as_str(), fault.cause)).collect();
        assert_eq!(found, [("a", "no such rule")]);
        let known = Quarantine {
            course: grading.course.id.clone(),
            task: task.id.clone(),
            checkpoint: "a".parse().unwrap(),
            until: Time(i64::MAX),
            reason: "seen".to_owned(),
        };
        let quarantined = grading_of(apply(broken(), &[known]).0);
        assert_eq!(faults(&quarantined).count(), 0);
    }
}
