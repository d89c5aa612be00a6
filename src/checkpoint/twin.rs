//! The twin of a live checkpoint: what judges the files where there is no environment, and says so.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cel::Cel;
use super::file::File;
use super::manifest::Manifest;
use super::{Check, Context, Judgement, Trace};

/// What judges the files instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Twin {
    /// As the kind of this name.
    File(File),
    /// As the kind of this name.
    Manifest(Manifest),
    /// As the kind of this name.
    Cel(Cel),
}

impl Twin {
    fn check(&self) -> (&'static str, &dyn Check) {
        match self {
            Twin::File(file) => ("file", file),
            Twin::Manifest(manifest) => ("manifest", manifest),
            Twin::Cel(cel) => ("cel", cel),
        }
    }
}

/// What is said where there is none.
pub const MISSING: &str =
    "add `offline`: `gradus test` proves the checkpoint by it, and it judges where there is no environment";

/// Problems of a twin, or that there is none, as (JSON pointer below the kind's key, message).
pub fn lint(offline: Option<&Twin>, params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    let Some((kind, twin)) = offline.map(Twin::check) else {
        return vec![(String::new(), MISSING.to_owned())];
    };
    let below = |(at, message)| (format!("/offline/{kind}{at}"), message);
    twin.lint(params).into_iter().map(below).collect()
}

/// Judges the files, because there is no environment for this reason.
pub fn judge(offline: Option<&Twin>, why: &str, context: &Context<'_>, trace: &mut Trace) -> Judgement {
    let Some((_, twin)) = offline.map(Twin::check) else { return Judgement::not_run(why) };
    trace.say(|| format!("{why}: the files are judged instead"));
    let mut judgement = twin.judge(context, trace);
    for evidence in &mut judgement.evidence {
        evidence.message += &format!(" (judged on the files: {why})");
    }
    judgement
}
