//! An answer before it is bytes.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::state::refusal::Refusal;

/// What a body is, unless a header says otherwise.
pub const JSON: &str = "application/json; charset=utf-8";

/// Status, headers, body.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Beyond those that every answer has.
    pub headers: Vec<(String, String)>,
    /// JSON; none for 204 and 304.
    pub body: Option<Value>,
    /// The body as bytes, once it is written.
    pub written: Option<Bytes>,
}

impl Reply {
    /// With a body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { body: Some(body), ..Self::empty(status) }
    }

    /// 200 with a body.
    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// Without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, written: None }
    }

    /// The body as bytes; written once.
    pub fn bytes(&mut self) -> Bytes {
        let body = &self.body;
        let write = || body.as_ref().map(|body| body.to_string().into()).unwrap_or_default();
        self.written.get_or_insert_with(write).clone()
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut body = json!({
            "message": refusal.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": refusal.status.to_string(),
        });
        if !refusal.errors.is_empty() {
            body["errors"] = Value::Array(refusal.errors);
        }
        Reply::json(refusal.status, body)
    }
}
