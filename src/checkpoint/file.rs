//! `file`: A file of the task's directory.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Context, Judgement, Trace};

/// A file of the task's directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {}

impl Check for File {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn judge(&self, _context: &Context<'_>, _trace: &mut Trace) -> Judgement {
        Judgement::error("the `file` kind is not built yet")
    }
}
