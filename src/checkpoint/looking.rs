//! Kinds that look at the learner's environment, and have a twin for where there is none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::observed::{Sample, Want};
use super::twin::{self, Twin};
use super::{Check, Context, Judgement, Sight, Trace};
use crate::submission::tree::Tree;

/// A kind that is judged on what was seen of the environment; [`Check`] follows.
pub trait Looking {
    /// Problems of the checkpoint itself but for its twin's, as [`Check::lint`] has them.
    fn flaws(&self) -> Vec<(String, String)>;

    /// What judges the files where there is no environment.
    fn offline(&self) -> Option<&Twin>;

    /// What it wants to know of the environment, with what stands in these fixtures.
    fn wanted(&self, hidden: Option<&Tree>) -> Vec<Want>;

    /// Judges one look at the environment.
    fn judge_sample(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Judgement;
}

impl<K: Looking> Check for K {
    fn lint(&self, params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let mut problems = self.flaws();
        problems.extend(twin::lint(self.offline(), params));
        problems
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        match context.environment {
            Sight::Seen(sample) => self.judge_sample(context, sample, trace),
            Sight::Absent(why) => twin::judge(self.offline(), why, context, trace),
        }
    }

    fn is_live(&self) -> bool {
        true
    }

    fn wants(&self, hidden: Option<&Tree>) -> Vec<Want> {
        self.wanted(hidden)
    }
}
