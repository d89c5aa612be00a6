//! What runs for one workspace: a first look, then workers, sweeps and a listener that counts.
//!
//! The first look decides whether anything begins at all: a store that knows nothing of a workspace with many open pull
//! requests would post on each of them, so an operator has to say that this is meant (`--first-sync`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::crowd::Crowd;
use super::metrics::{Metrics, Verdict};
use crate::config::kinds::SweepConfig;
use crate::forge::pull::{PullKey, Workspace};
use crate::forge::{ErrorClass, Forge, ForgeError};
use crate::gradebook::Gradebook;
use crate::reconcile::grader::Grader;
use crate::reconcile::policy::LivePolicy;
use crate::reconcile::pulse::{Pulse, What};
use crate::reconcile::run::{ReconcileError, Reconciler};
use crate::reconcile::sweep::Extent;
use crate::server::listen::stopped;
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};

/// Most open pull requests that a store which knows nothing of a workspace begins with unasked.
pub const FIRST_SYNC: usize = 20;

/// First wait after a look or a sweep that failed; doubles up to the time between two sweeps.
const BACKOFF: Duration = Duration::from_secs(2);

/// Time between two looks of a workspace that is held: another daemon may have begun with it.
const HELD: Duration = Duration::from_secs(30);

/// Whether a store that knows nothing may begin with many pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstSync {
    /// The operator said so, or nothing is written anyway.
    Meant,
    /// Not without being asked.
    Ask,
}

/// How a workspace is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The forge was not asked yet, or did not answer.
    Starting,
    /// So many open pull requests and an empty store.
    Held(usize),
    /// At work.
    Running,
}

/// What is told of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How far it is.
    pub stage: Stage,
    /// When everything was compared last.
    pub full_sweep: Option<Time>,
    /// Why the last look or sweep failed.
    pub trouble: Option<String>,
}

/// What all workspaces share.
#[derive(Clone)]
pub struct Ground {
    /// Queue, journal and read model.
    pub store: Store,
    /// Verdicts.
    pub gradebook: Arc<Gradebook>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Pull requests at once.
    pub workers: usize,
    /// When to sweep.
    pub sweep: SweepConfig,
    /// Whether to begin with many.
    pub first_sync: FirstSync,
    /// When it is one of many.
    pub crowd: Option<Crowd>,
}

/// What runs for one workspace.
pub struct Engine {
    workspace: Workspace,
    stop: watch::Sender<bool>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
    condition: Arc<Mutex<Condition>>,
}

impl Engine {
    /// Starts everything. Returns at once, whatever the forge does.
    pub fn start<F: Forge, G: Grader>(forge: F, grader: G, policy: LivePolicy, pulse: Pulse, ground: Ground) -> Self {
        let workspace = forge.workspace().clone();
        let (stop, stopping) = watch::channel(false);
        let condition = Condition { stage: Stage::Starting, full_sweep: None, trouble: None };
        let condition = Arc::new(Mutex::new(condition));
        let delay = ground.crowd.as_ref().map(Crowd::delay).unwrap_or_default();
        let run = Run { workspace: workspace.clone(), ground, pulse, stopping, condition: condition.clone(), delay };
        let task = tokio::spawn(run.run(forge, grader, policy));
        Self { workspace, stop, task: Mutex::new(Some(task)), condition }
    }

    /// Of which workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// How it is doing.
    pub fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    /// Begins the end: nothing new is begun.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Lets what was begun come to its end, for a while.
    pub async fn stopped(&self, within: Duration) {
        self.stop();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if tokio::time::timeout(within, &mut task).await.is_err() {
            tracing::warn!(workspace = %self.workspace, "stopped with work under way; it is done again after the next start");
            task.abort();
        }
    }
}

fn lock(condition: &Mutex<Condition>) -> std::sync::MutexGuard<'_, Condition> {
    // Each field is set in one step: a panic elsewhere leaves it whole.
    condition.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Run {
    workspace: Workspace,
    ground: Ground,
    pulse: Pulse,
    stopping: watch::Receiver<bool>,
    condition: Arc<Mutex<Condition>>,
    /// What is left of the wait for its place among many.
    delay: Duration,
}

/// What the first look found.
enum Look {
    Begin,
    Hold(usize),
}

impl Run {
    async fn run<F: Forge, G: Grader>(mut self, forge: F, grader: G, policy: LivePolicy) {
        if !self.may_begin(&forge).await {
            return;
        }
        let Ground { store, gradebook, clock, .. } = self.ground.clone();
        let reconciler = Arc::new(Reconciler::new(forge, grader, store, gradebook, policy, clock, self.pulse.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(count(self.workspace.clone(), self.ground.clone(), self.pulse.clone(), self.stopping.clone()));
        for _ in 0..self.ground.workers {
            let (reconciler, stopping) = (reconciler.clone(), self.stopping.clone());
            tasks.spawn(async move { reconciler.work(stopping).await });
        }
        // Workers take what webhooks tell of meanwhile.
        if self.delay().await {
            self.sweep(&reconciler).await;
        }
        while tasks.join_next().await.is_some() {}
    }

    fn set(&self, change: impl FnOnce(&mut Condition)) {
        change(&mut lock(&self.condition));
    }

    /// Waits until the workspace may be begun with. False when the end came before.
    async fn may_begin<F: Forge>(&mut self, forge: &F) -> bool {
        let mut backoff = BACKOFF;
        // What this store knows is at work at once: nobody is asked for that.
        if !matches!(self.known().await, Ok(true)) && !self.delay().await {
            return false;
        }
        loop {
            let wait = match self.look(forge).await {
                Ok(Look::Begin) => {
                    self.set(|condition| (condition.stage, condition.trouble) = (Stage::Running, None));
                    return true;
                }
                Ok(Look::Hold(open)) => {
                    if self.condition().stage != Stage::Held(open) {
                        tracing::error!(
                            workspace = %self.workspace, open,
                            "the store knows nothing of this workspace: nothing is graded; look at what would be posted \
                             with `--dry-run`, then start once with `--first-sync`"
                        );
                    }
                    self.set(|condition| (condition.stage, condition.trouble) = (Stage::Held(open), None));
                    HELD
                }
                Err(error) => {
                    self.failed("cannot begin; trying again", &error);
                    backoff = backoff.saturating_mul(2).min(self.patience());
                    backoff
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // Whoever tells of a fork was let in, and so may we be.
                () = self.pulse.woken(), if self.ground.crowd.is_some() => {}
                () = stopped(&mut self.stopping) => return false,
            }
        }
    }

    /// Waits for its place among many, once. False when the end came before.
    async fn delay(&mut self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(std::mem::take(&mut self.delay)) => true,
            () = stopped(&mut self.stopping) => false,
        }
    }

    /// Notes why a look or a sweep failed, and logs it. What a learner does with a repository of their own, as to not let
    /// us in, is no error of anybody's, and told once.
    fn failed(&self, what: &str, error: &ReconcileError) {
        let why = error.to_string();
        match &self.ground.crowd {
            None => tracing::error!(workspace = %self.workspace, %error, "{what}"),
            Some(_) if self.condition().trouble.as_ref() == Some(&why) => {}
            Some(_) => tracing::warn!(workspace = %self.workspace, %error, "{what}"),
        }
        self.set(|condition| condition.trouble = Some(why));
    }

    /// Between two looks at what changed lately.
    fn recent(&self) -> Duration {
        let configured = self.ground.sweep.recent.0;
        self.ground.crowd.as_ref().map_or(configured, |crowd| crowd.recent(configured))
    }

    /// Longest wait after a failure.
    fn patience(&self) -> Duration {
        let configured = self.ground.sweep.recent.0.max(BACKOFF);
        self.ground.crowd.as_ref().map_or(configured, |crowd| crowd.patience(configured))
    }

    async fn known(&self) -> Result<bool, StoreError> {
        Ok(!self.ground.store.known(&self.workspace).await?.is_empty())
    }

    fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    async fn look<F: Forge>(&self, forge: &F) -> Result<Look, ReconcileError> {
        if self.known().await? || self.ground.first_sync == FirstSync::Meant {
            return Ok(Look::Begin);
        }
        let open = forge.pulls(None).await?.len();
        Ok(if open > FIRST_SYNC { Look::Hold(open) } else { Look::Begin })
    }

    /// Sweeps until the end: everything at first and then every now and then, in between what changed lately.
    async fn sweep<F: Forge, G: Grader>(&mut self, reconciler: &Reconciler<F, G>) {
        let SweepConfig { overlap, full, .. } = self.ground.sweep;
        let mut compared = None::<Time>;
        let mut failures = 0u32;
        while !*self.stopping.borrow() {
            let begun = self.ground.clock.now();
            let due = compared.is_none_or(|last| last.plus(full.0) <= begun);
            let extent = if due { Extent::Full } else { Extent::Recent };
            let wait = match reconciler.catch_up(extent, overlap.0).await {
                Ok(found) => {
                    tracing::debug!(workspace = %self.workspace, found, ?extent, "swept");
                    if due {
                        compared = Some(begun);
                    }
                    self.set(|condition| (condition.full_sweep, condition.trouble) = (compared, None));
                    failures = 0;
                    self.recent()
                }
                Err(ReconcileError::Forge(ForgeError { class: ErrorClass::Throttled(until), .. })) => {
                    until.since(begun)
                }
                Err(error) => {
                    self.failed("cannot sweep; trying again", &error);
                    failures = failures.saturating_add(1);
                    BACKOFF.saturating_mul(1 << failures.min(16)).min(self.patience())
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait + jitter(wait, begun)) => {}
                () = stopped(&mut self.stopping) => return,
            }
        }
    }
}

/// Up to a tenth, so that daemons that were started together do not stay together.
fn jitter(wait: Duration, now: Time) -> Duration {
    let share = u32::try_from(now.0.rem_euclid(997)).unwrap_or_default();
    wait / 10 * share / 997
}

/// Counts what the workers tell.
async fn count(workspace: Workspace, ground: Ground, pulse: Pulse, mut stopping: watch::Receiver<bool>) {
    let mut events = pulse.listen();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = stopped(&mut stopping) => return,
        };
        match event {
            Ok(event) => match event.what {
                What::Answered(head) => {
                    let key = PullKey { workspace: workspace.clone(), number: event.number };
                    if let Err(error) = answered(&ground, &key, &head).await {
                        tracing::warn!(%error, "not counted");
                    }
                }
                What::Provisional(_) => ground.metrics.answered(&workspace, Verdict::Provisional),
                What::Moved | What::Commented => {}
            },
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "events were not counted"),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn answered(ground: &Ground, key: &PullKey, head: &crate::submission::sha::CommitId) -> Result<(), StoreError> {
    let Some(grading) = ground.store.grading_state(key, head).await? else { return Ok(()) };
    let verdict = match (grading.provisional, grading.traits.passed) {
        (true, _) => Verdict::Provisional,
        (false, true) => Verdict::Passed,
        (false, false) => Verdict::NotPassed,
    };
    ground.metrics.answered(&key.workspace, verdict);
    let heads = ground.store.heads(key).await?;
    let seen = heads.iter().rev().find(|seen| seen.head == *head);
    if let Some((seen, answered)) = seen.and_then(|seen| Some((seen.seen_at, seen.answered_at?))) {
        ground.metrics.waited(&key.workspace, answered.since(seen));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_of_daemons_that_start_together_drift_apart_by_a_tenth_at_most() {
        let minute = Duration::from_secs(60);
        let all: Vec<Duration> = (0..2000).map(|at| jitter(minute, Time(at))).collect();
        assert!(all.iter().all(|jitter| *jitter <= minute / 10));
        assert!(all.iter().max() > all.iter().min());
        assert_eq!(jitter(Duration::ZERO, Time(5)), Duration::ZERO);
    }
}
