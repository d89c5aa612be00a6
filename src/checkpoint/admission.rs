//! `admission`: What the learner's environment admits, and who refuses the rest.
//!
//! The API server is asked to make each object without keeping it (`dryRun=All`). A refusal counts only from the one who is
//! named: a quota that is used up is no Pod Security. What is refused proves nothing where everything is, so some object
//! must be admitted.

mod refusal;

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::{Evidence, Place};
use super::looking::Looking;
use super::matching::{self, Pattern, clip, clip_at};
use super::observed::{DryRun, Said, Sample, Want};
use super::select::{self, Select};
use super::twin::Twin;
use super::{Context, Judgement, Trace, fixture};
use crate::submission::tree::Tree;
use crate::submission::yaml::Dialect;
use refusal::Refuser;

/// Characters of the API server's words that are shown.
const WORDS: usize = 400;

/// What the learner's environment admits, and who refuses the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Admission {
    /// Where; the environment's own namespace when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What is tried. Where something must be denied, something of the same kind must be admitted.
    pub cases: Vec<Case>,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// An object that is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What it is, for the learner, as in `a privileged pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<String>,
    /// The object, in place. `metadata.generateName` keeps it from meeting one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
    /// The object, in a file below `hidden/`. Only `describe` is ever shown of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What must become of it.
    pub expect: Expect,
    /// For `denied`: who must have refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// For `admitted`: a partial object of what came back, with defaults filled in (`docs/matching.md`).
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Value>,
}

/// What must become of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expect {
    /// It would be made.
    Admitted,
    /// It would not, because of `by`.
    Denied,
}

/// Who refuses an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// The Pod Security level of the namespace.
    PodSecurity,
    /// A ResourceQuota.
    Quota,
    /// A LimitRange.
    LimitRange,
    /// The ValidatingAdmissionPolicy of this name.
    Policy(String),
}

/// Why a case cannot be judged.
enum Unjudged {
    NotHere,
    Broken(String),
    Unknown(String),
}

impl Looking for Admission {
    fn flaws(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (index, case) in self.cases.iter().enumerate() {
            problems.extend(case.lint().into_iter().map(|(at, message)| (format!("/cases/{index}{at}"), message)));
        }
        if self.cases.is_empty() {
            problems.push(("/cases".to_owned(), "there are no cases: write one".to_owned()));
        }
        let admitted: Vec<_> = self.cases.iter().filter(|case| case.expect == Expect::Admitted).collect();
        let control = |denied: &Case| admitted.iter().any(|case| case.may_be_of_the_kind_of(denied));
        for (index, case) in self.cases.iter().enumerate() {
            if case.expect == Expect::Denied && !control(case) {
                let message =
                    "add a case of the same kind with `expect: admitted`: whoever refuses everything refuses this too";
                problems.push((format!("/cases/{index}"), message.to_owned()));
            }
        }
        problems
    }

    fn offline(&self) -> Option<&Twin> {
        self.offline.as_deref()
    }

    fn wanted(&self, hidden: Option<&Tree>) -> Vec<Want> {
        // What cannot be read is said when it is judged.
        self.cases.iter().filter_map(|case| Some(self.want(&*case.manifest(hidden).ok()?))).collect()
    }

    fn judge_sample(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Judgement {
        self.judge_cases(context, sample, trace).unwrap_or_else(|why| match why {
            Unjudged::NotHere => Judgement::not_run("judged only after a push: it tries hidden objects"),
            Unjudged::Broken(why) => Judgement::error(why),
            Unjudged::Unknown(why) => Judgement::inconclusive(why),
        })
    }
}

impl Case {
    fn lint(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut say = |at: &str, message: &str| problems.push((at.to_owned(), message.to_owned()));
        match (&self.object, &self.file) {
            (Some(object), None) => {
                for field in ["/apiVersion", "/kind"] {
                    if object.pointer(field).and_then(Value::as_str).is_none() {
                        say("/object", &format!("the object has no `{}`: add it", &field[1..]));
                    }
                }
                let name = |field: &str| object.pointer(field).and_then(Value::as_str).is_some();
                if !name("/metadata/name") && !name("/metadata/generateName") {
                    say("/object", "the object has no name: add `metadata.generateName`");
                }
                if name("/metadata/namespace") {
                    let message = "`namespace` beside `cases` says where it is tried: delete it here";
                    say("/object/metadata/namespace", message);
                }
            }
            (None, Some(path)) => {
                if !path.starts_with("hidden/") {
                    say(
                        "/file",
                        &format!("`{path}` is not below `hidden/`: move it there, or write the `object` in place"),
                    );
                }
                if self.describe.is_none() {
                    say("/file", "add `describe`: it is all that a learner learns of a hidden object");
                }
            }
            (Some(_), Some(_)) | (None, None) => say("", "a case has either `object` or `file`"),
        }
        match (self.expect, &self.by, &self.matching) {
            (Expect::Denied, None, _) => {
                say("", "say `by` whom it must be denied: a refusal of somebody else proves nothing")
            }
            (Expect::Denied, _, Some(_)) => say("/match", "of what is denied nothing comes back: delete `match`"),
            (Expect::Admitted, Some(_), _) => say("/by", "`by` is for `expect: denied`: delete it"),
            (Expect::Denied, Some(_), None) | (Expect::Admitted, None, _) => {}
        }
        if let Some(Err(flaws)) = self.matching.as_ref().map(Pattern::parse) {
            flaws.into_iter().for_each(|(at, message)| say(&format!("/match{at}"), &message));
        }
        problems
    }

    /// Nothing is known of the kind of a hidden object here.
    fn may_be_of_the_kind_of(&self, other: &Case) -> bool {
        let kind = |case: &Case| case.object.as_ref().map(|object| object.get("kind").cloned());
        match (kind(self), kind(other)) {
            (Some(this), Some(other)) => this == other,
            _ => true,
        }
    }

    fn manifest(&self, hidden: Option<&Tree>) -> Result<Cow<'_, Value>, Unjudged> {
        match (&self.object, &self.file) {
            (Some(object), _) => Ok(Cow::Borrowed(object)),
            (None, Some(path)) => {
                let value = fixture::read(hidden.ok_or(Unjudged::NotHere)?, path, Dialect::Kubectl);
                let value = value.map_err(|why| Unjudged::Broken(format!("`{path}`: {why}")))?;
                Ok(Cow::Owned(Arc::unwrap_or_clone(value)))
            }
            (None, None) => Err(Unjudged::Broken("a case has neither `object` nor `file`".to_owned())),
        }
    }

    /// The object in words. Nothing else is shown of a hidden one.
    fn words(&self, manifest: &Value) -> String {
        match &self.describe {
            Some(describe) => clip(describe),
            None if self.file.is_some() => "a hidden object".to_owned(),
            None => clip(&select::subject(manifest)),
        }
    }
}

impl By {
    fn words(&self) -> String {
        match self {
            By::PodSecurity => "Pod Security".to_owned(),
            By::Quota => "a ResourceQuota".to_owned(),
            By::LimitRange => "a LimitRange".to_owned(),
            By::Policy(name) => format!("the ValidatingAdmissionPolicy `{}`", clip(name)),
        }
    }

    /// The object that would have to refuse, where it stands in the learner's files.
    fn place(&self, context: &Context<'_>, namespace: Option<&str>) -> Place {
        let (kind, name) = match self {
            By::PodSecurity => ("Namespace", namespace),
            By::Quota => ("ResourceQuota", None),
            By::LimitRange => ("LimitRange", None),
            By::Policy(name) => ("ValidatingAdmissionPolicy", Some(name.as_str())),
        };
        let select = Select { kind: Some(kind.to_owned()), name: name.map(str::to_owned), ..Select::default() };
        select::written(context, &select).map_or_else(Place::default, |object| object.place(""))
    }
}

impl Admission {
    fn want(&self, manifest: &Value) -> Want {
        Want::DryRun(DryRun { namespace: self.namespace.clone(), object: manifest.clone() })
    }

    fn judge_cases(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Result<Judgement, Unjudged> {
        let (mut evidence, mut good, mut controls) = (Vec::new(), 0_u32, 0_u32);
        let mut hidden_failed = Vec::new();
        for case in &self.cases {
            let manifest = case.manifest(context.hidden)?;
            let words = case.words(&manifest);
            let said = sample.said(&self.want(&manifest));
            trace.say(|| format!("{words}: {}", said.map_or("not asked".to_owned(), shown)));
            let found = self.judge_case(context, case, said)?;
            if found.is_empty() {
                good += 1;
                controls += u32::from(case.expect == Expect::Admitted);
            } else if case.file.is_some() {
                hidden_failed.push(evidence.len());
                evidence.push(veiled(&words, &found));
            } else {
                evidence.extend(found.into_iter().map(|found| Evidence {
                    message: format!("{words}: {}", found.message),
                    subject: case.describe.as_deref().map(clip),
                    ..found
                }));
            }
        }
        let total = self.cases.len() as u32;
        let any_denied = self.cases.iter().any(|case| case.expect == Expect::Denied);
        if controls == 0 && any_denied {
            good = 0;
            let message = "nothing is admitted as it must be, so what is denied is not denied on purpose";
            evidence.push(Evidence { message: message.to_owned(), ..Evidence::default() });
        }
        for index in hidden_failed {
            evidence[index].message += &format!(" ({good} of {total} cases hold)");
        }
        let cases = Some((good, total));
        Ok(match evidence.is_empty() {
            true => Judgement { cases, ..Judgement::pass() },
            false => Judgement { cases, ..Judgement::fail(evidence) },
        })
    }

    /// What is wrong with the answer of one case; nothing where it is right.
    fn judge_case(&self, context: &Context<'_>, case: &Case, said: Option<&Said>) -> Result<Vec<Evidence>, Unjudged> {
        let unknown = |why: &str| Err(Unjudged::Unknown(why.to_owned()));
        let place = || self.place(context, case);
        let (refuser, message) = match said {
            Some(Said::Refused { code, message, .. }) => (Refuser::of(*code, message), message),
            Some(Said::Admitted(object)) => return case.judge_admitted(object, place),
            Some(Said::Nothing(why)) => return unknown(why),
            Some(_) | None => return unknown("the API server was not asked what it admits"),
        };
        match (&refuser, case.expect) {
            (Refuser::Unsettled, _) => return unknown("a ResourceQuota is not counted yet"),
            (Refuser::NoDryRun, _) => return unknown("a webhook of the environment does not answer to a dry run"),
            (Refuser::Rights, _) => return unknown("whoever looks at the environment may not make such an object"),
            (Refuser::Exists, Expect::Denied) => return Ok(vec![was_admitted(case, place())]),
            (Refuser::Exists, Expect::Admitted) if case.matching.is_none() => return Ok(Vec::new()),
            (refuser, Expect::Denied) if case.by.as_ref().is_some_and(|by| refuser.is(by)) => return Ok(Vec::new()),
            _ => {}
        }
        let must = match (case.expect, &case.by) {
            (Expect::Denied, Some(by)) => format!("not by {}", by.words()),
            (Expect::Denied, None) | (Expect::Admitted, _) => "must be admitted".to_owned(),
        };
        // What must be admitted points at whoever refused it.
        let place = match (case.expect, refuser.by()) {
            (Expect::Admitted, Some(by)) => by.place(context, self.namespace.as_deref()),
            (Expect::Admitted, None) | (Expect::Denied, _) => place(),
        };
        Ok(vec![Evidence {
            message: format!("was refused by {}, {must}: {}", refuser.words(), clip_at(WORDS, message)),
            place,
            expected: expected(case),
            actual: Some(Value::from(clip_at(WORDS, message))),
            operator: Some("admission".to_owned()),
            subject: None,
        }])
    }

    fn place(&self, context: &Context<'_>, case: &Case) -> Place {
        case.by.as_ref().map_or_else(Place::default, |by| by.place(context, self.namespace.as_deref()))
    }
}

impl Case {
    fn judge_admitted(&self, object: &Value, place: impl Fn() -> Place) -> Result<Vec<Evidence>, Unjudged> {
        if self.expect == Expect::Denied {
            return Ok(vec![was_admitted(self, place())]);
        }
        let Some(matching) = &self.matching else { return Ok(Vec::new()) };
        let pattern = Pattern::parse(matching).map_err(|flaws| Unjudged::Broken(matching::words(&flaws)))?;
        let evidence = pattern.differences(object).into_iter().map(|difference| Evidence {
            message: difference.message,
            place: Place::default(),
            expected: Some(difference.expected),
            actual: difference.actual,
            operator: Some(difference.operator.to_owned()),
            subject: None,
        });
        Ok(evidence.collect())
    }
}

fn was_admitted(case: &Case, place: Place) -> Evidence {
    let by = case.by.as_ref().map(By::words).unwrap_or_default();
    Evidence {
        message: format!("was admitted, must be denied by {by}"),
        place,
        expected: expected(case),
        actual: Some("admitted".into()),
        operator: Some("admission".to_owned()),
        subject: None,
    }
}

fn expected(case: &Case) -> Option<Value> {
    match case.expect {
        Expect::Admitted => Some("admitted".into()),
        Expect::Denied => serde_json::to_value(&case.by).ok(),
    }
}

/// Of a hidden case only its description is ever shown: the API server's words and the differences tell what is in it.
fn veiled(words: &str, found: &[Evidence]) -> Evidence {
    Evidence {
        message: format!("{words}: does not hold"),
        place: found.first().map(|found| found.place.clone()).unwrap_or_default(),
        operator: Some("admission".to_owned()),
        subject: Some(words.to_owned()),
        ..Evidence::default()
    }
}

fn shown(said: &Said) -> String {
    match said {
        Said::Nothing(why) => format!("no answer: {why}"),
        Said::Admitted(object) => format!("admitted, as {object}"),
        Said::Refused { code, message, .. } => {
            format!("refused with {code}, which is {}: {message}", Refuser::of(*code, message).words())
        }
        _ => "an answer to another question".to_owned(),
    }
}

#[cfg(test)]
mod tests;
