//! `scenario`: What becomes of the learner's environment when something in it is changed, step by step.
//!
//! What is done and what came of it is data ([`super::scene`]); doing it is somebody else's matter, as looking is. Each step
//! begins in the state that the commit asks for, and its check is judged on what was seen from its act on, by its own time
//! words. So every step that fails is told of at once.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::argocd::ArgoCd;
use super::evidence::{Evidence, Place};
use super::http::Http;
use super::live::Live;
use super::matching::clip_at;
use super::observed::{Sample, Want};
use super::outcome::{Blame, Outcome};
use super::scene::{Act, Done, Played, Scene, Target, uid};
use super::select::{self, Select};
use super::timing::{Consistently, Eventually, MOST, Timing};
use super::twin::{self, Twin};
use super::{Check, Context, Judgement, Sight, Trace, spec};
use crate::config::span::Span;
use crate::submission::tree::Tree;

/// Characters of the API server's words that are shown.
const WORDS: usize = 300;

/// What becomes of the learner's environment when something in it is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// One after another; each begins in the state that the commit asks for. At least one. A step is a case.
    pub steps: Vec<Step>,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// Something that is done, and what has to become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScenarioStep")]
pub struct Step {
    /// Exactly one act. It is undone afterwards, whatever came of it.
    #[serde(rename = "do")]
    pub act: Act,
    /// What has to hold then, within 15 s where no time word says otherwise.
    pub check: Expectation,
    /// At some time within this, counted from the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eventually: Option<Eventually>,
    /// From the act on, or with `eventually` from when it first holds, without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistently: Option<Consistently>,
    /// For so long without a break, at some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_for: Option<Span>,
}

/// What has to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// As the kind of this name.
    Live(Live),
    /// As the kind of this name.
    Argocd(ArgoCd),
    /// As the kind of this name.
    Http(Http),
    /// The object that the act was about is there no more.
    Gone(Target),
}

impl Expectation {
    fn check(&self) -> (&'static str, &dyn Check) {
        match self {
            Expectation::Live(live) => ("live", live),
            Expectation::Argocd(argocd) => ("argocd", argocd),
            Expectation::Http(http) => ("http", http),
            Expectation::Gone(target) => ("gone", target),
        }
    }
}

/// `gone`: no object of this name is there.
impl Check for Target {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        vec![(String::new(), twin::MISSING.to_owned())]
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        let sample = match context.environment {
            Sight::Seen(sample) => sample,
            Sight::Absent(why) => return Judgement::not_run(why),
        };
        let found = sample.objects.iter().filter(|seen| self.is(&seen.object)).count();
        trace.say(|| format!("{found} of them there"));
        if found == 0 {
            return Judgement::pass();
        }
        let message = format!("{self} is still there");
        Judgement::fail(vec![Evidence { message, operator: Some("gone".to_owned()), ..Evidence::default() }])
    }

    fn is_live(&self) -> bool {
        true
    }

    fn wants(&self, _hidden: Option<&Tree>) -> Vec<Want> {
        vec![Want::Objects { api_version: self.api_version.clone(), kind: self.kind.clone() }]
    }
}

impl Check for Scenario {
    fn lint(&self, params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.steps.is_empty() {
            problems.push(("/steps".to_owned(), "say what is done: a scenario has at least one step".to_owned()));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let below = |(at, message): (String, String)| (format!("/steps/{index}{at}"), message);
            problems.extend(step.lint(params).into_iter().map(below));
        }
        let all: Duration = self.steps.iter().map(|step| step.timing().horizon()).sum();
        if all > MOST {
            let message = format!("a learner waits no longer than {}, all steps together: ask for less", Span(MOST));
            problems.push(("/steps".to_owned(), message));
        }
        problems.extend(twin::lint(self.offline.as_deref(), params));
        problems
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        match context.environment {
            Sight::Seen(_) => Judgement::error("a scenario is judged on what was done, not on what was seen before it"),
            Sight::Absent(why) => {
                for (number, step) in (1..).zip(&self.steps) {
                    let (kind, _) = step.check.check();
                    trace.say(|| format!("step {number} is not tried here: {}: `{kind}`", step.act.words()));
                }
                twin::judge(self.offline.as_deref(), why, context, trace)
            }
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

impl Step {
    /// Its time words.
    pub fn timing(&self) -> Timing {
        Timing { eventually: self.eventually, consistently: self.consistently, stable_for: self.stable_for }
    }

    /// What its check wants to know of the environment.
    pub fn wants(&self, hidden: Option<&Tree>) -> Vec<Want> {
        self.check.check().1.wants(hidden)
    }

    fn lint(&self, params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let word = self.act.word();
        let mut problems: Vec<_> =
            self.act.nonsense().into_iter().map(|(at, message)| (format!("/do/{word}{at}"), message)).collect();
        let (kind, check) = self.check.check();
        let (missing, others): (Vec<_>, Vec<_>) =
            check.lint(params).into_iter().partition(|(_, message)| message == twin::MISSING);
        if missing.is_empty() {
            let message = "the scenario's own `offline` judges the files: delete this one";
            problems.push((format!("/check/{kind}/offline"), message.to_owned()));
        }
        problems.extend(others.into_iter().map(|(at, message)| (format!("/check/{kind}{at}"), message)));
        if let Expectation::Gone(gone) = &self.check
            && (Target { api_version: None, ..gone.clone() }) != (Target { api_version: None, ..self.act.target() })
        {
            let message = format!("`gone` is about what was done: name {} as in `do`", self.act.target());
            problems.push(("/check/gone".to_owned(), message));
        }
        let at_once = self.stable_for.is_none() && self.consistently.is_none();
        if at_once && matches!(self.check, Expectation::Argocd(_)) {
            let message = "Argo CD notices what was done after a moment, and says until then what was before: add `stableFor`, as in \
                           `stableFor: 5s`";
            problems.push(("/check/argocd".to_owned(), message.to_owned()));
        }
        problems.extend(self.timing().lint().into_iter().map(|(at, message)| (at.to_owned(), message)));
        problems
    }

    /// What becomes of it; none while more has to be seen.
    fn judge(&self, played: &Played, context: &Context<'_>, trace: &mut Trace) -> Option<Judgement> {
        trace.say(|| format!("{}: {}", self.act.words(), told(&played.done)));
        let target = self.act.target();
        let (before, after) = match &played.done {
            Done::Acted { before, after } => (before.as_ref(), after.as_ref()),
            Done::Missing => {
                let message =
                    format!("the environment has no {target} of this commit that could be {}", self.act.done());
                return Some(self.nothing(context, message));
            }
            Done::Foreign => {
                let why = "but nothing of this commit made it: what is made by hand does not count";
                return Some(self.nothing(context, format!("{target} is there, {why}")));
            }
            Done::Taken => {
                let why = "is of this commit, and its name has to be free for what is tried here";
                return Some(self.nothing(context, format!("{target} {why}")));
            }
            Done::Refused { code, message } => {
                let words = format!("{target} could not be changed to try it: {}", clip_at(WORDS, message));
                // What no API server would take is the author's.
                let theirs = matches!(code, 400 | 422);
                return Some(if theirs { Judgement::error(words) } else { Judgement::inconclusive(words) });
            }
            Done::Unknown(why) => {
                return Some(Judgement::inconclusive(format!("{target} could not be changed to try it: {why}")));
            }
        };
        if !self.act.changed(before, after) {
            let why = "is as the act would make it already, so that it proves nothing";
            return Some(Judgement::error(format!(
                "{target} {why}: let the checkpoint depend on one that asks for the other state"
            )));
        }
        let (_, check) = self.check.check();
        if self.wants(context.hidden).iter().any(|want| !played.seen.asked.contains(want)) {
            return Some(Judgement::not_run("when this was tried, something else was looked at"));
        }
        // An object that was deleted is not back while it is still the same one.
        let deleted = before.filter(|_| matches!(self.act, Act::Delete(_))).map(uid);
        let looks = played.seen.samples.iter().map(|sample| match deleted {
            None => spec::look(check, context, sample, trace),
            Some(uid) => spec::look(check, context, &without(sample, uid), trace),
        });
        let mut verdict = self.timing().verdict(looks.collect(), played.seen.over)?;
        // What the file says rightly was not kept: that is how the learner's Application syncs, where it is theirs.
        let application = Select { kind: Some("Application".to_owned()), ..Select::default() };
        let application = select::written(context, &application).map(|object| object.place_of_key("/spec/syncPolicy"));
        let judged = verdict.blame;
        for evidence in &mut verdict.evidence {
            evidence.message = format!("{}: {}", self.act.words(), evidence.message);
            let wrong_in_file = judged == Some(Blame::YourFiles) && evidence.operator.as_deref() != Some("select");
            if let (Some(place), false) = (&application, wrong_in_file && evidence.place.file.is_some()) {
                evidence.place = place.clone();
                verdict.blame = judged.map(|_| Blame::YourFiles);
            }
            // Where the expectation is hidden, only what has a line in the learner's files may be named.
            if evidence.place.line.is_none() {
                evidence.subject = None;
            }
        }
        Some(verdict)
    }

    /// There is nothing that it could be done to, which is the learner's matter.
    fn nothing(&self, context: &Context<'_>, message: String) -> Judgement {
        let target = self.act.target();
        let select = Select { kind: Some(target.kind), name: Some(target.name), ..Select::default() };
        let place = select::written(context, &select).map_or_else(Place::default, |object| object.place(""));
        Judgement::fail(vec![Evidence { message, place, operator: Some("scenario".to_owned()), ..Evidence::default() }])
    }
}

impl Scenario {
    /// What is to be done, in its order.
    pub fn script(&self) -> Vec<Act> {
        self.steps.iter().map(|step| step.act.clone()).collect()
    }

    /// Judges a scene of it. While that is still played it is inconclusive, and its cases say how many steps are decided.
    pub fn judge_scene(&self, context: &Context<'_>, scene: Option<&Scene>, trace: &mut Trace) -> Judgement {
        let Some(scene) = scene.filter(|scene| scene.script == self.script()) else {
            return Judgement::not_run("when the environment was looked at, this was not tried");
        };
        let mut decided = Vec::new();
        for (step, played) in self.steps.iter().zip(&scene.steps) {
            let Some(judgement) = trace.indented(|trace| step.judge(played, context, trace)) else { break };
            // Nothing of the rest could change that.
            if matches!(judgement.outcome, Outcome::Error | Outcome::NotRun) {
                return judgement;
            }
            decided.push(judgement);
        }
        let count = |wanted: Option<Outcome>| {
            let fits = |one: &&Judgement| wanted.is_none_or(|wanted| one.outcome == wanted);
            u32::try_from(decided.iter().filter(fits).count()).unwrap_or(u32::MAX)
        };
        let total = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let (known, passed) = (count(None), count(Some(Outcome::Pass)));
        // A step that nobody could judge costs nothing, whatever the others are.
        if let Some(unknown) = decided.iter().find(|one| one.outcome == Outcome::Inconclusive) {
            return Judgement { cases: Some((known, total)), ..unknown.clone() };
        }
        if known < total {
            return Judgement { cases: Some((known, total)), ..Judgement::inconclusive("it was not tried to the end") };
        }
        let cases = Some((passed, total));
        let Some(blame) = decided.iter().find_map(|one| one.blame) else {
            return Judgement { cases, ..Judgement::pass() };
        };
        let evidence = decided.into_iter().flat_map(|one| one.evidence).collect();
        Judgement { outcome: Outcome::Fail, blame: Some(blame), evidence, cases }
    }
}

fn without(sample: &Sample, gone: &str) -> Sample {
    let mut sample = sample.clone();
    sample.objects.retain(|seen| uid(&seen.object) != gone);
    sample
}

fn told(done: &Done) -> String {
    match done {
        Done::Acted { .. } => "done".to_owned(),
        Done::Missing => "no such object".to_owned(),
        Done::Foreign => "not an object of the commit".to_owned(),
        Done::Taken => "the name is taken by the commit".to_owned(),
        Done::Refused { code, message } => format!("refused with {code}: {message}"),
        Done::Unknown(why) => format!("nobody knows: {why}"),
    }
}

#[cfg(test)]
mod tests;
