//! `$cel` inside a pattern: the rule sees the value as `self`.

use serde_json::Value;

/// Checks that the rule compiles.
pub(super) fn lint(_rule: &str) -> Result<(), String> {
    Err("`$cel` is not built yet".to_owned())
}

/// Whether the rule holds for a value.
pub(super) fn holds(_rule: &str, _value: &Value) -> Result<bool, String> {
    Err("`$cel` is not built yet".to_owned())
}
