//! `argocd`: What Argo CD says of the learner's environment: how healthy it calls everything together, and how it applied it.
//!
//! That the cluster is proven to run the commit, and in sync with it, is the gate's matter: no other sample is ever judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::{Evidence, Place};
use super::looking::Looking;
use super::matching::{self, Difference, Pattern, clip};
use super::observed::{Said, Sample, Want};
use super::outcome::{Blame, Outcome};
use super::select::{self, Select};
use super::twin::Twin;
use super::{Context, Judgement, Trace};
use crate::submission::tree::Tree;

/// What Argo CD says of the learner's environment, which runs this commit and is in sync with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgoCd {
    /// How healthy it calls all objects together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// A partial object (`docs/matching.md`) of its Application, of which there is `spec.syncPolicy`, `spec.source.path`, and of `status`:
    /// `sync.status`, `health`, `resources`, `summary`, `operationState.phase` and `operationState.syncResult.resources`.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Value>,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// A word of Argo CD for how well something is (3.6, docs/operator-manual/health.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Health {
    /// As it should be.
    Healthy,
    /// On the way there.
    Progressing,
    /// Something failed.
    Degraded,
    /// Stopped on purpose.
    Suspended,
    /// Something is not in the cluster.
    Missing,
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
            Self::Suspended => "Suspended",
            Self::Missing => "Missing",
        }
    }
}

impl Looking for ArgoCd {
    fn flaws(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.health.is_none() && self.matching.is_none() {
            let message =
                "say what is expected: `health` or `match`; that the commit is in sync is always proven first";
            problems.push((String::new(), message.to_owned()));
        }
        if let Some(Err(flaws)) = self.matching.as_ref().map(Pattern::parse) {
            problems.extend(flaws.into_iter().map(|(at, message)| (format!("/match{at}"), message)));
        }
        problems
    }

    fn offline(&self) -> Option<&Twin> {
        self.offline.as_deref()
    }

    fn wanted(&self, _hidden: Option<&Tree>) -> Vec<Want> {
        vec![Want::Application]
    }

    fn judge_sample(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Judgement {
        let application = match sample.said(&Want::Application) {
            Some(Said::Application(application)) => application,
            Some(Said::Nothing(why)) => return Judgement::inconclusive(why.clone()),
            _ => return Judgement::inconclusive("Argo CD was not asked"),
        };
        let mut evidence: Vec<(Blame, Evidence)> = Vec::new();
        let health = text(application, "/status/health/status");
        trace.say(|| format!("Argo CD calls it {health}"));
        if let Some(expected) = self.health
            && expected.word() != health
        {
            evidence.extend(unhealthy(context, application, expected));
        }
        match self.matching.as_ref().map(Pattern::parse).transpose() {
            Ok(pattern) => {
                let differences = pattern.iter().flat_map(|pattern| pattern.differences(application));
                evidence.extend(differences.map(|difference| told(context, difference)));
            }
            Err(flaws) => return Judgement::error(matching::words(&flaws)),
        }
        let whose = |blame| evidence.iter().any(|(of, _)| *of == blame);
        let blame =
            [Blame::YourFiles, Blame::NotHealthy, Blame::HealthyButWrong].into_iter().find(|blame| whose(*blame));
        match blame {
            None => Judgement::pass(),
            blame => {
                let evidence = evidence.into_iter().map(|(_, evidence)| evidence).collect();
                Judgement { outcome: Outcome::Fail, blame, evidence, cases: None }
            }
        }
    }
}

/// Another health than expected, and each object that Argo CD names for it.
fn unhealthy(context: &Context<'_>, application: &Value, expected: Health) -> Vec<(Blame, Evidence)> {
    let whole = |words: String, place| Evidence {
        message: words,
        place,
        expected: Some(expected.word().into()),
        actual: Some(text(application, "/status/health/status").into()),
        operator: Some("health".to_owned()),
        subject: None,
    };
    let health = match text(application, "/status/health/status") {
        "" => "says nothing of its health".to_owned(),
        word => format!("calls it {}", clip(word)),
    };
    let message = match text(application, "/status/health/message") {
        "" => String::new(),
        words => format!(" ({})", clip(words)),
    };
    let mut all = vec![whole(format!("Argo CD {health}{message}, must be {}", expected.word()), Place::default())];
    let resources = application.pointer("/status/resources").and_then(Value::as_array);
    // Argo CD keeps the health of single objects here only when it is told to.
    let other = |one: &&Value| !["", expected.word()].contains(&text(one, "/health/status"));
    for one in resources.into_iter().flatten().filter(other) {
        let (kind, name) = (text(one, "/kind"), text(one, "/name"));
        let this = Select { kind: Some(kind.to_owned()), name: Some(name.to_owned()), ..Select::default() };
        let place = select::written(context, &this).map_or_else(Place::default, |written| written.place(""));
        let words = format!("{} {}", text(one, "/health/status"), text(one, "/health/message"));
        let message = format!("{} `{}` is {}", clip(kind), clip(name), clip(words.trim_end()));
        all.push(Evidence { subject: Some(format!("{kind} {name}")), ..whole(message, place) });
    }
    all.into_iter().map(|evidence| (Blame::NotHealthy, evidence)).collect()
}

/// A difference of the Application: in its spec it is of the learner's own, where there is one.
fn told(context: &Context<'_>, difference: Difference) -> (Blame, Evidence) {
    let own = Select { kind: Some("Application".to_owned()), ..Select::default() };
    let written = select::written(context, &own).filter(|_| difference.pointer.starts_with("/spec"));
    let blame = match (&written, difference.pointer.starts_with("/status")) {
        (Some(_), _) => Blame::YourFiles,
        (None, true) => Blame::NotHealthy,
        (None, false) => Blame::HealthyButWrong,
    };
    let evidence = Evidence {
        place: written.map_or_else(Place::default, |written| written.place(&difference.pointer)),
        message: difference.message,
        expected: Some(difference.expected),
        actual: difference.actual,
        operator: Some(difference.operator.to_owned()),
        subject: Some("the environment's Application".to_owned()),
    };
    (blame, evidence)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::testing::{judge, judge_said, tree};
    use super::*;
    use crate::checkpoint::Check;
    use crate::gitops::shown::shown;

    const OWN: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n  syncPolicy:\n    automated:\n      prune: false\n";

    fn argocd(value: Value) -> ArgoCd {
        serde_json::from_value(value).unwrap()
    }

    fn application(health: &str) -> Value {
        let read = include_str!("../gitops/gate/fixtures/single.json");
        let mut read: Value = serde_json::from_str(read).unwrap();
        read["status"]["health"]["status"] = health.into();
        shown(&read)
    }

    fn judged(check: &ArgoCd, application: Value) -> Judgement {
        let files = tree(&[
            ("apps/shop.yaml", OWN),
            ("web.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"),
        ]);
        judge_said(check, &files, None, &[Said::Application(application)])
    }

    #[test]
    fn health_is_what_argo_cd_says_and_each_object_it_names_stands_at_its_file() {
        let healthy = argocd(json!({ "health": "Healthy" }));
        assert_eq!(judged(&healthy, application("Healthy")).outcome, Outcome::Pass);
        let judgement = judged(&healthy, application("Progressing"));
        assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::NotHealthy)));
        let [whole, web] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
        assert_eq!(whole.message, "Argo CD calls it Progressing, must be Healthy");
        assert_eq!(web.message, "Deployment `web` is Progressing 0 of 2 updated replicas are available");
        assert_eq!((web.place.file.as_deref(), web.place.line), (Some("web.yaml"), Some(1)));
        let degraded = argocd(json!({ "health": "Degraded" }));
        assert_eq!(judged(&degraded, application("Degraded")).outcome, Outcome::Pass, "a task may ask for it");
    }

    #[test]
    fn a_field_of_the_learners_own_application_is_theirs_and_stands_at_its_line() {
        let prunes = argocd(json!({ "match": { "spec": { "syncPolicy": { "automated": { "prune": true } } } } }));
        assert_eq!(judged(&prunes, application("Healthy")).outcome, Outcome::Pass);
        let mut wrong = application("Healthy");
        wrong["spec"]["syncPolicy"]["automated"]["prune"] = false.into();
        let judgement = judged(&prunes, wrong);
        let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
        assert_eq!((judgement.blame, evidence.place.line), (Some(Blame::YourFiles), Some(7)), "{judgement:?}");
        let order = json!({ "match": { "status": { "operationState": { "syncResult": { "resources": [
            { "kind": "Service", "name": "web", "syncPhase": "PreSync" }] } } } } });
        assert_eq!(judged(&argocd(order), application("Healthy")).blame, Some(Blame::NotHealthy));
    }

    #[test]
    fn no_answer_is_no_failure_and_without_an_environment_the_twin_judges() {
        let check = argocd(json!({ "health": "Healthy" }));
        let away = judge_said(&check, &tree(&[]), None, &[Said::Nothing("away".into())]);
        assert_eq!(away.outcome, Outcome::Inconclusive);
        assert_eq!(judge(&check, &tree(&[])).outcome, Outcome::NotRun);
    }

    #[test]
    fn what_expects_nothing_is_refused() {
        let problems = |value: Value| -> Vec<String> {
            argocd(value).lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
        };
        let twin = json!({ "manifest": { "match": {} } });
        assert_eq!(problems(json!({ "offline": twin })), [""]);
        assert_eq!(problems(json!({ "health": "Healthy", "offline": twin })), Vec::<String>::new());
        assert_eq!(problems(json!({ "match": { "$x": 1 }, "offline": twin })), ["/match/$x"]);
    }
}
