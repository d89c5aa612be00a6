//! JSON that is written once per object and change: the same users and repositories are in every answer.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// What an object looks like, by the beginning of its addresses. A clone begins empty, because who clones changes.
#[derive(Debug, Default)]
pub struct Rendered(Mutex<Vec<(String, Arc<Value>)>>);

impl Clone for Rendered {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Rendered {
    /// The JSON for these addresses; made when it is not there.
    pub fn or(&self, base: &str, make: impl FnOnce() -> Value) -> Value {
        let known =
            |all: &[(String, Arc<Value>)]| all.iter().find(|(of, _)| of == base).map(|(_, json)| Arc::clone(json));
        if let Some(json) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Value::clone(&json);
        }
        let json = make();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((base.to_owned(), Arc::new(json.clone())));
        json
    }

    /// The object changed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
