//! `git`: What the commits did.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Context, Judgement, Trace};

/// What the commits did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Git {}

impl Check for Git {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn judge(&self, _context: &Context<'_>, _trace: &mut Trace) -> Judgement {
        Judgement::error("the `git` kind is not built yet")
    }
}
