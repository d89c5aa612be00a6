//! A crash in the middle of a request: the caller hears nothing more, and whoever drives it drops everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tower::Service;

/// Whether the request that a process dies in still arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Arrives,
    IsLost,
}

/// Counts requests down to the one in which the process dies.
#[derive(Debug, Clone)]
pub struct Fuse {
    left: Arc<AtomicI64>,
    last: Last,
    pub blown: Arc<Notify>,
}

impl Fuse {
    pub fn after(requests: i64, last: Last) -> Self {
        Self { left: Arc::new(AtomicI64::new(requests)), last, blown: Arc::default() }
    }

    pub fn never() -> Self {
        Self::after(i64::MAX, Last::IsLost)
    }
}

/// A service with a fuse before it.
#[derive(Clone)]
pub struct Fused<S> {
    pub inner: S,
    pub fuse: Fuse,
}

impl<S, R> Service<R> for Fused<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let left = self.fuse.left.fetch_sub(1, Ordering::SeqCst);
        let (fuse, answer) = (self.fuse.clone(), self.inner.call(request));
        Box::pin(async move {
            if left > 0 {
                return answer.await;
            }
            if left == 0 && fuse.last == Last::Arrives {
                let _ = answer.await;
            }
            fuse.blown.notify_one();
            std::future::pending().await
        })
    }
}
