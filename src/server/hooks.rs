//! The daemon's end of the hooks' socket: records what a push moved, waits a little for the reviews, answers with text.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::App;
use crate::forge::local::Recorded;
use crate::forge::local::hook::Received;
use crate::forge::pull::{Pull, PullState};
use crate::reconcile::grader::Grading;
use crate::reconcile::pulse::Event;
use crate::store::StoreError;

/// Largest request of a hook in bytes: far more than its most updates need.
const MAX_REQUEST: u64 = 1 << 20;

/// How long a push waits for its reviews.
pub const WAIT: Duration = Duration::from_secs(10);

/// Answers hooks until it is dropped.
pub async fn serve(app: App, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let app = app.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(&app, stream).await {
                        tracing::error!(%error, "cannot answer a push; the sweep will find it");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors: give back what is held before asking again.
                tracing::error!(%error, "cannot accept a hook's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(app: &App, stream: UnixStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_REQUEST)).read_line(&mut line).await?;
    let received: Received = serde_json::from_str(&line)?;
    // Before anything can happen: nothing is missed.
    let mut events = app.pulse.listen();
    let recorded = app.forge.received(&received).await?;
    app.announce(&recorded);
    let deadline = Instant::now() + WAIT;
    let several = recorded.len() > 1;
    for recorded in &recorded {
        let text = text(app, recorded, &mut events, deadline).await?;
        if several {
            write.write_all(format!("== {}\n", recorded.branch).as_bytes()).await?;
        }
        write.write_all(text.as_bytes()).await?;
    }
    write.shutdown().await?;
    Ok(())
}

async fn text(
    app: &App,
    recorded: &Recorded,
    events: &mut broadcast::Receiver<Event>,
    deadline: Instant,
) -> Result<String, StoreError> {
    let Some(pull) = &recorded.pull else {
        return Ok("Nothing of yours is on this branch: there is nothing to grade.\n".to_owned());
    };
    if pull.state == PullState::Closed {
        return Ok(format!("Pull request #{} is closed.\n", pull.number));
    }
    let mut stopping = app.stopping.clone();
    let page = app.page(pull.number);
    let mut news = true;
    loop {
        if news && let Some(text) = look(app, pull).await? {
            return Ok(text);
        }
        tokio::select! {
            // When fifty push at once, forty-nine events are not for this one. Whatever was missed may have been.
            event = events.recv() => news = event.map_or(true, |event| event.number == pull.number),
            () = tokio::time::sleep_until(deadline) => {
                return Ok(format!("Still being graded; the review will follow: {page}\n"));
            }
            _ = stopping.wait_for(|stop| *stop) => {
                return Ok(format!("Gradus is stopping; the review will follow when it runs again: {page}\n"));
            }
        }
    }
}

/// What there is to say about a pushed head by now.
async fn look(app: &App, pull: &Pull) -> Result<Option<String>, StoreError> {
    let key = app.forge.key(pull.number);
    let heads = app.store.heads(&key).await?;
    let Some(pushed) = heads.iter().rev().find(|head| head.head == pull.head) else { return Ok(None) };
    let state = app.store.grading_state(&key, &pull.head).await?;
    let provisional = state.as_ref().is_some_and(|state| state.provisional);
    if pushed.answered_at.is_none() && !provisional {
        return Ok(None);
    }
    let grading = app.store.grading::<Grading>(&key, &pull.head).await?;
    Ok(Some(match grading {
        Some(grading) => grading.terminal,
        // Answered without being graded: a newer head was.
        None => format!("A newer push came meanwhile and was graded instead: {}\n", app.page(pull.number)),
    }))
}
