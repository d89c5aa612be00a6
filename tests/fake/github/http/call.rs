//! A request, read.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::Value;

/// A request as the routes see it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Counts from 1; 0 before it arrived.
    pub number: u64,
    /// GET, POST, …
    pub method: Method,
    /// Without the query, still percent-encoded.
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// As received.
    pub headers: HeaderMap,
    /// The body, when it is JSON.
    pub body: Option<Value>,
    /// As in `pulls/create-review`; `graphql`; empty when there is no such endpoint.
    pub operation: &'static str,
    /// The body as received.
    pub raw: Bytes,
    /// Values of the path's parameters.
    pub parameters: HashMap<String, String>,
    /// As in `https://api.github.com`: what addresses in answers begin with.
    pub base: String,
}

impl Call {
    /// A value of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value of the path; empty when the path has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A number of the path; 0, which nothing has, when it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.parameter(name).parse().unwrap_or(0)
    }

    /// A field of the body.
    pub fn field(&self, name: &str) -> &Value {
        self.body.as_ref().map_or(&Value::Null, |body| &body[name])
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.field(name).as_str()
    }

    /// A header, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the request changes nothing.
    pub fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}
