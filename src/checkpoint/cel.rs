//! `cel`: A CEL rule holds for objects of YAML files.

#[cfg(test)]
mod conformance;
pub mod fault;
pub mod functions;
pub mod limits;
pub mod lower;
pub mod machine;
pub mod node;
pub mod operators;
pub mod program;
mod source;
pub mod types;
pub mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Context, Judgement, Trace};

/// A CEL rule holds for objects of YAML files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cel {}

impl Check for Cel {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn judge(&self, _context: &Context<'_>, _trace: &mut Trace) -> Judgement {
        Judgement::error("the `cel` kind is not built yet")
    }
}
