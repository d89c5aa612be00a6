//! Errors of the JSON API: of one shape whoever answers, and in our words.

use axum::extract::Request;
use axum::extract::rejection::JsonRejection;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;

use super::views::ViewError;

/// Where the API is.
const API: &str = "/api/v1";

/// Longest answer of another layer that is taken over as the sentence.
const MAX_SENTENCE: usize = 4 << 10;

/// Why something is not answered.
#[derive(Debug, Serialize)]
pub struct Error {
    /// What is wrong and what to do, in one line.
    pub error: String,
}

/// An answer with a status of its own.
#[derive(Debug)]
pub struct Failure(pub StatusCode, pub String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(Error { error: self.1 })).into_response()
    }
}

impl<E: Into<ViewError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: ViewError = error.into();
        tracing::error!(%error, "the API cannot answer");
        Failure(StatusCode::INTERNAL_SERVER_ERROR, "our fault: the log of `gradus up` says more".to_owned())
    }
}

/// Why a body is no comment.
pub fn unreadable(rejection: &JsonRejection) -> Failure {
    let text = match rejection {
        JsonRejection::MissingJsonContentType(_) => "send the comment with `Content-Type: application/json`",
        JsonRejection::JsonSyntaxError(_) => r#"the body is not JSON: send an object such as {"body": "/hint"}"#,
        JsonRejection::JsonDataError(_) => {
            r#"the body is not a comment: send an object with the text `body`, with the text `author` if you like, and nothing else, such as {"body": "/hint"}"#
        }
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            "the body is too large: a comment has at most 10,000 characters"
        }
        _ => "the body did not arrive whole: send it again",
    };
    Failure(rejection.status(), text.to_owned())
}

/// Gives errors below `/api/v1` their shape when another layer made them: of no route, of no method, of the guard.
pub async fn in_json(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let ours = path.strip_prefix(API).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let method = request.method().clone();
    let response = next.run(request).await;
    if !ours || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        return Response::from_parts(parts, body);
    }
    let said = if kind.starts_with("text/plain") {
        let bytes = axum::body::to_bytes(body, MAX_SENTENCE).await.unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    } else {
        String::new()
    };
    let text = if said.is_empty() { sentence(parts.status, &method) } else { said };
    for of_the_body in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_SECURITY_POLICY] {
        parts.headers.remove(of_the_body);
    }
    let shaped = Failure(parts.status, text).into_response();
    let (with_type, body) = shaped.into_parts();
    parts.headers.extend(with_type.headers);
    Response::from_parts(parts, body)
}

/// What to say when nobody else did.
fn sentence(status: StatusCode, method: &Method) -> String {
    match status {
        StatusCode::NOT_FOUND => {
            format!(
                "there is nothing at this address: `GET {API}/pulls` lists the pull requests, each is at `{API}/pulls/NUMBER`"
            )
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            format!("{method} does nothing at this address: `GET` reads it, and only comments take `POST`")
        }
        _ => "this was not done: the log of `gradus up` may say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::response::Html;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: Method, path: &str) -> (u16, String, String) {
        let page = || async { (StatusCode::NOT_FOUND, Html("<h1>nothing</h1>")) };
        let router = Router::new()
            .route("/api/v1/plain", get(|| async { (StatusCode::FORBIDDEN, "not from there\n") }))
            .route("/api/v1/mute", get(|| async { StatusCode::IM_A_TEAPOT }))
            .route("/api/v1/shaped", get(|| async { Failure(StatusCode::CONFLICT, "as it is".to_owned()) }))
            .route("/api/v1/fine", get(|| async { "fine" }).post(|| async { "fine" }))
            .fallback(page)
            .layer(axum::middleware::from_fn(in_json));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, kind, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_error_below_the_api_has_one_shape() {
        for (method, path, status, says) in [
            (Method::GET, "/api/v1/plain", 403, "not from there"),
            (Method::GET, "/api/v1/mute", 418, "this was not done"),
            (Method::GET, "/api/v1/shaped", 409, "as it is"),
            (Method::GET, "/api/v1/nope", 404, "GET /api/v1/pulls"),
            (Method::GET, "/api/v1", 404, "GET /api/v1/pulls"),
            (Method::DELETE, "/api/v1/fine", 405, "DELETE does nothing at this address"),
        ] {
            let (found, kind, body) = ask(method, path).await;
            assert_eq!((found, kind.as_str()), (status, "application/json"), "{path}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body.as_object().unwrap().len(), 1);
            assert!(body["error"].as_str().unwrap().contains(says), "{body}");
        }
    }

    #[tokio::test]
    async fn everything_else_is_left_as_it_is() {
        assert_eq!(ask(Method::GET, "/api/v1/fine").await.2, "fine");
        for elsewhere in ["/pulls/9", "/api/v10"] {
            assert_eq!(ask(Method::GET, elsewhere).await.2, "<h1>nothing</h1>");
        }
    }
}
