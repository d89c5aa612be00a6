//! `promql` of a server of the operator's, against a real Prometheus that scrapes what a test tells.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gradus::checkpoint::observed::{Sample, Want};
use gradus::checkpoint::outcome::{Blame, Outcome};
use gradus::checkpoint::{Check, Judgement, Kind};
use gradus::environment::address::{Addresses, Server};
use gradus::forge::http::base::{Base, Plain};
use gradus::submission::tree::Tree;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::live::asks::{judge, kind, messages};
use crate::{http, kept};

/// A file is read before its changes are watched, so it is read again soon. What is scraped: of each namespace, what its one target tells, and Prometheus itself.
const CONFIG: &str = "
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - job_name: self
    scrape_native_histograms: true
    file_sd_configs: [{files: [self.json], refresh_interval: 1s}]
  - job_name: learners
    file_sd_configs: [{files: [learners.json], refresh_interval: 1s}]
";

/// How long one waits for what is expected.
const PATIENCE: Duration = Duration::from_secs(30);

/// A real Prometheus; ends with this.
pub struct Prometheus {
    pub at: SocketAddr,
    dir: PathBuf,
    _keeper: Child,
}

impl Prometheus {
    /// Listens at this address, and scrapes nobody but itself yet.
    pub async fn start(ip: IpAddr) -> Self {
        let program = kept::built("prometheus").join("prometheus");
        let dir = tempfile::Builder::new().prefix("gradus-prometheus-").tempdir().unwrap().keep();
        fs::write(dir.join("prometheus.yml"), CONFIG).unwrap();
        fs::write(dir.join("self.json"), "[]").unwrap();
        fs::write(dir.join("learners.json"), "[]").unwrap();
        let (config, data) = (dir.join("prometheus.yml"), dir.join("data"));
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", data.display()),
            format!("--web.listen-address={}", SocketAddr::from((ip, 0))),
        ];
        let keeper = kept::command(&dir, &program, args).spawn().unwrap();
        let begun = Instant::now();
        let at = loop {
            let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
            // It says the two in any order, and a line may be half written.
            let ready = log.contains("Server is ready to receive web requests");
            if let Some(at) = listens(&log).filter(|_| ready) {
                break at;
            }
            assert!(begun.elapsed() < PATIENCE, "Prometheus does not start: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let prometheus = Self { at, dir, _keeper: keeper };
        prometheus.scrapes("self.json", &json!([{ "targets": [at] }]));
        prometheus
    }

    /// Scrapes these from now on.
    pub fn scrapes(&self, file: &str, targets: &Value) {
        // In one step: it reads as soon as something changes.
        let new = self.dir.join("new");
        fs::write(&new, targets.to_string()).unwrap();
        fs::rename(new, self.dir.join(file)).unwrap();
    }

    /// Waits until it has measured something of this name: it takes new targets up only every few seconds.
    pub async fn measures(&self, name: &str) {
        let begun = Instant::now();
        loop {
            let path = format!("/api/v1/query?query={name}");
            let (_, answer) = http::request(&self.at.to_string(), "GET", &path, &[], "").unwrap();
            if answer.contains(&format!("\"__name__\":\"{name}\"")) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "Prometheus does not measure `{name}`: {answer}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Where it says that it listens.
fn listens(log: &str) -> Option<SocketAddr> {
    let said = log.split_once("Listening on")?.1.split_once("address=")?.1;
    said.split_once(char::is_whitespace)?.0.parse().ok()
}

/// What a target tells from now on.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<String>>);

impl Script {
    pub fn tells(&self, text: &str) {
        *self.0.lock().unwrap() = text.to_owned();
    }

    pub async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let text = self.0.clone();
        let tell =
            move || std::future::ready(([("content-type", "text/plain; version=0.0.4")], text.lock().unwrap().clone()));
        let router = axum::Router::new().route("/metrics", axum::routing::get(tell));
        tokio::spawn(async move { axum::serve(listener, router).await });
        at
    }
}

/// The operator's Prometheus, and two learners whom it watches.
struct World {
    addresses: Addresses,
    ada: Script,
    bob: Script,
    _prometheus: Prometheus,
}

impl World {
    async fn new() -> Self {
        let prometheus = Prometheus::start(Ipv4Addr::LOCALHOST.into()).await;
        let (ada, bob) = (Script::default(), Script::default());
        let target = |at: SocketAddr, namespace: &str| json!({ "targets": [at], "labels": { "namespace": namespace } });
        let targets = json!([target(ada.serve().await, "shop-ada"), target(bob.serve().await, "shop-bob")]);
        prometheus.scrapes("learners.json", &targets);
        let addresses = Addresses::none().unwrap();
        let base = Base::parse(&format!("http://{}", prometheus.at), Plain::Loopback).unwrap();
        addresses.replace(BTreeMap::from([("prometheus".to_owned(), Server { base, token: None })]));
        Self { addresses, ada, bob, _prometheus: prometheus }
    }

    async fn look(&self, kind: &Kind, namespace: &str) -> (Judgement, Sample) {
        let [Want::Http(ask)] = &kind.wants(None)[..] else { panic!("{kind:?}") };
        let answers = vec![(Want::Http(ask.clone()), self.addresses.ask(ask, namespace).await)];
        let sample = Sample { answers, ..Sample::default() };
        (judge(kind, &Tree::default(), &Tree::default(), &sample), sample)
    }

    /// The first judgement of a query that is as expected, or the last one in time.
    async fn judged(
        &self,
        query: &str,
        namespace: &str,
        expect: &Value,
        wanted: Outcome,
        says: &str,
    ) -> (Judgement, Sample) {
        let kind = kind("promql", json!({ "via": { "address": "prometheus" }, "query": query, "expect": expect }));
        let begun = Instant::now();
        loop {
            let seen = self.look(&kind, namespace).await;
            let as_wanted = seen.0.outcome == wanted && messages(&seen.0).iter().all(|one| one.starts_with(says));
            if as_wanted || begun.elapsed() > PATIENCE {
                assert!(as_wanted, "{query}: wanted {wanted:?} `{says}`, got {:?}", seen.0);
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_is_asked_about_one_learner_and_its_answers_are_told_right() {
    use Outcome::{Error, Fail, Inconclusive, Pass};
    let world = World::new().await;
    world.ada.tells("# TYPE stock gauge\nstock{item=\"a\"} 7\nstock{item=\"b\"} 0.1\nempty NaN\n");
    world.bob.tells("stock{item=\"a\"} 0\nstock{namespace=\"shop-ada\", item=\"c\"} -5\n");
    let positive = json!({ "value": { "$gt": 0 } });
    let of_bob = "stock{namespace=\"$namespace\", item=\"a\"}";
    for (query, wanted, says) in [
        ("stock{namespace=\"$namespace\"}", Pass, ""),
        ("stock{namespace=\"$namespace\", item=\"nobody\"}", Fail, "the query finds no data"),
        ("absent(stock{namespace=\"$namespace\", item=\"nobody\"})", Pass, ""),
        ("empty{namespace=\"$namespace\"}", Fail, "the value is NaN, which is no number"),
        ("stock{namespace=\"$namespace\", item=\"a\"} / 0", Fail, "the value is +Inf"),
        ("-stock{namespace=\"$namespace\", item=\"a\"} / 0", Fail, "the value is -Inf"),
        ("stock{namespace=\"$namespace\"}[5s]", Pass, ""),
        ("nobody{namespace=\"$namespace\"}[5s]", Fail, "the query finds no data"),
        ("3", Pass, ""),
        ("0/0", Fail, "the value is NaN"),
        ("\"$namespace\"", Fail, "the value is shop-ada, which is no number"),
        ("sum(rate({namespace=\"$namespace\"", Error, "Prometheus cannot read the query: invalid parameter"),
        ("sum(prometheus_http_request_duration_seconds)", Fail, "the value is a histogram"),
        (
            "stock{namespace=\"$namespace\"} * on(namespace) stock{namespace=\"$namespace\"}",
            Inconclusive,
            "the operator's address `prometheus`: Prometheus has no answer: execution: found duplicate",
        ),
    ] {
        world.judged(query, "shop-ada", &positive, wanted, says).await;
    }
    let (wrong, _) = world.judged(of_bob, "shop-bob", &positive, Fail, "`value` is 0, must be more than 0").await;
    assert_eq!(wrong.blame, Some(Blame::HealthyButWrong));
    let subject = format!("the operator's address `prometheus`, the query {of_bob}");
    assert_eq!(wrong.evidence[0].subject.as_deref(), Some(subject.as_str()));
    let two = json!({ "series": { "max": 1 } });
    world.judged("stock{namespace=\"$namespace\"}", "shop-ada", &two, Fail, "the query gives 2 series").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scraped_later_is_seen_and_the_same_numbers_are_no_news() {
    let world = World::new().await;
    let query = "stock{namespace=\"$namespace\"}";
    let five = json!({ "value": 5 });
    world.judged(query, "shop-ada", &five, Outcome::Fail, "the query finds no data").await;
    world.ada.tells("stock 4\n");
    world.judged(query, "shop-ada", &five, Outcome::Fail, "`value` is 4, must be 5").await;
    world.ada.tells("stock 5\n");
    let (_, first) = world.judged(query, "shop-ada", &five, Outcome::Pass, "").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (_, again) = world.judged(query, "shop-ada", &five, Outcome::Pass, "").await;
    assert_eq!(first.answers, again.answers, "two scrapes later");
    // What was kept is judged again without anybody being asked.
    let kept: Sample = serde_json::from_value(serde_json::to_value(&first).unwrap()).unwrap();
    let kind = kind("promql", json!({ "via": { "address": "prometheus" }, "query": query, "expect": { "value": 4 } }));
    let changed = judge(&kind, &Tree::default(), &Tree::default(), &kept);
    assert_eq!(messages(&changed), ["`value` is 5, must be 4"]);
}
