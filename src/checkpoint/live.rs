//! `live`: Objects of the learner's environment match a partial object.
//!
//! Judged on one sample of what was seen there ([`super::observed`]); how long one waits is `timing`'s matter. Where there is
//! no environment its twin judges the files instead, and says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::{Evidence, Place};
use super::looking::Looking;
use super::matching::{self, Difference, Pattern, count};
use super::observed::{Maker, Sample, Seen, Want};
use super::outcome::{Blame, Outcome};
use super::select::{self, Select};
use super::twin::Twin;
use super::{Context, Judgement, Trace};
use crate::submission::tree::Tree;

/// Objects of the learner's environment match a partial object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Live {
    /// Which objects; `kind` must be named.
    pub select: Select,
    /// How many must be found at least; every one of them must match.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub min: u32,
    /// The partial object (`docs/matching.md`).
    #[serde(rename = "match")]
    pub matching: Value,
    /// How new the object's status must be; as it is when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Fresh>,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// How new a status must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fresh {
    /// `status.observedGeneration` is `metadata.generation`: its controller has seen the object as it is.
    ObservedGeneration,
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

impl Looking for Live {
    fn flaws(&self) -> Vec<(String, String)> {
        let mut problems = select::lint(None, &self.select, self.min);
        if self.select.kind.is_none() {
            problems.push(("/select".to_owned(), "name the `kind`: an environment is asked kind by kind".to_owned()));
        }
        if let Err(flaws) = Pattern::parse(&self.matching) {
            problems.extend(flaws.into_iter().map(|(at, message)| (format!("/match{at}"), message)));
        }
        problems
    }

    fn offline(&self) -> Option<&Twin> {
        self.offline.as_deref()
    }

    fn wanted(&self, _hidden: Option<&Tree>) -> Vec<Want> {
        let Select { api_version, kind, .. } = &self.select;
        kind.iter().map(|kind| Want::Objects { api_version: api_version.clone(), kind: kind.clone() }).collect()
    }

    fn judge_sample(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Judgement {
        let patterns = Pattern::parse(&self.matching)
            .and_then(|pattern| Ok((pattern, self.select.matching.as_ref().map(Pattern::parse).transpose()?)));
        let (pattern, wanted) = match patterns {
            Ok(patterns) => patterns,
            Err(flaws) => return Judgement::error(matching::words(&flaws)),
        };
        let fits = |seen: &&Seen| select::fits_object(&self.select, wanted.as_ref(), &seen.object);
        let (count_in, others): (Vec<&Seen>, Vec<&Seen>) =
            sample.objects.iter().filter(fits).partition(|seen| seen.maker.is_of_the_commit());
        let foreign: Vec<&Seen> = others.into_iter().filter(|seen| seen.maker == Maker::Somebody).collect();
        trace.say(|| format!("{} of the commit, {} of somebody else", count_in.len(), foreign.len()));
        if (count_in.len() as u64) < u64::from(self.min.max(1)) {
            return self.too_few(context, &count_in, &foreign);
        }
        let mut worst = None;
        let mut evidence = Vec::new();
        for seen in count_in {
            let subject = select::subject(&seen.object);
            if self.fresh == Some(Fresh::ObservedGeneration) && !is_fresh(&seen.object) {
                let why = format!("the controller of {subject} has not seen its newest change yet");
                return Judgement::inconclusive(why);
            }
            for difference in pattern.differences(&seen.object) {
                let (blame, place) = Self::whose(context, &seen.object, &difference);
                worst = worst.into_iter().chain([blame]).min_by_key(|blame| gravity(*blame));
                evidence.push(Evidence {
                    message: difference.message,
                    place,
                    expected: Some(difference.expected),
                    actual: difference.actual,
                    operator: Some(difference.operator.to_owned()),
                    subject: Some(at_version(&subject, &seen.object)),
                });
            }
        }
        match worst {
            None => Judgement::pass(),
            blame => Judgement { outcome: Outcome::Fail, blame, evidence, cases: None },
        }
    }
}

impl Live {
    /// The objects of the commit that it selects.
    pub fn selected<'s>(&self, sample: &'s Sample) -> Vec<&'s Value> {
        let Ok(wanted) = self.select.matching.as_ref().map(Pattern::parse).transpose() else { return Vec::new() };
        let counts = |seen: &&Seen| {
            seen.maker.is_of_the_commit() && select::fits_object(&self.select, wanted.as_ref(), &seen.object)
        };
        sample.objects.iter().filter(counts).map(|seen| &seen.object).collect()
    }

    fn too_few(&self, context: &Context<'_>, found: &[&Seen], foreign: &[&Seen]) -> Judgement {
        let wanted = select::wanted(&self.select);
        let mut message = match found.len() {
            0 => format!("the environment has no {wanted} of this commit"),
            n => format!("the environment has {n} {wanted} of this commit, need at least {}", self.min),
        };
        if let Some(first) = foreign.first() {
            message += &format!(
                "; {} is there, but nothing of this commit made it: what is made by hand does not count",
                select::subject(&first.object)
            );
        }
        if foreign.len() > 1 {
            message += &format!(", and {} more", count(foreign.len() - 1, "object"));
        }
        let place = select::written(context, &self.select).map_or_else(Place::default, |object| object.place(""));
        let expected = serde_json::to_value(&self.select).ok();
        let operator = Some("select".to_owned());
        Judgement::fail(vec![Evidence { message, place, expected, operator, ..Evidence::default() }])
    }

    /// Whose matter a difference is, and where in the learner's files: a field that they set is theirs, a status is of
    /// what became of them, and everything else was changed on the way.
    fn whose(context: &Context<'_>, object: &Value, difference: &Difference) -> (Blame, Place) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let this = Select { kind: text("/kind"), name: text("/metadata/name"), ..Select::default() };
        let Some(written) = select::written(context, &this) else { return (Blame::HealthyButWrong, Place::default()) };
        let status = difference.pointer.starts_with("/status");
        let blame = match written.value.pointer(&difference.pointer) {
            _ if status => Blame::NotHealthy,
            value if value == object.pointer(&difference.pointer) => Blame::YourFiles,
            _ => Blame::HealthyButWrong,
        };
        (blame, written.place(if status { "" } else { &difference.pointer }))
    }
}

/// What a learner can do most about comes first.
fn gravity(blame: Blame) -> u8 {
    match blame {
        Blame::YourFiles => 0,
        Blame::NotHealthy => 1,
        Blame::HealthyButWrong => 2,
        Blame::Ours => 3,
    }
}

fn is_fresh(object: &Value) -> bool {
    let generation = object.pointer("/metadata/generation");
    generation.is_none() || generation == object.pointer("/status/observedGeneration")
}

fn at_version(subject: &str, object: &Value) -> String {
    match object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
        Some(version) => format!("{subject} at resource version {}", matching::clip(version)),
        None => subject.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::Checkpoint;
    use super::super::observed::{Environs, Observed};
    use super::super::testing::{judge, judge_checkpoint, judge_seen, tree};
    use super::*;
    use crate::checkpoint::Check;

    const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n";

    fn live(extra: Value) -> Live {
        let mut value = json!({
            "select": {"kind": "Deployment", "name": "web"},
            "match": {"spec": {"replicas": 3}, "status": {"readyReplicas": 3}},
        });
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn seen(maker: Maker, replicas: u32, ready: u32) -> Seen {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "ada-shop", "generation": 4, "resourceVersion": "77"},
            "spec": {"replicas": replicas}, "status": {"readyReplicas": ready, "observedGeneration": 3},
        });
        Seen { object, maker }
    }

    fn judged(live: &Live, objects: Vec<Seen>) -> Judgement {
        judge_seen(live, &tree(&[("web.yaml", WEB)]), objects)
    }

    #[test]
    fn what_was_seen_is_compared_and_its_version_named() {
        assert_eq!(judged(&live(json!({})), vec![seen(Maker::Commit, 3, 3)]).outcome, Outcome::Pass);
        let judgement = judged(&live(json!({})), vec![seen(Maker::Commit, 1, 3)]);
        assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::YourFiles)));
        let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
        assert_eq!(evidence.message, "`replicas` is 1, must be 3");
        assert_eq!(evidence.subject.as_deref(), Some("Deployment ada-shop/web at resource version 77"));
        assert_eq!((evidence.place.file.as_deref(), evidence.place.line), (Some("web.yaml"), Some(6)));
    }

    #[test]
    fn a_status_points_at_the_object_and_a_field_that_somebody_changed_is_told_from_one_of_the_files() {
        let blames = |replicas, ready| {
            let judgement = judged(&live(json!({})), vec![seen(Maker::Commit, replicas, ready)]);
            (judgement.blame, judgement.evidence[0].place.line)
        };
        assert_eq!(blames(3, 0), (Some(Blame::NotHealthy), Some(1)));
        assert_eq!(blames(2, 3), (Some(Blame::HealthyButWrong), Some(6)));
        assert_eq!(blames(1, 0).0, Some(Blame::YourFiles), "what the learner can mend comes first");
    }

    #[test]
    fn what_was_made_by_hand_does_not_count_and_is_named() {
        // The course's is neither the learner's nor made by hand.
        let course = judged(&live(json!({})), vec![seen(Maker::Course, 3, 3)]);
        assert_eq!(course.outcome, Outcome::Fail);
        assert!(!course.evidence[0].message.contains("by hand"), "{course:?}");
        let beside = judged(&live(json!({})), vec![seen(Maker::Course, 1, 1), seen(Maker::Commit, 3, 3)]);
        assert_eq!(beside.outcome, Outcome::Pass);
        let judgement = judged(&live(json!({})), vec![seen(Maker::Somebody, 3, 3)]);
        assert_eq!(judgement.outcome, Outcome::Fail);
        assert_eq!(
            judgement.evidence[0].message,
            "the environment has no Deployment `web` of this commit; Deployment ada-shop/web is there, but nothing of this commit made it: what is made by hand does not count"
        );
        assert_eq!(judgement.evidence[0].place.file.as_deref(), Some("web.yaml"));
        let none = judged(&live(json!({})), Vec::new());
        assert_eq!(none.outcome, Outcome::Fail, "a selection that finds nothing never passes");
        let two = judged(&live(json!({"min": 2})), vec![seen(Maker::Commit, 3, 3)]);
        assert!(two.evidence[0].message.contains("has 1 Deployment `web` of this commit, need at least 2"), "{two:?}");
    }

    #[test]
    fn a_status_that_is_older_than_the_object_is_no_failure() {
        let judgement = judged(&live(json!({"fresh": "observedGeneration"})), vec![seen(Maker::Commit, 1, 0)]);
        assert_eq!(judgement.outcome, Outcome::Inconclusive, "{judgement:?}");
    }

    #[test]
    fn what_an_object_of_the_commit_says_ends_the_wait_and_no_other_object_does() {
        let checkpoint: Checkpoint = serde_json::from_value(json!({
            "id": "ready", "title": "Ready", "failFast": "object.status.readyReplicas == 0", "live": live(json!({})),
        }))
        .unwrap();
        let judged = |objects: Vec<Seen>| {
            let sample = Sample { objects, ..Sample::default() };
            let asked = checkpoint.wants(None);
            let seen = Environs::Seen(Observed { asked, samples: vec![sample], ..Observed::default() });
            judge_checkpoint(&checkpoint, &tree(&[("web.yaml", WEB)]), &seen)
        };
        let stuck = |maker| {
            let mut seen = seen(maker, 3, 0);
            seen.object["status"]["observedGeneration"] = json!(4);
            seen
        };
        let judgement = judged(vec![stuck(Maker::Commit)]);
        assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::NotHealthy)));
        let end = "(nobody waited any longer: as Deployment ada-shop/web is, waiting is in vain)";
        assert!(judgement.evidence[0].message.ends_with(end), "{judgement:?}");
        assert_eq!(judged(vec![stuck(Maker::Somebody)]).outcome, Outcome::Inconclusive, "somebody else's");
        assert_eq!(judged(vec![seen(Maker::Commit, 3, 0)]).outcome, Outcome::Inconclusive, "of the commit before");
        assert_eq!(judged(vec![seen(Maker::Commit, 3, 3)]).outcome, Outcome::Pass);
    }

    #[test]
    fn without_an_environment_the_twin_judges_the_files_and_says_so() {
        let files = tree(&[("web.yaml", WEB)]);
        assert_eq!(judge(&live(json!({})), &files).outcome, Outcome::NotRun);
        let twin = json!({"select": {"kind": "Deployment"}, "match": {"spec": {"replicas": 3}}});
        let judgement = judge(&live(json!({"offline": {"manifest": twin}})), &files);
        assert_eq!(judgement.outcome, Outcome::Fail);
        assert_eq!(
            judgement.evidence[0].message,
            "`replicas` is 1, must be 3 (judged on the files: there is no environment here)"
        );
    }

    #[test]
    fn a_checkpoint_that_nobody_could_judge_is_refused() {
        let problems = |extra: Value| -> Vec<String> {
            live(extra).lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(problems(json!({})), [""]);
        assert_eq!(problems(json!({"offline": {"manifest": {"match": {}}}})), Vec::<String>::new());
        assert_eq!(
            problems(json!({"select": {}, "match": {"$x": 1}, "offline": {"cel": {"rule": "1 +"}}})),
            ["/select", "/match/$x", "/offline/cel/rule"]
        );
    }
}
