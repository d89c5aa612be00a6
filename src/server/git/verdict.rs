//! After a push: records what moved, waits a little for the reviews, and tells the learner.

use tokio::sync::broadcast;
use tokio::time::Instant;

use super::push::Out;
use crate::forge::local::push::Voice;
use crate::forge::local::{LocalError, Received, Recorded};
use crate::forge::pull::{Pull, PullState};
use crate::reconcile::grader::Grading;
use crate::reconcile::pulse::Event;
use crate::server::App;
use crate::store::StoreError;

/// Records what a push moved, asks for it to be graded, and tells what comes of it.
pub async fn tell(app: &App, received: &Received, voice: Voice, out: &Out) -> Result<(), LocalError> {
    // Before anything can happen: nothing is missed.
    let mut events = app.pulse.listen();
    let recorded = app.forge.received(received).await?;
    app.announce(&recorded);
    let deadline = Instant::now() + app.patience;
    let several = recorded.len() > 1;
    for recorded in &recorded {
        let text = text(app, recorded, &mut events, deadline).await?;
        let title = if several { format!("== {}\n", recorded.branch) } else { String::new() };
        out.send(voice.text(&format!("{title}{text}"))).await;
    }
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
