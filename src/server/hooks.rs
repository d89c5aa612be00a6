//! The daemon's end of the hooks' socket: records what a push moved, waits a little for the reviews, answers with text.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::App;
use crate::forge::local::Recorded;
use crate::forge::local::hook::Received;
use crate::forge::pull::PullState;

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
    let recorded = app.forge.received(&received).await?;
    app.announce(&recorded);
    for recorded in recorded {
        write.write_all(text(app, &recorded).as_bytes()).await?;
    }
    write.shutdown().await?;
    Ok(())
}

fn text(app: &App, recorded: &Recorded) -> String {
    let branch = &recorded.branch;
    match &recorded.pull {
        None => format!("{branch}: nothing of yours on it\n"),
        Some(pull) if pull.state == PullState::Closed => format!("{branch}: pull request #{} closed\n", pull.number),
        Some(pull) => format!("{branch}: pull request #{}, {}\n", pull.number, app.page(pull.number)),
    }
}
