//! Why GitHub does not do what it is asked.

use serde_json::{Value, json};

/// An answer of 4xx.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `message` of the body.
    pub message: String,
    /// `errors` of the body; left out when empty.
    pub errors: Vec<Value>,
}

impl Refusal {
    fn plain(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new() }
    }

    /// There is none, or nobody may know that there is.
    pub fn not_found() -> Self {
        Self::plain(404, "Not Found")
    }

    /// The credentials are good, the right is missing.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::plain(403, message)
    }

    /// The credentials are not good.
    pub fn unauthorised(message: impl Into<String>) -> Self {
        Self::plain(401, message)
    }

    /// 422 as the review endpoints give it: the reasons are texts.
    pub fn unprocessable(reason: impl Into<String>) -> Self {
        Self { errors: vec![Value::String(reason.into())], ..Self::plain(422, "Unprocessable Entity") }
    }

    /// 422 with a message alone.
    pub fn invalid_message(message: impl Into<String>) -> Self {
        Self::plain(422, message)
    }

    /// 422 as most endpoints give it: the reason names resource and field.
    pub fn invalid(resource: &str, field: &str, code: &str, reason: impl Into<String>) -> Self {
        let error = json!({"resource": resource, "field": field, "code": code, "message": reason.into()});
        Self { errors: vec![error], ..Self::plain(422, "Validation Failed") }
    }
}
