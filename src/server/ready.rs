//! Readiness, of `gradus up` and `gradus serve` alike.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::store::Store;

/// Ready means that what is pushed and said is taken: the database answers, and can be written.
pub async fn ready(store: &Store) -> Response {
    let not_ready = |error: &dyn std::fmt::Display, why: String| {
        tracing::error!(%error, "not ready");
        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
    };
    let length = match store.queue_length().await {
        Ok(length) => length,
        Err(error) => return not_ready(&error, "the database does not answer\n".to_owned()),
    };
    match store.try_to_write().await {
        Ok(()) => format!("ready\nqueue {length}\n").into_response(),
        Err(error) => {
            let remedy = "if its disk is full make room there, and everything goes on by itself; the log says why";
            not_ready(&error, format!("the database cannot be written: {remedy}\nqueue {length}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(store: &Store) -> (u16, String) {
        let response = ready(store).await;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn while_nothing_can_be_written_it_is_not_ready() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        assert_eq!(answer(&store).await, (200, "ready\nqueue 0\n".to_owned()));
        sqlx::raw_sql("PRAGMA query_only = 1").execute(store.writer()).await.unwrap();
        let (status, text) = answer(&store).await;
        assert!(status == 503 && text.starts_with("the database cannot be written: "), "{status} {text}");
        sqlx::raw_sql("PRAGMA query_only = 0").execute(store.writer()).await.unwrap();
        assert_eq!(answer(&store).await.0, 200);
    }
}
