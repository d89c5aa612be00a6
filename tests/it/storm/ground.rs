//! The ground of a storm that is played once more for real: heads that are commits, the fake behind a socket, the real
//! grader with its sandbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use gradus::course::id::CourseId;
use gradus::reconcile::courses::OpenCourse;

use super::line::{Answer, Silence};
use crate::fake_github::faults::Dice;
use crate::fake_github::http::service::Serving;
use crate::fake_github::hub::Hub;
use crate::fake_github::state::ids::RepoId;
use crate::up::world;

const FIRST: &str = "tasks/first/deployment.yaml";

/// How long an answer is waited for while there is a storm; what takes longer is lost to who asked.
const STORMY: Duration = Duration::from_millis(400);

/// The same when nothing goes wrong: this machine may be busy.
const CLEAR: Duration = Duration::from_secs(30);

/// A workspace of commits.
pub struct Ground {
    pub course: Arc<OpenCourse>,
    /// As in `http://127.0.0.1:4711`.
    pub base: String,
    shipped: BTreeMap<String, String>,
    /// Points of each head.
    points: Mutex<BTreeMap<String, u32>>,
    client: Client<HttpConnector, Body>,
    clear: AtomicBool,
    _serving: Serving,
}

impl Ground {
    /// With the course `tiny` published to this repository.
    pub async fn new(dir: &Path, hub: &Hub, repo: RepoId) -> Arc<Self> {
        world::course(&dir.join("tiny"));
        let upstream = |_: &CourseId| dir.join("published.git");
        let address = |_: &CourseId| "https://github.com/acme/cnpe.git".to_owned();
        let course = Arc::new(OpenCourse::open(&dir.join("tiny"), upstream, address, 0).expect("a course"));
        let shipped = course.workspace.paths().filter_map(|path| {
            let text = course.workspace.file(path)?;
            Some((path.to_owned(), String::from_utf8_lossy(text).into_owned()))
        });
        let shipped: BTreeMap<String, String> = shipped.collect();
        hub.with_git(repo, &dir.join("upstream.git"), &borrowed(&shipped));
        let serving = hub.serve().await.expect("a port");
        Arc::new(Self {
            base: serving.base(),
            course,
            shipped,
            points: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            clear: AtomicBool::new(false),
            _serving: serving,
        })
    }

    /// An answer to the task `first` that nobody gave before, among all that the workspace ships, and its points.
    pub fn answer(&self, dice: &mut Dice) -> (BTreeMap<String, String>, u32) {
        let (replicas, team) = (1 + 2 * dice.below(2), ["none", "aurora"][dice.below(2) as usize]);
        let text = format!(
            "# {}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    team: {team}\nspec:\n  \
             replicas: {replicas}\n",
            dice.below(u64::MAX)
        );
        let mut files = self.shipped.clone();
        files.insert(FIRST.to_owned(), text);
        (files, if replicas == 3 { 4 } else { 0 } + if team == "aurora" { 3 } else { 0 })
    }

    pub fn note(&self, head: &str, points: u32) {
        self.points.lock().unwrap_or_else(PoisonError::into_inner).insert(head.to_owned(), points);
    }

    /// What the status of a head says, and whether it passes.
    pub fn verdict(&self, head: &str) -> (String, bool) {
        let points = self.points.lock().unwrap_or_else(PoisonError::into_inner)[head];
        let said = match points {
            7 => "Passed: 7 of 7 points".to_owned(),
            0 => "Not yet: 0 of 7 points, 2 checkpoints to fix".to_owned(),
            some => format!("Not yet: {some} of 7 points, 1 checkpoint to fix"),
        };
        (said, points == 7)
    }

    /// Nothing goes wrong any more: whatever is asked is waited for.
    pub fn clears(&self) {
        self.clear.store(true, Ordering::Relaxed);
    }

    /// Asks over the socket.
    pub async fn ask(&self, request: http::Request<Body>) -> Result<Answer, Silence> {
        let asking = async {
            let (head, body) = self.client.request(request).await.map_err(|_| Silence)?.into_parts();
            let body: Bytes = body.collect().await.map_err(|_| Silence)?.to_bytes();
            Ok(Answer::from_parts(head, Full::new(body)))
        };
        let patience = if self.clear.load(Ordering::Relaxed) { CLEAR } else { STORMY };
        tokio::time::timeout(patience, asking).await.unwrap_or(Err(Silence))
    }
}

pub fn borrowed(files: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}
