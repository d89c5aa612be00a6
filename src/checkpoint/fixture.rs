//! Hidden fixtures: YAML files of the course that learners never see.

use std::sync::Arc;

use serde_json::Value;

use crate::submission::tree::Tree;
use crate::submission::yaml::{Dialect, YamlFile};

/// The one document of a file below `hidden/`.
///
/// # Errors
/// What is wrong with it.
pub fn read(hidden: &Tree, path: &str, dialect: Dialect) -> Result<Arc<Value>, String> {
    let below = path.strip_prefix("hidden/").unwrap_or(path);
    let bytes = hidden.file(path).or_else(|| hidden.file(below)).ok_or("there is no such file")?;
    let file = YamlFile::parse(bytes);
    if let Some(problem) = file.problems.iter().find(|problem| problem.kind.is_fatal()) {
        return Err(problem.message.clone());
    }
    let [document] = file.documents.as_slice() else { return Err("it must hold one document".to_owned()) };
    document.resolve(dialect).map_err(|problem| problem.message)
}
