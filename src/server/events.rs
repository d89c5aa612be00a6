//! Server-sent events: tell an open page that it has changed. They carry nothing but the number; the page looks itself.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use crate::forge::pull::PullNumber;

/// Time between comments that keep a connection from being taken for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The event streams: of everything, and of one pull request.
pub fn routes() -> Router<App> {
    Router::new().route("/events", get(all)).route("/pulls/{number}/events", get(one))
}

async fn all(State(app): State<App>) -> Response {
    stream(&app, None)
}

async fn one(State(app): State<App>, Path(number): Path<String>) -> Response {
    match number.parse() {
        Ok(number) => stream(&app, Some(number)),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn stream(app: &App, only: Option<PullNumber>) -> Response {
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(16);
    let (mut events, mut stopping) = (app.pulse.listen(), app.stopping.clone());
    tokio::spawn(async move {
        loop {
            let number = tokio::select! {
                event = events.recv() => match event {
                    Ok(event) if only.is_none_or(|only| only == event.number) => event.number.to_string(),
                    Ok(_) => continue,
                    // Too slow to hear each one: one look makes up for all.
                    Err(RecvError::Lagged(_)) => only.map(|number| number.to_string()).unwrap_or_default(),
                    Err(RecvError::Closed) => return,
                },
                () = sender.closed() => return,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            if sender.send(Ok(Event::default().data(number))).await.is_err() {
                return;
            }
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
