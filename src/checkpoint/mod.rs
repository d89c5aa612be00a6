//! Checkpoints: what a task asserts of a submission. One file per kind.
//!
//! To add a kind: write `KIND.rs` with a struct (its YAML) that implements [`Check`] (or `looking::Looking`, when it looks at
//! the learner's environment), and register it: `pub mod` below, one entry in `kinds!` in `spec.rs`.

pub mod admission;
pub mod argocd;
pub mod cel;
pub mod evidence;
pub mod fail_fast;
mod field;
pub mod file;
pub mod fixture;
pub mod git;
pub mod globs;
pub mod http;
pub mod live;
mod looking;
pub mod manifest;
pub mod matching;
pub mod observed;
pub mod outcome;
pub mod promql;
pub mod rbac;
pub mod scenario;
pub mod scene;
pub mod screen;
pub mod select;
pub mod spec;
#[cfg(test)]
pub(crate) mod testing;
pub mod timing;
pub mod twin;
pub mod via;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::course::id::CheckpointId;
use crate::submission::history::History;
use crate::submission::tree::Tree;
use crate::submission::yaml::{Dialect, YamlFiles};
use evidence::Evidence;
use observed::{Sample, Want};
use outcome::{Blame, Outcome};
use screen::{Screen, Screened};

pub use spec::{Checkpoint, CheckpointFile, Kind};

/// What a kind has to offer. Implementations are pure: all they may look at is in [`Context`].
pub trait Check {
    /// Problems of the checkpoint itself that need no submission: an expression that does not compile, a bad glob, an
    /// operator that does not exist. Each as (JSON pointer below the kind's key, message with the remedy).
    fn lint(&self, params: &BTreeMap<String, Value>) -> Vec<(String, String)>;

    /// Judges a submission. `trace` takes what `gradus explain` shows; say nothing unless `trace.is_on()`.
    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement;

    /// What is true of each object that is in order, for a kind that judges one object at a time: then many of them are
    /// gone through for all checkpoints at once ([`screen`]). It answers for its judging alone: none is always right.
    fn screen<'c>(&'c self, _context: &Context<'c>) -> Option<Screen<'c>> {
        None
    }

    /// Whether it looks at the learner's environment where there is one. Such a kind is judged on each sample that was
    /// taken there, and time words make one verdict of them ([`timing`]).
    fn is_live(&self) -> bool {
        false
    }

    /// What a live kind wants to know of the environment, with what stands in these fixtures.
    fn wants(&self, _hidden: Option<&Tree>) -> Vec<Want> {
        Vec::new()
    }
}

/// All that a checkpoint may look at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The files of the task's directory in the submission; paths relative to it.
    pub files: &'a Tree,
    /// The same directory where the learner started: at the merge base, else the published starter.
    pub base: &'a Tree,
    /// Parsed YAML of `files`, parsed once per path however many checkpoints ask.
    pub yaml: &'a YamlFiles<'a>,
    /// Fixtures the learner never sees. None where they are not to be had (a fork): then answer [`Judgement::not_run`].
    pub hidden: Option<&'a Tree>,
    /// Values of the task's parameters.
    pub params: &'a BTreeMap<String, Value>,
    /// None for a working tree: then answer [`Judgement::not_run`] with [`LOOKS_AT_COMMITS`].
    pub history: Option<&'a History>,
    /// The learner's environment.
    pub environment: Sight<'a>,
    /// `tasks/TASK-ID/`, for kinds that look at paths of the whole workspace (`history`).
    pub prefix: &'a str,
    /// How scalars read unless the checkpoint says otherwise (the task's `dialect`).
    pub dialect: Dialect,
    /// What is known already of the objects that this checkpoint selects.
    pub screened: Option<&'a Screened>,
}

/// The learner's environment, as a kind sees it.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// It is not there, for this reason.
    Absent(&'a str),
    /// As it was for a while. It ran the submission's commit.
    Seen(&'a Sample),
}

/// Why there is no environment where nobody says more.
pub const NOWHERE: &str = "there is no environment here";

/// What a kind found.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// Never `blocked`: dependencies are the runner's business.
    pub outcome: Outcome,
    /// Whose matter it is; none for `pass` and `notRun`.
    pub blame: Option<Blame>,
    /// At least one for every outcome but `pass`; all differences of the nearest candidate for `fail`.
    pub evidence: Vec<Evidence>,
    /// Cases that passed and cases in all, where the kind judges several (`credit: perCase`).
    pub cases: Option<(u32, u32)>,
}

impl Judgement {
    /// The work is right.
    pub fn pass() -> Self {
        Self { outcome: Outcome::Pass, blame: None, evidence: Vec::new(), cases: None }
    }

    /// The learner's files are wrong, for these reasons.
    pub fn fail(evidence: Vec<Evidence>) -> Self {
        Self { outcome: Outcome::Fail, blame: Some(Blame::YourFiles), evidence, cases: None }
    }

    /// Cannot be judged here, for this reason.
    pub fn not_run(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotRun, blame: None, evidence: vec![Self::sentence(why)], cases: None }
    }

    /// Should have been judged, could not.
    pub fn inconclusive(why: impl Into<String>) -> Self {
        let evidence = vec![Self::sentence(why)];
        Self { outcome: Outcome::Inconclusive, blame: Some(Blame::Ours), evidence, cases: None }
    }

    /// The author's or our fault.
    pub fn error(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Error, blame: Some(Blame::Ours), evidence: vec![Self::sentence(why)], cases: None }
    }

    /// The same, where another checkpoint has told why.
    pub fn as_told_by(&self, first: &CheckpointId) -> Self {
        let evidence = vec![Self::sentence(format!("for the same reason as `{first}`"))];
        Self { outcome: self.outcome, blame: self.blame, evidence, cases: None }
    }

    fn sentence(why: impl Into<String>) -> Evidence {
        Evidence { message: why.into(), ..Evidence::default() }
    }
}

/// Why what looks at commits is not run on a working tree, with what to do.
pub const LOOKS_AT_COMMITS: &str =
    "this looks at commits, and a working tree has none: commit, then `gradus grade --commit HEAD`";

/// A log of how a verdict came about, for `gradus explain`: indented lines, off by default.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<(usize, String)>>,
    depth: usize,
}

impl Trace {
    /// A trace that keeps nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// A trace that keeps what it is told.
    pub fn on() -> Self {
        Self { lines: Some(Vec::new()), depth: 0 }
    }

    /// Whether it is worth computing something only to trace it.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Adds a line; `text` is called only when the trace is on.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((self.depth, text()));
        }
    }

    /// Runs `inner` with its lines one level deeper.
    pub fn indented<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// The lines so far with their depth.
    pub fn into_lines(self) -> Vec<(usize, String)> {
        self.lines.unwrap_or_default()
    }
}
