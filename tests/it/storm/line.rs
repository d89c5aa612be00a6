//! The line between a daemon and GitHub: where the process may die in the middle of a request, or stand still while the
//! rest of the world goes on. It also notes which heads the daemon has been shown.
//!
//! In process an answer that comes at all comes at once: what is not there when it is asked for never comes. Nothing there
//! waits for real time, and so a seed is played the same way each time. Over a socket it is waited for a little.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::Full;
use tokio::sync::Notify;
use tower::Service;

use super::world::{Disk, World};

/// What happens to a process at one of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It dies, and the request never leaves.
    DiesBefore,
    /// It dies, and the request arrives.
    DiesAfter,
    /// Before the request leaves everything else goes on for a while.
    StallsBefore,
    /// The same before its answer is seen.
    StallsAfter,
}

/// At which request of a process what happens.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    pub at: u64,
    pub turn: Turn,
}

/// No answer, or not the whole of it.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub struct Silence;

/// A daemon's line.
#[derive(Clone)]
pub struct Line {
    pub world: Arc<World>,
    pub disk: Arc<Disk>,
    pub fate: Option<Fate>,
    pub sent: Arc<Mutex<u64>>,
    /// For each pull request the newest head that was known here when it was looked at last, by its place in the story.
    pub looked: Arc<Mutex<BTreeMap<u64, usize>>>,
    /// Told when the process is dead.
    pub dead: Arc<Notify>,
}

impl Line {
    pub fn new(world: &Arc<World>, disk: &Arc<Disk>, fate: Option<Fate>) -> Self {
        let (world, disk) = (world.clone(), disk.clone());
        Self { world, disk, fate, sent: Arc::default(), looked: Arc::default(), dead: Arc::default() }
    }

    fn in_process(&self, request: http::Request<Body>) -> Result<Answer, Silence> {
        let answer = at_once(self.world.hub.service().call(request)).and_then(Result::ok).ok_or(Silence)?;
        let (head, body) = answer.into_parts();
        Ok(Answer::from_parts(head, Full::new(whole(body)?)))
    }

    fn turn(&self) -> Option<Turn> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *sent += 1;
        self.fate.filter(|fate| fate.at == *sent).map(|fate| fate.turn)
    }

    /// Notes the newest head that is known here after a look at pull requests: what it showed, or what the store knew.
    async fn note(&self, method: &str, path: &str) {
        let segments: Vec<&str> = path.split('/').skip(4).collect();
        let numbers: Vec<u64> = match (method, segments.as_slice()) {
            ("GET", ["pulls"]) => self.world.learners().stories.keys().copied().collect(),
            ("GET", ["pulls", number]) => vec![number.parse().expect("a number")],
            _ => return,
        };
        let fresh = self.world.hub.last_was_fresh();
        for number in numbers {
            let newest = match fresh {
                true => Some(self.world.learners().newest(number)),
                false => {
                    let noted = self.disk.store.newest_head(&self.world.key(number)).await.expect("a store");
                    noted.and_then(|noted| self.world.learners().place(number, noted.head.as_str()))
                }
            };
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let looked = looked.entry(number).or_default();
            *looked = newest.unwrap_or(0).max(*looked);
        }
    }

    /// A review is about to be made visible: never of a head that was known to be replaced when the daemon looked last.
    fn judge(&self, method: &str, path: &str) {
        let segments: Vec<&str> = path.split('/').skip(4).collect();
        let ("POST", ["pulls", number, "reviews", id, "events"]) = (method, segments.as_slice()) else { return };
        let (number, id): (u64, u64) = (number.parse().expect("a number"), id.parse().expect("a number"));
        let pull = self.world.hub.pull(self.world.at(number));
        let Some(review) = pull.reviews.iter().find(|review| review.id == id) else { return };
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied();
        let mut learners = self.world.learners();
        let of = learners.place(number, &review.commit_id);
        if of < looked {
            let what = format!("#{number}: posts a review of head {of:?} and knows of {looked:?}: {review:#?}");
            learners.wrong.push(what);
        }
    }
}

pub type Answer = http::Response<Full<Bytes>>;

/// The answer when it is there at once.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A body that comes without waiting.
fn whole<B: HttpBody<Data = Bytes>>(body: B) -> Result<Bytes, Silence> {
    let (mut body, mut bytes, mut patience) = (pin!(body), Vec::new(), 3);
    loop {
        match body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(None) => return Ok(bytes.into()),
            Poll::Ready(Some(Ok(frame))) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Poll::Ready(Some(Err(_))) => return Err(Silence),
            Poll::Pending if patience == 0 => return Err(Silence),
            Poll::Pending => patience -= 1,
        }
    }
}

impl Service<http::Request<Body>> for Line {
    type Response = Answer;
    type Error = Silence;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Answer, Silence>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Silence>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let line = self.clone();
        Box::pin(async move {
            let turn = line.turn();
            if turn == Some(Turn::StallsBefore) {
                line.world.clone().goes_on(line.disk.clone()).await;
            }
            if turn == Some(Turn::DiesBefore) {
                line.dead.notify_one();
                return std::future::pending().await;
            }
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            line.judge(&method, &path);
            let answer = match &line.world.ground {
                Some(ground) => ground.ask(request).await,
                None => line.in_process(request),
            };
            if turn == Some(Turn::DiesAfter) {
                line.dead.notify_one();
                return std::future::pending().await;
            }
            if answer.as_ref().is_ok_and(|answer| matches!(answer.status().as_u16(), 200 | 304)) {
                line.note(&method, &path).await;
            }
            if turn == Some(Turn::StallsAfter) {
                line.world.clone().goes_on(line.disk.clone()).await;
            }
            answer
        })
    }
}
