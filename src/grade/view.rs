//! What a learner may see of a report (design §6: hidden strings appear in no learner view).

use serde_json::Value;

use super::report::{CheckpointResult, Report};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::evidence::{ALL_IN_USE, Evidence, NOT_APPLIED};
use crate::checkpoint::outcome::Outcome;
use crate::checkpoint::spec::Visibility;
use crate::course::task::Task;

/// Whether a task is past its due date, which opens checkpoints of visibility `afterDue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Still to be handed in, or without a date.
    Open,
    /// The date has passed.
    Passed,
}

/// The report as the learner may see it. Where a checkpoint hides its expectation, or judges by hidden fixtures, what
/// remains of it is id, title, points, outcome, counts, the author's `message`, the learner's own place (file, line and
/// column; a pointer could name the expected field) and the `describe` of a hidden case.
pub fn learner_view(report: &Report, task: &Task, due: Due) -> Report {
    let mut view = report.clone();
    for result in &mut view.checkpoints {
        // A checkpoint that the task does not have cannot be shown to be open.
        let checkpoint = task.checkpoints.iter().find(|c| c.id == result.id);
        if checkpoint.is_none_or(|checkpoint| conceals(checkpoint, due)) {
            conceal(result, checkpoint.and_then(|c| c.message.as_deref()));
        }
    }
    view
}

/// Whether the expectation of a checkpoint is not the learner's to see.
pub fn conceals(checkpoint: &Checkpoint, due: Due) -> bool {
    let by_author = match (checkpoint.visibility, due) {
        (Visibility::Always, _) | (Visibility::AfterDue, Due::Passed) => false,
        (Visibility::AfterDue, Due::Open) | (Visibility::Never, _) => true,
    };
    by_author || uses_hidden_fixtures(checkpoint)
}

/// Whether the checkpoint names a file below `hidden/`, whatever its kind.
pub fn uses_hidden_fixtures(checkpoint: &Checkpoint) -> bool {
    fn names_hidden(value: &Value) -> bool {
        match value {
            Value::String(text) => text.starts_with("hidden/"),
            Value::Array(items) => items.iter().any(names_hidden),
            Value::Object(fields) => fields.values().any(names_hidden),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    // What cannot be looked at is treated as hidden.
    serde_json::to_value(checkpoint).map_or(true, |value| names_hidden(&value))
}

fn conceal(result: &mut CheckpointResult, message: Option<&str>) {
    let sentence = match (result.outcome, message, result.cases) {
        (Outcome::Fail, Some(message), _) => message.to_owned(),
        (Outcome::Fail, None, Some((passed, total))) => format!("{passed} of {total} cases pass"),
        (Outcome::Fail, None, None) => {
            "this is not what the task asks for; what exactly is looked for is not shown".to_owned()
        }
        // Sentences of `notRun` are ours and name no expectation.
        (Outcome::NotRun, _, _) => String::new(),
        _ => "it could not be judged; that is ours to mend".to_owned(),
    };
    let has_cases = result.cases.is_some();
    for evidence in &mut result.evidence {
        let Evidence { message, place, expected, actual, operator, subject } = evidence;
        // An instructor's words about a quarantine are for the learner; so is why their commit was not applied, or waits.
        let told = matches!(operator.as_deref(), Some(super::quarantine::OPERATOR | NOT_APPLIED | ALL_IN_USE));
        if result.outcome != Outcome::NotRun && !told {
            message.clone_from(&sentence);
        }
        *expected = None;
        *actual = None;
        *operator = None;
        place.pointer = None;
        // A learner's own object has a line; a hidden case has its `describe`. Any other subject is an expectation.
        if place.line.is_none() && !has_cases {
            *subject = None;
        }
    }
    result.evidence.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::checkpoint::evidence::Place;
    use crate::grade::{digest::outcome_digest, testing};

    const SECRET: &str = "s3cr3t";

    fn judgement(outcome: Outcome) -> Judgement {
        let place = Place {
            file: Some("web.yaml".to_owned()),
            line: Some(7),
            column: Some(3),
            pointer: Some(format!("/spec/{SECRET}")),
            ..Place::default()
        };
        let full = Evidence {
            message: format!("wants {SECRET}"),
            place,
            expected: Some(SECRET.into()),
            actual: Some(format!("not {SECRET}").into()),
            operator: Some(SECRET.to_owned()),
            subject: Some("Deployment web".to_owned()),
        };
        let nowhere = Evidence {
            message: format!("no object named {SECRET}"),
            subject: Some(format!("Deployment {SECRET}")),
            ..Evidence::default()
        };
        Judgement { outcome, ..Judgement::fail(vec![full, nowhere]) }
    }

    fn view(visibility: Visibility, due: Due, outcome: Outcome) -> (Report, Report) {
        let mut checkpoint = testing::checkpoint("a", 1, &[]);
        checkpoint.visibility = visibility;
        let task = testing::task(vec![checkpoint]);
        let report = testing::report(&task, vec![("a", judgement(outcome))]);
        let view = learner_view(&report, &task, due);
        (report, view)
    }

    #[test]
    fn a_hidden_expectation_is_nowhere_in_the_learners_view_whatever_the_outcome() {
        for (visibility, due) in
            [(Visibility::Never, Due::Open), (Visibility::Never, Due::Passed), (Visibility::AfterDue, Due::Open)]
        {
            for outcome in [Outcome::Fail, Outcome::Inconclusive, Outcome::Error, Outcome::Pass] {
                let (report, view) = view(visibility, due, outcome);
                let text = serde_json::to_string(&view).unwrap();
                assert!(serde_json::to_string(&report).unwrap().contains(SECRET));
                assert!(!text.contains(SECRET), "{visibility:?} {due:?} {outcome:?}: {text}");
                let place = &view.checkpoints[0].evidence[0].place;
                assert_eq!((place.line, place.column), (Some(7), Some(3)), "the learner's own place stays");
            }
        }
    }

    #[test]
    fn why_a_hidden_checkpoint_is_in_quarantine_or_its_commit_was_not_applied_is_told() {
        let told = [
            (crate::grade::quarantine::OPERATOR, Outcome::Error, "not trusted until tomorrow"),
            (NOT_APPLIED, Outcome::Fail, "the API server refused your Namespace"),
            (ALL_IN_USE, Outcome::Inconclusive, "yours follows when one is free"),
        ];
        for (operator, outcome, words) in told {
            let mut judgement = judgement(outcome);
            judgement.evidence.truncate(1);
            judgement.evidence[0].message = words.to_owned();
            judgement.evidence[0].operator = Some(operator.to_owned());
            let mut checkpoint = testing::checkpoint("a", 1, &[]);
            checkpoint.visibility = Visibility::Never;
            let task = testing::task(vec![checkpoint]);
            let view = learner_view(&testing::report(&task, vec![("a", judgement)]), &task, Due::Open);
            let text = serde_json::to_string(&view).unwrap();
            assert!(text.contains(words) && !text.contains(SECRET), "{text}");
        }
    }

    #[test]
    fn an_open_expectation_is_shown_whole() {
        for (visibility, due) in [(Visibility::Always, Due::Open), (Visibility::AfterDue, Due::Passed)] {
            let (report, view) = view(visibility, due, Outcome::Fail);
            assert_eq!(report, view);
        }
    }

    #[test]
    fn hiding_changes_neither_points_nor_digest() {
        let (report, view) = view(Visibility::Never, Due::Open, Outcome::Fail);
        assert_eq!((report.score, report.points, report.outcome), (view.score, view.points, view.outcome));
        assert_eq!(outcome_digest(&[report]), outcome_digest(&[view]));
    }
}
