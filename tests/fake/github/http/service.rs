//! The fake as a tower service in process, as an axum router, and on loopback.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Sleep;

use super::super::faults::Fault;
use super::super::hub::Hub;
use super::super::state::refusal::Refusal;
use super::call::Call;
use super::reply::{self, Reply};

/// The connection broke before there was an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection reset by the fake GitHub")]
pub struct Reset;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Longest body that a request may have, in bytes.
const MAX_REQUEST: usize = 10 << 20;

/// Answers one request, with what goes wrong.
async fn answer(hub: Hub, request: Request<Body>) -> Result<Response<Trickle>, Reset> {
    let (head, body) = request.into_parts();
    let raw = axum::body::to_bytes(body, MAX_REQUEST).await.map_err(|_| Reset)?;
    let host = head.headers.get("host").and_then(|host| host.to_str().ok());
    let base = match (head.uri.scheme_str(), head.uri.authority(), host) {
        (Some(scheme), Some(authority), _) => format!("{scheme}://{authority}"),
        (_, _, Some(host)) if !host.contains("github.com") => format!("http://{host}"),
        _ => "https://api.github.com".to_owned(),
    };
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let path = head.uri.path().to_owned();
    let (operation, parameters) = super::locate(head.method.as_str(), &path);
    let mut call = Call {
        number: 0,
        method: head.method,
        path,
        query,
        headers: head.headers,
        body: serde_json::from_slice(&raw).ok(),
        raw,
        operation,
        parameters,
        base,
    };
    let (number, fault, latency) = hub.arrived(&call);
    call.number = number;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let mut road = Road::Good;
    let perform = |past| hub.perform(&call, past);
    let reply = match fault {
        None => perform(None),
        Some(Fault::Stale(millis)) => perform(Some(millis)),
        Some(Fault::TimeoutBefore) => return std::future::pending().await,
        Some(Fault::TimeoutAfter) => {
            perform(None);
            return std::future::pending().await;
        }
        Some(Fault::TimeoutThenEffect(millis)) => {
            hub.later(call, millis);
            return std::future::pending().await;
        }
        Some(Fault::ErrorBefore(status)) => trouble(status),
        Some(Fault::ErrorAfter(status)) => {
            perform(None);
            trouble(status)
        }
        Some(Fault::Secondary(secondary)) => secondary.reply(),
        Some(Fault::Unprocessable) => Refusal::unprocessable("An internal error occurred, please try again.").into(),
        Some(Fault::ResetBefore) => return Err(Reset),
        Some(Fault::ResetAfter) => {
            perform(None);
            return Err(Reset);
        }
        Some(Fault::Slow(millis)) => {
            let reply = perform(None);
            tokio::time::sleep(Duration::from_millis(millis)).await;
            reply
        }
        Some(Fault::Twice) => {
            perform(None);
            perform(None)
        }
        Some(Fault::SlowBody(millis)) => {
            road = Road::Slow(millis);
            perform(None)
        }
        Some(Fault::CutBody) => {
            road = Road::Cut;
            perform(None)
        }
    };
    hub.answered(number, reply.status);
    Ok(respond(reply, road))
}

/// What a load balancer says instead of GitHub: HTML.
fn trouble(status: u16) -> Reply {
    let written = Some(Bytes::from_static(b"<html><title>Unicorn!</title></html>"));
    Reply { written, ..Reply::empty(status) }.with("content-type", "text/html")
}

enum Road {
    Good,
    Slow(u64),
    Cut,
}

fn respond(mut reply: Reply, road: Road) -> Response<Trickle> {
    let bytes = reply.bytes();
    let mut response = Response::builder().status(reply.status);
    if reply.body.is_some() {
        response = response.header("content-type", reply::JSON);
    }
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    if !matches!(reply.status, 204 | 304) {
        response = response.header("content-length", bytes.len());
    }
    let half = bytes.len() / 2;
    let (first, rest) = (bytes.slice(..half), bytes.slice(half..));
    let parts = match road {
        Road::Good => vec![Part::Data(bytes)],
        Road::Slow(millis) => vec![Part::Data(first), Part::Wait(millis), Part::Data(rest)],
        Road::Cut => vec![Part::Data(first), Part::Flush, Part::Break],
    };
    response.body(Trickle { parts: parts.into(), waiting: None }).expect("names and values of headers are ours")
}

enum Part {
    Data(Bytes),
    Wait(u64),
    /// Lets go once, so that what came before is on its way.
    Flush,
    Break,
}

/// A body that comes in parts, with pauses, and may break.
pub struct Trickle {
    parts: VecDeque<Part>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Trickle {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(context));
                self.waiting = None;
            }
            match self.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Data(bytes)) if bytes.is_empty() => {}
                Some(Part::Data(bytes)) => return Poll::Ready(Some(Ok(http_body::Frame::data(bytes)))),
                Some(Part::Wait(millis)) => {
                    self.waiting = Some(Box::pin(tokio::time::sleep(Duration::from_millis(millis))));
                }
                Some(Part::Flush) => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Part::Break) => return Poll::Ready(Some(Err(Reset.into()))),
            }
        }
    }
}

/// The fake in process: no sockets, and a broken connection is an error of the service.
#[derive(Clone)]
pub struct InProcess(pub(in super::super) Hub);

impl<B> tower::Service<Request<B>> for InProcess
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Trickle>;
    type Error = Reset;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Reset>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Reset>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(answer(self.0.clone(), request.map(Body::new)))
    }
}

/// The fake as an axum router. A router cannot break a connection: there the body breaks at its first byte.
pub fn router(hub: Hub) -> axum::Router {
    axum::Router::new().fallback(move |request: Request<Body>| {
        let hub = hub.clone();
        async move {
            let broken = || Response::new(Trickle { parts: [Part::Break].into(), waiting: None });
            Ok::<_, Infallible>(answer(hub, request).await.unwrap_or_else(|Reset| broken()).map(Body::new))
        }
    })
}

/// The fake on loopback; it ends when this is dropped.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Serving {
    /// As in `http://127.0.0.1:4711`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on a free port of loopback.
pub async fn serve(hub: Hub) -> std::io::Result<Serving> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        // Dropped with the task: no connection outlives the fake.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let hub = hub.clone();
            connections.spawn(async move {
                let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    answer(hub.clone(), request.map(Body::new))
                });
                // An error of the service ends the connection without an answer, which is what `Reset` means.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Serving { address, task })
}
