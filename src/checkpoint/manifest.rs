//! `manifest`: Objects of YAML files match a partial object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Context, Judgement, Trace};

/// Objects of YAML files match a partial object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {}

impl Check for Manifest {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn judge(&self, _context: &Context<'_>, _trace: &mut Trace) -> Judgement {
        Judgement::error("the `manifest` kind is not built yet")
    }
}
