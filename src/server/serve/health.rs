//! What the daemon says of itself: alive, ready, and numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::engine::{Condition, Stage};
use super::metrics::{Kind, Metrics, Page};
use crate::forge::pull::Workspace;
use crate::gradebook::Gradebook;
use crate::server::ready::ready;
use crate::store::gauges::Depth;
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};

/// Tells how a workspace is doing.
pub type Ask = Arc<dyn Fn() -> Condition + Send + Sync>;

/// Tells the names of clusters that cannot be used.
pub type AskClusters = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What is asked about.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    gradebook: Arc<Gradebook>,
    state: Mutex<Shown>,
}

/// What nobody can look up elsewhere.
#[derive(Default)]
struct Shown {
    /// The files of the configuration cannot be used; since when.
    broken: Option<Time>,
    /// Fields that were changed and wait for the next start.
    waiting: Vec<&'static str>,
    workspaces: BTreeMap<Workspace, Ask>,
    fleets: Vec<Fleet>,
    clusters: Option<AskClusters>,
    stopping: bool,
}

/// The forks of a workspace.
#[derive(Clone)]
pub struct Fleet {
    /// Which workspace.
    pub workspace: Workspace,
    /// Whether the forge lists them.
    pub listed: Listed,
    /// Those that are served.
    pub forks: BTreeMap<Workspace, Ask>,
}

/// How the last look for forks went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Not looked yet.
    NotYet,
    /// All of them are known.
    Fine,
    /// It failed.
    Failed,
}

impl Fleet {
    /// A line, and whether something is wrong that is not one learner's: we may not be let into a fork, and its pull
    /// requests may be more than are begun with unasked.
    fn told(&self) -> (String, bool) {
        let conditions: Vec<Condition> = self.forks.values().map(|ask| ask()).collect();
        let count = |of: &dyn Fn(&Condition) -> bool| conditions.iter().filter(|condition| of(condition)).count();
        let trouble = |condition: &Condition| condition.trouble.is_some();
        let held = count(&|condition| matches!(condition.stage, Stage::Held(_)));
        let (all, failed) = (conditions.len(), count(&trouble));
        let mut line = format!("{}: {all} forks", self.workspace);
        if failed > 0 {
            let _ = write!(line, ", {failed} of them cannot be used, `gradus doctor` says why");
        }
        if held > 0 {
            let _ =
                write!(line, ", {held} of them held: many open pull requests and an empty store, see `--first-sync`");
        }
        line.push_str(match self.listed {
            Listed::NotYet => "; not looked for yet",
            Listed::Fine => "",
            Listed::Failed => "; they cannot be listed, the log says why",
        });
        (line, self.listed == Listed::Failed || (failed > 0 && failed == all))
    }
}

impl Health {
    /// Of a daemon with this store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, gradebook: Arc<Gradebook>) -> Self {
        Self(Arc::new(Inner { store, clock, metrics, gradebook, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, Shown> {
        // Each field is set in one step: a panic elsewhere leaves it whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of the configuration can be used, or not.
    pub fn config_is(&self, usable: bool) {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.broken = if usable { None } else { state.broken.or(Some(now)) };
    }

    /// These fields were changed and wait for the next start.
    pub fn waits_for_start(&self, fields: Vec<&'static str>) {
        self.state().waiting = fields;
    }

    /// These are served, and these forks of some of them.
    pub fn serves(&self, workspaces: BTreeMap<Workspace, Ask>, fleets: Vec<Fleet>) {
        let mut state = self.state();
        (state.workspaces, state.fleets) = (workspaces, fleets);
    }

    /// Environments are lent; this tells which clusters of them cannot be.
    pub fn lends(&self, clusters: AskClusters) {
        self.state().clusters = Some(clusters);
    }

    /// The end has begun: no more requests, please.
    pub fn stopping(&self) {
        self.state().stopping = true;
    }

    /// The pages.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    fn conditions(&self) -> Vec<(Workspace, Condition)> {
        let asks: Vec<(Workspace, Ask)> =
            self.state().workspaces.iter().map(|(workspace, ask)| (workspace.clone(), ask.clone())).collect();
        asks.into_iter().map(|(workspace, ask)| (workspace, ask())).collect()
    }

    /// All that is served, the forks too; none before all of it was compared with the forges since the start.
    pub fn compared(&self) -> Option<Vec<Workspace>> {
        let fleets = self.state().fleets.clone();
        let forks = fleets.iter().flat_map(|fleet| &fleet.forks).map(|(workspace, ask)| (workspace.clone(), ask()));
        let all: Vec<(Workspace, Condition)> = self.conditions().into_iter().chain(forks).collect();
        let compared = |one: &Condition| one.stage == Stage::Running && one.full_sweep.is_some();
        let whole = !all.is_empty() && all.iter().all(|(_, condition)| compared(condition));
        let listed = fleets.iter().all(|fleet| fleet.listed == Listed::Fine);
        (whole && listed).then(|| all.into_iter().map(|(workspace, _)| workspace).collect())
    }

    /// `ok` or `degraded`, and why. Details that name files or quote forges are for the log.
    async fn told(&self) -> Result<String, StoreError> {
        let mut lines = Vec::new();
        let (broken, waiting) = {
            let state = self.state();
            (state.broken, state.waiting.clone())
        };
        let mut degraded = broken.is_some();
        if let Some(since) = broken {
            lines
                .push(format!("config: cannot be used since {since}, the last good one is in force; the log says why"));
        }
        if !waiting.is_empty() {
            lines.push(format!("config: {} changed, which takes effect at the next start", waiting.join(", ")));
        }
        if let Some(since) = self.0.store.paused().await? {
            lines.push(format!("paused since {since}: nothing is posted until `gradus resume`"));
        }
        for (workspace, condition) in self.conditions() {
            let mut line = format!("{workspace}: ");
            match condition.stage {
                Stage::Starting => line.push_str("the forge was not reached yet"),
                Stage::Held(open) => {
                    let _ = write!(line, "held: {open} open pull requests and an empty store, see `--first-sync`");
                }
                Stage::Running => match condition.full_sweep {
                    Some(at) => {
                        let _ = write!(line, "everything compared at {at}");
                    }
                    None => line.push_str("nothing compared yet"),
                },
            }
            if condition.trouble.is_some() {
                line.push_str("; the last attempt failed, the log says why");
            }
            degraded |= condition.trouble.is_some() || matches!(condition.stage, Stage::Held(_));
            lines.push(line);
        }
        let fleets = self.state().fleets.clone();
        for (line, wrong) in fleets.iter().map(Fleet::told) {
            lines.push(line);
            degraded |= wrong;
        }
        let clusters = self.state().clusters.clone();
        for name in clusters.map(|ask| ask()).unwrap_or_default() {
            lines.push(format!("cluster {name}: cannot be used and is not lent, the log says why"));
            degraded = true;
        }
        let first = if degraded { "degraded" } else { "ok" };
        lines.insert(0, first.to_owned());
        Ok(lines.join("\n") + "\n")
    }

    async fn page(&self) -> Result<String, StoreError> {
        let Inner { store, clock, metrics, gradebook, .. } = &*self.0;
        let now = clock.now();
        let mut page = Page::default();
        metrics.write(&mut page);
        let depths = store.depths(now).await?;
        type Count = fn(&Depth) -> i64;
        let counts: [(&str, &str, Count); 3] = [
            ("gradus_queue_length", "Pull requests to be looked at, now or at a time.", |depth| depth.entries),
            ("gradus_queue_in_work", "Those of them that somebody is at.", |depth| depth.in_work),
            ("gradus_queue_awaiting_write", "Those of them that wait for the forge's limits only.", |depth| {
                depth.await_write
            }),
        ];
        for (name, help, count) in counts {
            page.family(name, Kind::Gauge, help);
            for depth in &depths {
                let labels = [("workspace", depth.workspace.0.as_str()), ("class", depth.class)];
                page.sample(name, &labels, count(depth) as f64);
            }
        }
        page.family("gradus_queue_age_seconds", Kind::Gauge, "How long the oldest of them that is due waits.");
        for depth in &depths {
            let labels = [("workspace", depth.workspace.0.as_str()), ("class", depth.class)];
            let age = depth.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
            page.sample("gradus_queue_age_seconds", &labels, age);
        }
        page.family(
            "gradus_posts_unsettled",
            Kind::Gauge,
            "Reviews on their way to a forge: in doubt, or posted and not done with.",
        );
        for unsettled in store.unsettled().await? {
            let labels = |state| [("workspace", unsettled.workspace.0.as_str()), ("state", state)];
            page.sample("gradus_posts_unsettled", &labels("in_doubt"), unsettled.in_doubt as f64);
            page.sample("gradus_posts_unsettled", &labels("posted"), unsettled.posted as f64);
        }
        page.family(
            "gradus_writes",
            Kind::Gauge,
            "Content that an identity wrote lately; the forge's budget less this is left.",
        );
        page_writes(&mut page, store, now).await?;
        let conditions = self.conditions();
        page.family("gradus_last_full_sweep_timestamp_seconds", Kind::Gauge, "When everything was compared last.");
        for (workspace, condition) in &conditions {
            if let Some(at) = condition.full_sweep {
                let at = at.0 as f64 / 1000.0;
                page.sample("gradus_last_full_sweep_timestamp_seconds", &[("workspace", &workspace.0)], at);
            }
        }
        page.family("gradus_workspace_up", Kind::Gauge, "1 while a workspace is at work and its last sweep went well.");
        for (workspace, condition) in &conditions {
            let up = condition.stage == Stage::Running && condition.trouble.is_none();
            page.sample("gradus_workspace_up", &[("workspace", &workspace.0)], f64::from(u8::from(up)));
        }
        let flag = |is: bool| f64::from(u8::from(is));
        page.family("gradus_forks", Kind::Gauge, "Learners' own repositories, and how many of them cannot be used.");
        for fleet in self.state().fleets.clone() {
            let failed = fleet.forks.values().filter(|ask| ask().trouble.is_some()).count();
            let labels = |state| [("workspace", fleet.workspace.0.as_str()), ("state", state)];
            page.sample("gradus_forks", &labels("listed"), fleet.forks.len() as f64);
            page.sample("gradus_forks", &labels("failing"), failed as f64);
        }
        let offers = store.offers().await?;
        page.family("gradus_environments", Kind::Gauge, "Environments that learners hold.");
        for (workspace, _) in &conditions {
            let held = offers.iter().filter(|offer| offer.tenancy.workspace == *workspace).count();
            page.sample("gradus_environments", &[("workspace", &workspace.0)], held as f64);
        }
        page.gauge("gradus_paused", "1 while nothing is posted.", flag(store.paused().await?.is_some()));
        let broken = self.state().broken.is_some();
        page.gauge("gradus_config_broken", "1 while the files of the configuration cannot be used.", flag(broken));
        let gradebook = gradebook.clone();
        if let Ok(Ok(Some(backlog))) = tokio::task::spawn_blocking(move || gradebook.backlog()).await {
            let waiting = backlog.waiting as f64;
            page.gauge(
                "gradus_gradebook_waiting",
                "Lines that are not known to be in the gradebook's repository.",
                waiting,
            );
            page.gauge("gradus_gradebook_broken", "1 while the last exchange failed.", flag(backlog.error.is_some()));
        }
        page.family("gradus_build_info", Kind::Gauge, "Which program this is.");
        page.sample("gradus_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        Ok(page.text())
    }
}

async fn page_writes(page: &mut Page, store: &Store, now: Time) -> Result<(), StoreError> {
    for written in store.written_lately(now).await? {
        let labels = |window| [("identity", written.identity.as_str()), ("window", window)];
        page.sample("gradus_writes", &labels("minute"), written.minute as f64);
        page.sample("gradus_writes", &labels("hour"), written.hour as f64);
    }
    page.family(
        "gradus_write_gate_seconds",
        Kind::Gauge,
        "For how long a forge wants to be left alone by an identity.",
    );
    for (identity, until) in store.gates_shut(now).await? {
        page.sample("gradus_write_gate_seconds", &[("identity", &identity)], until.since(now).as_secs_f64());
    }
    Ok(())
}

/// Alive: a restart would help nothing. What is degraded is said and no reason to be restarted.
async fn healthz(State(health): State<Health>) -> Response {
    match health.told().await {
        Ok(text) => text.into_response(),
        Err(error) => unusable(&error),
    }
}

/// Ready: webhooks are queued and looked at.
async fn readyz(State(health): State<Health>) -> Response {
    if health.state().stopping {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    ready(&health.0.store).await
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.page().await {
        Ok(text) => ([(header::CONTENT_TYPE, Page::CONTENT_TYPE)], text).into_response(),
        Err(error) => unusable(&error),
    }
}

fn unusable(error: &StoreError) -> Response {
    tracing::error!(%error, "the database cannot be used");
    (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::forge::pull::{PullKey, PullNumber};
    use crate::store::queue::Hint;
    use crate::store::time::ManualClock;

    struct Desk {
        health: Health,
        store: Store,
        _dir: tempfile::TempDir,
    }

    async fn desk() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let clock = Arc::new(ManualClock::at(Time(1_795_508_130_000)));
        let gradebook = Arc::new(Gradebook::new(dir.path().to_owned()));
        let health = Health::new(store.clone(), clock, Arc::default(), gradebook);
        Desk { health, store, _dir: dir }
    }

    impl Desk {
        async fn get(&self, path: &str) -> (u16, String) {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = self.health.clone().routes().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }

        fn serve(&self, condition: Condition) {
            let ask: Ask = Arc::new(move || condition.clone());
            self.health.serves(BTreeMap::from([(Workspace("git.example.org/acme/hello".into()), ask)]), Vec::new());
        }
    }

    fn running() -> Condition {
        Condition { stage: Stage::Running, full_sweep: Some(Time(1_795_508_000_000)), trouble: None }
    }

    #[tokio::test]
    async fn a_daemon_that_does_its_work_is_ok() {
        let desk = desk().await;
        desk.serve(running());
        let (status, text) = desk.get("/healthz").await;
        assert_eq!(status, 200);
        assert_eq!(text, "ok\ngit.example.org/acme/hello: everything compared at 2026-11-24 08:13:20 UTC\n");
        assert_eq!(desk.get("/readyz").await, (200, "ready\nqueue 0\n".into()));
    }

    #[tokio::test]
    async fn what_is_degraded_is_said_without_details_and_is_no_reason_to_be_restarted() {
        let desk = desk().await;
        desk.serve(Condition { trouble: Some("/etc/secret said token".into()), ..running() });
        desk.health.config_is(false);
        desk.health.waits_for_start(vec!["listen", "store"]);
        desk.store.pause(Time(1_795_508_130_000)).await.unwrap();
        let (status, text) = desk.get("/healthz").await;
        assert_eq!(status, 200);
        for part in [
            "degraded\n",
            "config: cannot be used since 2026-11-24 08:15:30 UTC",
            "listen, store changed",
            "paused since",
            "the last attempt failed",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("secret"), "{text}");
        let (_, page) = desk.get("/metrics").await;
        for line in [
            "gradus_config_broken 1",
            "gradus_paused 1",
            "gradus_workspace_up{workspace=\"git.example.org/acme/hello\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
        desk.health.config_is(true);
        assert!(!desk.get("/healthz").await.1.contains("cannot be used"));
    }

    #[tokio::test]
    async fn forks_are_counted_and_one_learners_trouble_is_not_ours() {
        let desk = desk().await;
        let told = async |listed, troubles: &[Option<&str>]| {
            let ask = |trouble: Option<&str>| -> Ask {
                let condition = Condition { trouble: trouble.map(str::to_owned), ..running() };
                Arc::new(move || condition.clone())
            };
            let name = |index| Workspace(format!("git.example.org/acme/hello/forks/{index}"));
            let forks = troubles.iter().enumerate().map(|(index, trouble)| (name(index), ask(*trouble)));
            let workspace = Workspace("git.example.org/acme/hello".into());
            desk.health.serves(BTreeMap::new(), vec![Fleet { workspace, listed, forks: forks.collect() }]);
            desk.get("/healthz").await.1
        };
        let hello = "git.example.org/acme/hello";
        assert_eq!(told(Listed::Fine, &[None, None]).await, format!("ok\n{hello}: 2 forks\n"));
        let one = told(Listed::Fine, &[None, Some("not let in")]).await;
        assert_eq!(one, format!("ok\n{hello}: 2 forks, 1 of them cannot be used, `gradus doctor` says why\n"));
        let page = desk.get("/metrics").await.1;
        let line = format!("gradus_forks{{workspace=\"{hello}\",state=\"failing\"}} 1");
        assert!(page.lines().any(|found| found == line), "{page}");
        assert!(told(Listed::Fine, &[Some("x"), Some("x")]).await.starts_with("degraded\n"), "all of them");
        assert!(told(Listed::Failed, &[None]).await.starts_with("degraded\n"));
        assert!(told(Listed::NotYet, &[]).await.starts_with("ok\n"));
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_used_is_named_as_long_as_it_cannot() {
        let desk = desk().await;
        let clusters = Arc::new(Mutex::new(vec!["lab-1".to_owned()]));
        let told = clusters.clone();
        desk.health.lends(Arc::new(move || told.lock().unwrap().clone()));
        let text = "degraded\ncluster lab-1: cannot be used and is not lent, the log says why\n";
        assert_eq!(desk.get("/healthz").await, (200, text.to_owned()));
        clusters.lock().unwrap().clear();
        assert_eq!(desk.get("/healthz").await.1, "ok\n");
    }

    #[tokio::test]
    async fn a_held_workspace_says_what_to_do() {
        let desk = desk().await;
        desk.serve(Condition { stage: Stage::Held(243), full_sweep: None, trouble: None });
        let (_, text) = desk.get("/healthz").await;
        assert!(
            text.starts_with("degraded\n") && text.contains("held: 243 open") && text.contains("--first-sync"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn queue_and_sweeps_are_numbers() {
        let desk = desk().await;
        desk.serve(running());
        let key = PullKey { workspace: Workspace("git.example.org/acme/hello".into()), number: PullNumber(7) };
        desk.store.enqueue(&key, "ada", Hint::NewHead, Time(1_795_508_100_000)).await.unwrap();
        let (status, page) = desk.get("/metrics").await;
        assert_eq!(status, 200);
        for line in [
            "gradus_queue_length{workspace=\"git.example.org/acme/hello\",class=\"live\"} 1",
            "gradus_queue_age_seconds{workspace=\"git.example.org/acme/hello\",class=\"live\"} 30",
            "gradus_last_full_sweep_timestamp_seconds{workspace=\"git.example.org/acme/hello\"} 1795508000",
            "gradus_paused 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }

    #[tokio::test]
    async fn without_a_database_it_is_neither_alive_nor_ready() {
        let desk = desk().await;
        desk.store.close().await;
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(desk.get(path).await.0, 503, "{path}");
        }
    }

    #[tokio::test]
    async fn who_is_stopping_wants_no_more_requests() {
        let desk = desk().await;
        desk.health.stopping();
        assert_eq!(desk.get("/readyz").await.0, 503);
        assert_eq!(desk.get("/healthz").await.0, 200);
    }
}
