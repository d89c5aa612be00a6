//! Values of a task's parameters: drawn, never chosen, and the same wherever they are drawn (design §5).

use std::collections::BTreeMap;

use serde_json::Value;

/// Values by parameter name.
pub type Values = BTreeMap<String, Value>;
