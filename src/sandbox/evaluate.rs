//! The loop over checkpoints: what the child runs, and what runs in this process without one.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::{Advising, Judged, Screening, Tracing, Work};
use crate::checkpoint::evidence::Evidence;
use crate::checkpoint::observed::Environs;
use crate::checkpoint::outcome::Outcome;
use crate::checkpoint::screen::screen;
use crate::checkpoint::{Check, Context, Judgement, NOWHERE, Sight, Trace};
use crate::course::id::CheckpointId;
use crate::submission::advice::{Advice, advice};
use crate::submission::yaml::YamlFiles;

/// Most differences of one checkpoint that are reported: more than anybody reads, few enough for a review.
const MAX_EVIDENCE: usize = 100;

/// Longest text of a difference or a piece of advice in bytes; learner values can be as long as a file.
pub const MAX_TEXT: usize = 2_000;

/// Most lines and longest line of a trace.
const MAX_TRACE: usize = 5_000;

/// What happens while checkpoints are judged. Numbers are positions in [`Work::checkpoints`].
#[derive(Debug)]
pub enum Event {
    /// This one is now being judged.
    Begun(usize),
    /// This is its answer.
    Judged(usize, Judged),
    /// All is judged, and this is the advice that was wanted.
    Advised(Vec<Advice>),
}

/// Judges in the order given and tells each event as it happens. Skips what depends on a checkpoint that did not pass. Advice
/// comes last, when nothing can suffer by it any more.
pub fn evaluate(work: &Work<'_>, mut tell: impl FnMut(Event)) {
    let yaml = YamlFiles::new(work.files);
    let context = Context {
        files: work.files,
        base: work.base,
        yaml: &yaml,
        hidden: work.hidden,
        params: work.params,
        history: work.history,
        environment: Sight::Absent(NOWHERE),
        prefix: work.prefix,
        dialect: work.dialect,
        screened: None,
    };
    let screened = match (work.screening, work.tracing) {
        // Should it break, what it broke of breaks again where it is told whose it is.
        (Screening::On, Tracing::Off) => {
            let kinds = work.checkpoints.iter().map(|checkpoint| &checkpoint.kind as &dyn Check);
            catch_unwind(AssertUnwindSafe(|| screen(kinds, &context)))
        }
        _ => Ok(Vec::new()),
    };
    let screened = screened.unwrap_or_default();
    let mut passed = BTreeSet::new();
    let mut told: Option<&CheckpointId> = None;
    for (index, checkpoint) in work.checkpoints.iter().enumerate() {
        if !checkpoint.depends_on.iter().all(|id| passed.contains(id)) {
            continue;
        }
        tell(Event::Begun(index));
        let mut trace = match work.tracing {
            Tracing::Off => Trace::off(),
            Tracing::On => Trace::on(),
        };
        // Whatever is shared here is read only or a cache that is filled in one step: a panic leaves nothing half done.
        let judged = || match (told, work.environs) {
            (Some(first), Some(Environs::Shut(why))) if checkpoint.is_live() => why.as_told_by(first),
            _ => {
                let screened = screened.get(index).and_then(Option::as_ref);
                checkpoint.judge(&Context { screened, ..context }, work.environs, &mut trace)
            }
        };
        let judgement = catch_unwind(AssertUnwindSafe(judged))
            .unwrap_or_else(|_| Judgement::error("the grader broke while judging this; that is a bug of ours"));
        let judgement = clipped(judgement);
        // What keeps a commit from running is told in full once.
        if matches!(work.environs, Some(Environs::Shut(_))) && checkpoint.is_live() {
            told.get_or_insert(&checkpoint.id);
        }
        if judgement.outcome == Outcome::Pass {
            passed.insert(&checkpoint.id);
        }
        let mut trace = trace.into_lines();
        trace.truncate(MAX_TRACE);
        trace.iter_mut().for_each(|(_, line)| clip(line));
        tell(Event::Judged(index, Judged { judgement, trace }));
    }
    if work.advising == Advising::On {
        // On the files as they were read for the checkpoints: none is parsed a second time.
        let mut found = catch_unwind(AssertUnwindSafe(|| advice(&yaml, work.dialect))).unwrap_or_default();
        found.iter_mut().for_each(|piece| clip(&mut piece.message));
        tell(Event::Advised(found));
    }
}

/// The judgement with everything in it short enough to be shown and sent.
fn clipped(mut judgement: Judgement) -> Judgement {
    let more = judgement.evidence.len().saturating_sub(MAX_EVIDENCE);
    judgement.evidence.truncate(MAX_EVIDENCE);
    if more > 0 {
        let message = format!("and {more} more differences");
        judgement.evidence.push(Evidence { message, ..Evidence::default() });
    }
    for evidence in &mut judgement.evidence {
        clip(&mut evidence.message);
        for text in [&mut evidence.operator, &mut evidence.subject, &mut evidence.place.pointer].into_iter().flatten() {
            clip(text);
        }
        for value in [&mut evidence.expected, &mut evidence.actual] {
            if value.as_ref().is_some_and(|value| size(value) > MAX_TEXT) {
                *value = value.take().map(shortened);
            }
        }
    }
    judgement
}

/// Characters of a value, roughly; stops counting when it is too many.
fn size(value: &Value) -> usize {
    fn add(value: &Value, sum: &mut usize) {
        if *sum > MAX_TEXT {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => *sum += 5,
            Value::String(text) => *sum += text.len() + 2,
            Value::Array(items) => items.iter().for_each(|item| add(item, sum)),
            Value::Object(fields) => fields.iter().for_each(|(key, field)| {
                *sum += key.len() + 2;
                add(field, sum);
            }),
        }
    }
    let mut sum = 0;
    add(value, &mut sum);
    sum
}

/// A value too large to show: its beginning, as text.
fn shortened(value: Value) -> Value {
    let mut text = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    clip(&mut text);
    Value::String(text)
}

fn clip(text: &mut String) {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_values_never_make_a_judgement_large() {
        let huge: Value = vec!["ä".repeat(5_000); 10].into();
        let evidence = Evidence {
            message: "m".repeat(10_000),
            expected: Some(3.into()),
            actual: Some(huge),
            ..Evidence::default()
        };
        let judgement = clipped(Judgement::fail(vec![evidence; 300]));
        assert_eq!(judgement.evidence.len(), MAX_EVIDENCE + 1);
        assert_eq!(judgement.evidence[0].expected, Some(3.into()), "what is short stays data");
        assert_eq!(judgement.evidence[MAX_EVIDENCE].message, "and 200 more differences");
        assert!(serde_json::to_string(&judgement).unwrap().len() < 1_000_000);
    }

    #[test]
    fn what_keeps_a_commit_from_running_is_told_in_full_once() {
        use crate::course::values::Values;
        use crate::submission::tree::Tree;
        let live = |id: &str| -> crate::checkpoint::Checkpoint {
            let kind = serde_json::json!({"select": {"kind": "Pod"}, "match": {}});
            serde_json::from_value(serde_json::json!({"id": id, "title": id, "live": kind})).unwrap()
        };
        let (one, two) = (live("one"), live("two"));
        let reasons = ["no Jobs", "no Secrets"].map(|why| Evidence { message: why.into(), ..Evidence::default() });
        let environs = Environs::Shut(Judgement::fail(reasons.to_vec()));
        let work = Work {
            checkpoints: &[&one, &two],
            files: &Tree::default(),
            base: &Tree::default(),
            hidden: None,
            params: &Values::new(),
            history: None,
            environs: Some(&environs),
            prefix: "tasks/x/",
            dialect: crate::submission::yaml::Dialect::Kubectl,
            tracing: Tracing::Off,
            screening: Screening::On,
            advising: Advising::Off,
        };
        let mut told = Vec::new();
        evaluate(&work, |event| {
            if let Event::Judged(_, judged) = event {
                let words = judged.judgement.evidence.into_iter().map(|one| one.message).collect::<Vec<_>>();
                told.push((judged.judgement.outcome, words.join("; ")));
            }
        });
        let fails =
            [(Outcome::Fail, "no Jobs; no Secrets".into()), (Outcome::Fail, "for the same reason as `one`".into())];
        assert_eq!(told, fails);
    }
}
