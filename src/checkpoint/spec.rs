//! A checkpoint as authors write it, and as we use it: common fields plus exactly one kind.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fail_fast::FailFast;
use super::observed::{Environs, Observed, Sample, Want};
use super::screen::Screen;
use super::timing::{Consistently, Eventually, Look, Timing};
use super::via::{Addressee, Ask, Target};
use super::{Check, Context, Judgement, NOWHERE, Sight, Trace};
use crate::config::span::Span;
use crate::course::id::CheckpointId;
use crate::submission::tree::Tree;

/// Text of the ladder that a learner climbs by failing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hint {
    /// Shown from this number of attempts on in which the checkpoint was `fail` (1 = with the first failure).
    #[serde(default = "one")]
    pub after: u32,
    /// Markdown, one or two sentences, in the learner's terms.
    pub text: String,
    /// Points taken off when the learner asks for it; such a hint is only given on `/hint`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost: u32,
}

/// Who sees what a checkpoint expects. Never hides its hints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
    /// Everybody; the checkpoint is published in `.gradus/` and judged by `gradus grade` in a fork.
    #[default]
    Always,
    /// Learners see the expectation when the task is due.
    AfterDue,
    /// Learners see only id, title, points, the outcome, the hints and the place.
    Never,
}

/// How cases turn into points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Credit {
    /// All points when all is right, else none.
    #[default]
    AllOrNothing,
    /// A share of the points for each case that passed, rounded down.
    PerCase,
}

fn one() -> u32 {
    1
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The kinds in one place: `key => Type` gives the YAML key, the variant and the dispatch.
macro_rules! kinds {
    ($($(#[$doc:meta])* $key:ident => $variant:ident($type:ty),)*) => {
        /// A checkpoint as written in task.yaml: the common fields and exactly one kind key.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(rename = "Checkpoint")]
        pub struct CheckpointFile {
            /// Unique in the task.
            pub id: CheckpointId,
            /// What the learner has to reach, in a few words.
            pub title: String,
            /// What it is worth; a task's checkpoints sum to its points.
            #[serde(default = "one")]
            pub points: u32,
            /// Checkpoints that must pass before this one is judged.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub depends_on: Vec<CheckpointId>,
            /// The ladder of hints.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub hints: Vec<Hint>,
            /// Who sees the expectation.
            #[serde(default, skip_serializing_if = "is_default")]
            pub visibility: Visibility,
            /// How cases turn into points.
            #[serde(default, skip_serializing_if = "is_default")]
            pub credit: Credit,
            /// Replaces the generated sentence of a failure, in the learner's terms.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub message: Option<String>,
            /// For a live kind: it has to hold at some time within this. Without any time word: within 15 s.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub eventually: Option<Eventually>,
            /// For a live kind: it has to hold from the start, or with `eventually` from when it first does, without a break.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub consistently: Option<Consistently>,
            /// For a live kind: it has to hold for so long without a break, at some time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub stable_for: Option<Span>,
            /// For `live`: CEL over an `object` that it selected. Where that is true waiting is in vain, and it fails at once.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub fail_fast: Option<String>,
            /// In a workspace's `.gradus/`: the kind is not published. Refused in a course.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub withheld: Option<Withheld>,
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<$type>,
            )*
        }

        /// What a checkpoint asserts.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Kind {
            /// Not published: judged only by the daemon.
            Withheld(Withheld),
            $($(#[$doc])* $variant(Box<$type>),)*
        }

        impl Kind {
            /// All kind keys, in the order of the documentation.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),*];

            /// The key in task.yaml.
            pub fn key(&self) -> &'static str {
                match self {
                    Kind::Withheld(_) => "withheld",
                    $(Kind::$variant(_) => stringify!($key),)*
                }
            }
        }

        impl Check for Kind {
            fn lint(&self, params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
                match self {
                    Kind::Withheld(_) => Vec::new(),
                    $(Kind::$variant(kind) => kind.lint(params),)*
                }
            }

            fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
                match self {
                    Kind::Withheld(_) => Judgement::not_run("judged only after a push"),
                    $(Kind::$variant(kind) => kind.judge(context, trace),)*
                }
            }

            fn screen<'c>(&'c self, context: &Context<'c>) -> Option<Screen<'c>> {
                match self {
                    Kind::Withheld(_) => None,
                    $(Kind::$variant(kind) => kind.screen(context),)*
                }
            }

            fn is_live(&self) -> bool {
                match self {
                    Kind::Withheld(_) => false,
                    $(Kind::$variant(kind) => kind.is_live(),)*
                }
            }

            fn wants(&self, hidden: Option<&Tree>) -> Vec<Want> {
                match self {
                    Kind::Withheld(_) => Vec::new(),
                    $(Kind::$variant(kind) => kind.wants(hidden),)*
                }
            }
        }

        impl TryFrom<CheckpointFile> for Checkpoint {
            type Error = KindError;

            fn try_from(file: CheckpointFile) -> Result<Self, KindError> {
                let mut found: Vec<Kind> = Vec::new();
                found.extend(file.withheld.map(Kind::Withheld));
                $(found.extend(file.$key.map(|kind| Kind::$variant(Box::new(kind))));)*
                let keys: Vec<_> = found.iter().map(Kind::key).collect();
                let Ok([kind]) = <[Kind; 1]>::try_from(found) else {
                    return Err(KindError { id: file.id, found: keys });
                };
                Ok(Checkpoint {
                    id: file.id,
                    title: file.title,
                    points: file.points,
                    depends_on: file.depends_on,
                    hints: file.hints,
                    visibility: file.visibility,
                    credit: file.credit,
                    message: file.message,
                    timing: Timing {
                        eventually: file.eventually,
                        consistently: file.consistently,
                        stable_for: file.stable_for,
                    },
                    fail_fast: file.fail_fast,
                    kind,
                })
            }
        }

        impl From<Checkpoint> for CheckpointFile {
            fn from(checkpoint: Checkpoint) -> Self {
                let mut file = CheckpointFile {
                    id: checkpoint.id,
                    title: checkpoint.title,
                    points: checkpoint.points,
                    depends_on: checkpoint.depends_on,
                    hints: checkpoint.hints,
                    visibility: checkpoint.visibility,
                    credit: checkpoint.credit,
                    message: checkpoint.message,
                    eventually: checkpoint.timing.eventually,
                    consistently: checkpoint.timing.consistently,
                    stable_for: checkpoint.timing.stable_for,
                    fail_fast: checkpoint.fail_fast,
                    withheld: None,
                    $($key: None,)*
                };
                match checkpoint.kind {
                    Kind::Withheld(kind) => file.withheld = Some(kind),
                    $(Kind::$variant(kind) => file.$key = Some(*kind),)*
                }
                file
            }
        }
    };
}

kinds! {
    /// A file of the task's directory: there, absent, its text, its YAML, its schema.
    file => File(super::file::File),
    /// Objects of YAML files match a partial object.
    manifest => Manifest(super::manifest::Manifest),
    /// A CEL rule holds for objects of YAML files.
    cel => Cel(super::cel::Cel),
    /// What the commits did.
    git => Git(super::git::Git),
    /// Objects of the learner's environment match a partial object.
    live => Live(super::live::Live),
    /// What Argo CD says of the learner's environment, which runs this commit and is in sync with it.
    argocd => Argocd(super::argocd::ArgoCd),
    /// Who may do what in the learner's environment.
    rbac => Rbac(super::rbac::Rbac),
    /// What the learner's environment admits, and who refuses the rest.
    admission => Admission(super::admission::Admission),
    /// What becomes of the learner's environment when something in it is changed.
    scenario => Scenario(super::scenario::Scenario),
    /// What answers at an address of the learner's environment.
    http => Http(super::http::Http),
    /// What a Prometheus of the learner's environment says to a query.
    promql => Promql(super::promql::Promql),
}

/// Why a checkpoint of `.gradus/` has no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Withheld {
    /// Its expectation is not the learner's to see.
    Visibility,
    /// It needs fixtures that are not published.
    Hidden,
}

/// A checkpoint with its one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CheckpointFile", into = "CheckpointFile")]
pub struct Checkpoint {
    /// Unique in the task.
    pub id: CheckpointId,
    /// What the learner has to reach, in a few words.
    pub title: String,
    /// What it is worth.
    pub points: u32,
    /// Checkpoints that must pass before this one is judged.
    pub depends_on: Vec<CheckpointId>,
    /// The ladder of hints.
    pub hints: Vec<Hint>,
    /// Who sees the expectation.
    pub visibility: Visibility,
    /// How cases turn into points.
    pub credit: Credit,
    /// Replaces the generated sentence of a failure.
    pub message: Option<String>,
    /// When what was seen of an environment decides.
    pub timing: Timing,
    /// CEL that tells that waiting is in vain.
    pub fail_fast: Option<String>,
    /// What it asserts.
    pub kind: Kind,
}

impl Checkpoint {
    /// What it wants to know of the learner's environment, with what stands in these fixtures.
    pub fn wants(&self, hidden: Option<&Tree>) -> Vec<Want> {
        self.kind.wants(hidden)
    }

    /// The servers of the operator's that it asks, by name.
    pub fn addresses(&self) -> Vec<String> {
        let of_steps =
            |scenario: &super::scenario::Scenario| scenario.steps.iter().flat_map(|step| step.wants(None)).collect();
        let wants: Vec<Want> = match &self.kind {
            Kind::Scenario(scenario) => of_steps(scenario),
            kind => kind.wants(None),
        };
        let name = |want| match want {
            Want::Http(Ask { target: Target { kind: Addressee::Address, name, .. }, .. }) => Some(name),
            _ => None,
        };
        wants.into_iter().filter_map(name).collect()
    }

    /// Whether it looks at the learner's environment where there is one.
    pub fn is_live(&self) -> bool {
        self.kind.is_live()
    }

    /// Judges it on the files or, if it is a live one, on what was seen.
    pub fn judge(&self, context: &Context<'_>, environs: Option<&Environs>, trace: &mut Trace) -> Judgement {
        let blind = |why| Context { environment: Sight::Absent(why), ..*context };
        match environs {
            Some(Environs::Shut(judgement)) if self.is_live() => judgement.clone(),
            Some(Environs::Seen(observed)) if self.is_live() => self.judge_observed(context, observed, trace),
            Some(Environs::Absent(why)) => self.kind.judge(&blind(why), trace),
            Some(Environs::Shut(_) | Environs::Seen(_)) | None => self.kind.judge(&blind(NOWHERE), trace),
        }
    }

    fn judge_observed(&self, context: &Context<'_>, observed: &Observed, trace: &mut Trace) -> Judgement {
        if let Kind::Scenario(scenario) = &self.kind {
            let scene = observed.scenes.iter().find(|scene| scene.checkpoint == self.id);
            return scenario.judge_scene(context, scene, trace);
        }
        if self.wants(context.hidden).iter().any(|want| !observed.asked.contains(want)) {
            return Judgement::not_run("when the environment was looked at, this was not looked for");
        }
        let fail_fast = match self.fail_fast.as_deref().map(FailFast::compile).transpose() {
            Ok(fail_fast) => fail_fast,
            Err(problems) => return Judgement::error(format!("failFast: {}", problems.join("; "))),
        };
        let looks = observed.samples.iter().map(|sample| {
            let look = look(&self.kind, context, sample, trace);
            let hopeless = fail_fast.as_ref().and_then(|rule| rule.hit(self.selected(sample).into_iter()));
            if let Some(what) = &hopeless {
                trace.say(|| format!("`failFast` is true of {what}"));
            }
            Look { hopeless, ..look }
        });
        let looks = looks.collect();
        let verdict = self.timing.verdict(looks, observed.over);
        verdict.unwrap_or_else(|| Judgement::inconclusive("the environment is still looked at"))
    }

    /// Whether `failFast` has objects to look at.
    pub fn can_fail_fast(&self) -> bool {
        matches!(self.kind, Kind::Live(_))
    }

    /// The objects that `failFast` is about.
    fn selected<'s>(&self, sample: &'s Sample) -> Vec<&'s Value> {
        match &self.kind {
            Kind::Live(live) => live.selected(sample),
            _ => Vec::new(),
        }
    }
}

/// What a kind makes of one sample.
pub(super) fn look(kind: &dyn Check, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Look {
    trace.say(|| format!("from {} to {} ms", sample.from, sample.to));
    let context = Context { environment: Sight::Seen(sample), ..*context };
    let judgement = trace.indented(|trace| kind.judge(&context, trace));
    Look { seen: (Duration::from_millis(sample.from), Duration::from_millis(sample.to)), judgement, hopeless: None }
}

/// A checkpoint has no kind key, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindError {
    /// Which one.
    pub id: CheckpointId,
    /// The kind keys it has.
    pub found: Vec<&'static str>,
}

impl std::fmt::Display for KindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = Kind::KEYS.join("`, `");
        let has =
            if self.found.is_empty() { "has none".to_owned() } else { format!("has `{}`", self.found.join("` and `")) };
        write!(f, "checkpoint `{}` needs exactly one of `{keys}` and {has}", self.id)
    }
}

impl std::error::Error for KindError {}
