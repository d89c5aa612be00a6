//! Taking connections from anybody: with a limit on how long a request's head may take, on how many are open, and an end
//! that lets what is under way finish.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Most connections at once: a proxy keeps some dozens, and each costs a few kilobytes.
const CONNECTIONS: usize = 1024;

/// How long to wait when the system gives out no more connections.
const OUT_OF_FILES: Duration = Duration::from_millis(200);

/// Serves until `stopping` says so; returns when no request is under way any more. A head that takes longer than
/// `head_time` to arrive, an idle connection included, is hung up on.
pub async fn serve(listener: TcpListener, router: Router, head_time: Duration, mut stopping: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = stopped(&mut stopping) => break,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, slot)) => {
                let (router, stopping) = (router.clone(), stopping.clone());
                open.spawn(async move {
                    connection(stream, router, head_time, stopping).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Ready once the end has begun.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: also an end.
    let _ = stopping.wait_for(|stop| *stop).await;
}

type Slot = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> std::io::Result<(TcpStream, Slot)> {
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    Ok((listener.accept().await?.0, slot))
}

async fn connection(stream: TcpStream, router: Router, head_time: Duration, mut stopping: watch::Receiver<bool>) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(head_time);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    struct Server {
        address: std::net::SocketAddr,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn start(router: Router, head_time: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(serve(listener, router, head_time, stopping));
        Server { address, stop, task }
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_is_hung_up_on() {
        let server = start(Router::new(), Duration::from_millis(100)).await;
        for begun in ["", "GET / HTTP/1.1\r\nHost: x\r\nA-header: that ne"] {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
            assert!(ended.is_ok(), "{begun:?}: still open");
        }
        server.stop.send_replace(true);
        server.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_lets_a_request_finish_and_takes_no_other() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            move || async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let server = start(Router::new().route("/", get(handler)), Duration::from_secs(10)).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        begun.notified().await;
        server.stop.send_replace(true);
        go_on.notify_one();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        server.task.await.unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
