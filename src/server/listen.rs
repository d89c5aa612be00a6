//! The listening socket: connections with limits in number and time.
//!
//! A client that opens connections and says nothing, or a byte a minute, must not keep others out. What happens after the
//! head of a request has its own limits (`guard::in_time`, `git`).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Longest time until the head of a request is there, unless told otherwise; also how long a connection may rest between
/// two requests.
pub const HEAD: Duration = Duration::from_secs(15);

/// Most connections at once; who comes later waits in the kernel's queue. Each takes one of the 1024 descriptors that a
/// process has by default, and what it asks for (a database, git's pipes) takes more.
const CONNECTIONS: usize = 512;

/// Limits of one listening socket.
#[derive(Debug, Clone, Copy)]
struct Limits {
    head: Duration,
    connections: usize,
}

/// Serves until `ending` is ready; then returns when what is under way has come to its end. The head of a request has
/// `head` to come.
pub async fn serve(listener: TcpListener, router: Router, head: Duration, ending: impl Future<Output = ()> + Send) {
    serve_within(listener, router, ending, Limits { head, connections: CONNECTIONS }).await;
}

/// Ready once the end has begun.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: also an end.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn serve_within(listener: TcpListener, router: Router, ending: impl Future<Output = ()> + Send, limits: Limits) {
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut ending = std::pin::pin!(ending);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (accept(&listener).await, place)
        };
        let (stream, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut ending => break,
        };
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a client went away is nobody's news.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and complete: waiting for more to send only delays them.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                // Out of file descriptors: give back what is held before asking again.
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    use super::*;

    /// A server with tight limits; its address, and what ends it.
    async fn server(connections: usize) -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "hello" }));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let ending = async move { drop(stopped.await) };
        let limits = Limits { head: Duration::from_secs(1), connections };
        tokio::spawn(serve_within(listener, router, ending, limits));
        (address, stop)
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 1024];
        let length = timeout(Duration::from_secs(5), stream.read(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    #[tokio::test]
    async fn a_client_that_sends_a_byte_now_and_then_is_hung_up_on() {
        let (address, _stop) = server(8).await;
        let began = Instant::now();
        let mut slow = TcpStream::connect(address).await.unwrap();
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" {
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut rest = Vec::new();
        // An end or a reset: hung up on either way.
        let _ = timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await.expect("it is still open");
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(!String::from_utf8_lossy(&rest).contains("hello"));
    }

    #[tokio::test]
    async fn a_connection_at_rest_is_closed_and_one_in_use_stays() {
        let (address, _stop) = server(8).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..4 {
            assert!(ask(&mut stream).await.ends_with("hello"));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let mut rest = Vec::new();
        timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.expect("it is still open").unwrap();
    }

    #[tokio::test]
    async fn silent_connections_keep_others_out_only_for_a_while() {
        let (address, _stop) = server(2).await;
        let mut silent = Vec::new();
        for _ in 0..6 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut stream).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn nothing_is_accepted_after_the_end() {
        let (address, stop) = server(8).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut stream).await.ends_with("hello"));
        stop.send(()).unwrap();
        let mut rest = Vec::new();
        timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.expect("it is still open").unwrap();
        // A child that another test is starting may hold the listener until it is another program.
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).await.is_ok() {
            assert!(Instant::now() < deadline, "it still accepts");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
