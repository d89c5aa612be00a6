//! The handle on the fake: settings, and what the HTTP face asks of it. What a test does is in `drive` and `look`.

mod drive;
mod finish;
mod look;
mod repo;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::{Clock, Millis};
use super::faults::{Asked, Fault, Schedule};
use super::http::call::Call;
use super::http::desk::Desk;
use super::http::limits::{Limits, Resource};
use super::http::reply::Reply;
use super::http::service::{self, InProcess, Serving};
use super::http::{self};
use super::state::State;
use super::state::account::{Actor, TokenShape};
use super::state::ids::RepoId;
use super::state::refusal::Refusal;

pub use drive::{AppHandle, grader_permissions};

/// A fake GitHub. Clones share it.
#[derive(Clone)]
pub struct Hub(Arc<Mutex<Inner>>);

/// A request that came, and how it was answered.
#[derive(Debug, Clone)]
pub struct Record {
    /// What was asked.
    pub asked: Asked,
    /// Whom it was from.
    pub actor: Actor,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub fault: Option<Fault>,
}

/// What is checked at the end.
struct Expectation {
    what: String,
    holds: Box<dyn Fn(&Hub) -> bool + Send>,
}

/// The state with everything around it.
pub struct Inner {
    clock: Clock,
    skew: Millis,
    /// What is true now.
    pub state: State,
    /// What was true, oldest first; kept only when reads may lag.
    history: VecDeque<(Millis, State)>,
    keep: Option<Millis>,
    lag: Millis,
    latency: u64,
    /// Tokens and meters.
    pub desk: Desk,
    schedule: Option<Schedule>,
    planned: Vec<(String, Fault)>,
    late: Vec<(Millis, Call)>,
    /// Every request that came.
    pub calls: Vec<Record>,
    violations: Vec<String>,
    expectations: Vec<Expectation>,
    taken: usize,
    git: BTreeMap<RepoId, PathBuf>,
    finished: bool,
    /// How often what is true may have changed.
    changes: u64,
    /// Answers to reads and what they were true for: the same is read again and again.
    answers: HashMap<String, (u64, Reply)>,
}

impl Inner {
    /// The answer to a read of what did not change since.
    pub fn answered_before(&self, asked: &str) -> Option<Reply> {
        self.answers.get(asked).filter(|(changes, _)| *changes == self.changes).map(|(_, reply)| reply.clone())
    }

    /// Keeps the answer to a read.
    pub fn keep_answer(&mut self, asked: String, reply: &Reply) {
        self.answers.insert(asked, (self.changes, reply.clone()));
    }

    /// GitHub's time: the clock, and how far GitHub's is ahead of it.
    pub fn now(&self) -> Millis {
        self.clock.now() + self.skew
    }

    /// The real repository behind one of the fake.
    pub fn git(&self, repo: RepoId) -> Option<&Path> {
        self.git.get(&repo).map(PathBuf::as_path)
    }

    /// Records something that a client must not do, or the fake.
    pub fn violation(&mut self, call: &Call, what: &str) {
        self.violations.push(format!("{} {}: {what}", call.method, call.path));
    }

    /// The state as it was then; none when no past is kept.
    pub fn past(&self, at: Millis) -> Option<State> {
        let known = self.history.iter().rev().find(|(since, _)| *since <= at).or_else(|| self.history.front());
        known.map(|(_, state)| state.clone())
    }

    /// Remembers the state when reads may lag.
    pub fn changed(&mut self) {
        self.changes += 1;
        let Some(keep) = self.keep else { return };
        let now = self.now();
        self.history.push_back((now, self.state.clone()));
        // The newest one that is old enough has to stay.
        while self.history.get(1).is_some_and(|(since, _)| *since <= now - keep) {
            self.history.pop_front();
        }
    }

    /// Lets the effects happen whose time has come.
    fn land(&mut self) {
        let now = self.now();
        let (due, rest) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = rest;
        for (_, call) in due {
            http::perform(self, &call, None);
        }
    }
}

impl Hub {
    /// An empty GitHub whose limits are the documented ones.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            clock,
            skew: 0,
            state: State::default(),
            history: VecDeque::new(),
            keep: None,
            lag: 0,
            latency: 0,
            desk: Desk::new(),
            schedule: None,
            planned: Vec::new(),
            late: Vec::new(),
            calls: Vec::new(),
            violations: Vec::new(),
            expectations: Vec::new(),
            taken: 0,
            git: BTreeMap::new(),
            finished: false,
            changes: 0,
            answers: HashMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked while it held the lock has failed already; others may still look.
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.land();
        inner
    }

    /// Changes the state as something outside the API does, and remembers it when reads may lag.
    fn change<T>(&self, change: impl FnOnce(&mut State, Millis) -> T) -> T {
        let mut inner = self.lock();
        let now = inner.now();
        let result = change(&mut inner.state, now);
        inner.changed();
        result
    }

    /// The fake as a tower service in process.
    pub fn service(&self) -> InProcess {
        InProcess(self.clone())
    }

    /// The fake as an axum router.
    pub fn router(&self) -> axum::Router {
        service::router(self.clone())
    }

    /// The fake on a free port of loopback, until the result is dropped.
    pub async fn serve(&self) -> std::io::Result<Serving> {
        service::serve(self.clone()).await
    }

    /// GitHub's clock is so far ahead of ours; negative: behind.
    pub fn skew(&self, millis: Millis) {
        self.lock().skew = millis;
    }

    /// From now on reads serve what was true that long ago.
    pub fn read_lag(&self, millis: Millis) {
        self.keep_past(millis);
        self.lock().lag = millis;
    }

    /// Keeps the past for that long, so that [`Fault::Stale`] has something to serve.
    pub fn keep_past(&self, millis: Millis) {
        let mut inner = self.lock();
        inner.keep = inner.keep.max(Some(millis));
        if inner.history.is_empty() {
            let state = inner.state.clone();
            inner.history.push_back((Millis::MIN, state));
        }
    }

    /// Each answer takes that many milliseconds of tokio's clock.
    pub fn latency(&self, millis: u64) {
        self.lock().latency = millis;
    }

    /// How much an identity may do.
    pub fn limits(&self, limits: Limits) {
        self.lock().desk.limits = limits;
    }

    /// The shape of installation tokens from now on.
    pub fn token_shape(&self, shape: TokenShape) {
        self.lock().desk.shape = shape;
    }

    /// Uses up the primary limit of an identity.
    pub fn exhaust(&self, actor: Actor) {
        let mut inner = self.lock();
        let (limits, now) = (inner.desk.limits, inner.now());
        inner.desk.meters.exhaust(actor, &limits, now);
    }

    /// What is left of the primary limit.
    pub fn remaining(&self, actor: Actor, resource: Resource) -> u64 {
        let mut inner = self.lock();
        let (limits, now) = (inner.desk.limits, inner.now());
        inner.desk.meters.budget(actor, resource, &limits, now)["remaining"].as_u64().unwrap_or(0)
    }

    /// Asks this for each request what goes wrong.
    pub fn schedule(&self, schedule: Schedule) {
        self.lock().schedule = Some(schedule);
    }

    /// This goes wrong with the next request of this operation. One that never happens is a leftover.
    pub fn plan(&self, operation: &str, fault: Fault) {
        self.lock().planned.push((operation.to_owned(), fault));
    }

    /// A request came: its number, what goes wrong with it, how long its answer takes.
    pub(super) fn arrived(&self, call: &Call) -> (u64, Option<Fault>, u64) {
        let mut inner = self.lock();
        let asked = Asked {
            number: inner.calls.len() as u64 + 1,
            method: call.method.to_string(),
            path: call.path.clone(),
            operation: call.operation.to_owned(),
            at: inner.now(),
        };
        let fault = match inner.planned.iter().position(|(wanted, _)| wanted == call.operation) {
            Some(position) => Some(inner.planned.remove(position).1),
            None => inner.schedule.as_mut().and_then(|schedule| schedule(&asked)),
        };
        let number = asked.number;
        inner.calls.push(Record { asked, actor: Actor::Anonymous, status: None, fault: fault.clone() });
        (number, fault, inner.latency)
    }

    /// Does what a request asks.
    pub(super) fn perform(&self, call: &Call, stale: Option<Millis>) -> Reply {
        let mut inner = self.lock();
        let lag = stale.unwrap_or(inner.lag);
        let past = (lag > 0).then(|| inner.now() - lag);
        http::perform(&mut inner, call, past)
    }

    /// Does what a request asks when the clock is that much further.
    pub(super) fn later(&self, call: Call, millis: Millis) {
        let mut inner = self.lock();
        let due = inner.now() + millis;
        inner.late.push((due, call));
    }

    /// A request was answered.
    pub(super) fn answered(&self, number: u64, status: u16) {
        let mut inner = self.lock();
        if let Some(record) = inner.calls.get_mut(number as usize - 1) {
            record.status = Some(status);
        }
    }
}

/// What a test asked for and got refused: its own mistake.
fn must<T>(result: Result<T, Refusal>) -> T {
    result.unwrap_or_else(|refusal| panic!("the fake GitHub refuses what the test does: {refusal:?}"))
}
