//! What a workload answers through a real API server's proxy (`http`), and what a hostile one makes of it.
//!
//! Nobody runs Pods in a stack: kwok says that they are ready, and here the test then gives them this machine's address, where
//! it listens. An API server asks no loopback address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gradus::checkpoint::Judgement;
use gradus::checkpoint::observed::Sample;
use gradus::checkpoint::outcome::{Blame, Outcome};
use gradus::submission::tree::Tree;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::asks::{Ground, kind, messages, tree};
use super::beside;
use crate::prometheus::Prometheus;
use crate::until::until;

/// An address of this machine that an API server may ask. A machine that has none is given one, which takes root.
fn address() -> IpAddr {
    // Asks for the way there; nothing is sent.
    let own = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        Ok(socket.local_addr()?.ip())
    });
    if let Some(own) = own.ok().filter(|own| !own.is_loopback() && !own.is_unspecified()) {
        return own;
    }
    let given = Ipv4Addr::new(198, 18, 0, 1);
    let made = Command::new("ip").args(["addr", "replace", &format!("{given}/32"), "dev", "lo"]).status();
    assert!(made.is_ok_and(|status| status.success()), "this machine has no address but loopback: give it one");
    given.into()
}

/// A workload; ends with the test.
struct Workload {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Workload {
    async fn listen() -> Self {
        let listener = TcpListener::bind((address(), 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let requests = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, requests.clone()));
            }
        });
        Self { at, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn status(code: u16, message: &str) -> (u16, String) {
    let reason = if code == 403 { "Forbidden" } else { "ServiceUnavailable" };
    (code, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code }).to_string())
}

async fn answer(mut stream: TcpStream, requests: Arc<Mutex<Vec<String>>>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    requests.lock().unwrap().push(request);
    let mut headers = "content-type: application/json; charset=utf-8\r\n".to_owned();
    let (code, body) = match path.as_str() {
        "/healthz?full=1" => (200, r#"{"ok": true, "secret": "x"}"#.to_owned()),
        "/empty" => (204, String::new()),
        "/away" => {
            headers += "location: /healthz?full=1\r\n";
            (302, String::new())
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(900)).await;
            (200, "{}".to_owned())
        }
        "/hangs" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return;
        }
        "/huge" => (200, "x".repeat(3 << 20)),
        "/endless" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await;
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            return;
        }
        "/many-headers" => {
            (0..400).for_each(|n| headers += &format!("x-{n}: {}\r\n", "y".repeat(500)));
            (200, "{}".to_owned())
        }
        "/half" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf").await;
            return;
        }
        "/noise" => {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await;
            return;
        }
        "/fakes-403" => status(403, "services \"web:http\" is forbidden: User \"gradus\" cannot get resource"),
        "/fakes-429" => status(429, "too many requests, please try again later"),
        "/fakes-none" => status(503, "no endpoints available for service \"web:http\""),
        "/later" => {
            headers += "retry-after: 1\r\n";
            (503, "{}".to_owned())
        }
        "/hostile" => (200, "`</details>\u{202e}**bold** @everyone".to_owned()),
        _ => (404, "{}".to_owned()),
    };
    let head = format!("HTTP/1.1 {code} Said\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}

const SERVICE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {'argocd.argoproj.io/tracking-id': 'NAME:/Service:NAME/web'}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: PORT}]}
---
apiVersion: v1
kind: Service
metadata: {name: by-hand}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: PORT}]}
";

/// A Pod; of the commit, if it says so.
const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: POD, labels: {app: web}, annotations: {TRACKED}}
spec: {automountServiceAccountToken: false, containers: [{name: web, image: web}]}
";

/// An environment with a workload.
struct Web {
    ground: Ground,
    workload: Workload,
}

impl Web {
    async fn new(word: &str) -> Self {
        let workload = Workload::listen().await;
        let port = workload.at.port();
        Self::serving(word, workload, port).await
    }

    /// The Services lead to this port.
    async fn serving(word: &str, workload: Workload, port: u16) -> Self {
        let ground = Ground::new(word).await;
        ground.make(&SERVICE.replace("PORT", &port.to_string())).await;
        // It is made by a controller, and needed by Pods.
        let account = ground.kinds.find("", "ServiceAccount").await.unwrap().unwrap();
        let api = ground.kinds.api(&account, &ground.name);
        until("the account of Pods", async || api.get_opt("default").await.unwrap().is_some()).await;
        Self { ground, workload }
    }

    /// A Pod at this address.
    async fn pod(&self, name: &str, by_hand: bool, at: IpAddr) {
        let tracked = if by_hand { "" } else { "'argocd.argoproj.io/tracking-id': 'NAME:/Pod:NAME/POD'" };
        self.ground.make(&POD.replace("TRACKED", tracked).replace("POD", name)).await;
        let pods = self.ground.kinds.find("", "Pod").await.unwrap().unwrap();
        let api = self.ground.kinds.api(&pods, &self.ground.name);
        let runs = async || !api.get(name).await.unwrap().data["status"]["podIP"].is_null();
        until("kwok gives the Pod an address", runs).await;
        let status = json!({ "status": { "podIP": at, "podIPs": [{ "ip": at }] } });
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }

    async fn judged(&self, via: &Value, get: &str, expect: Value, wanted: Outcome) -> (Judgement, Sample) {
        let check = kind("http", json!({ "via": via, "get": get, "expect": expect }));
        let files = tree("web.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n");
        self.ground.judged(&check, &files, &Tree::default(), wanted).await
    }

    /// The one sentence of a failure.
    async fn fails(&self, via: &Value, get: &str, expect: Value) -> (String, Blame) {
        let (judgement, _) = self.judged(via, get, expect, Outcome::Fail).await;
        assert_eq!(judgement.outcome, Outcome::Fail, "{get}: {judgement:?}");
        let [message] = messages(&judgement)[..] else { panic!("{judgement:?}") };
        (message.to_owned(), judgement.blame.unwrap())
    }
}

#[test]
fn a_workload_is_asked_through_the_api_server_and_its_state_is_told_apart() {
    beside(async {
        let web = Web::new("answers").await;
        let (by_name, by_number) =
            (json!({ "service": "web", "port": "http" }), json!({ "service": "web", "port": 80 }));
        let expect = json!({ "headers": { "Content-Type": { "$prefix": "application/json" } }, "json": { "ok": true }, "within": "4s" });
        let healthz = "/healthz?full=1";
        let none = web.fails(&by_number, healthz, expect.clone()).await;
        assert!(none.0.starts_with("the Service `web` has no endpoints"), "{none:?}");
        assert_eq!(none.1, Blame::NotHealthy);

        // Held, so that nobody else comes to listen there.
        let held = TcpSocket::new_v4().unwrap();
        held.bind(SocketAddr::new(address(), 0)).unwrap();
        let closed = held.local_addr().unwrap();
        assert_ne!(closed.port(), web.workload.at.port());
        web.pod("web-a", false, web.workload.at.ip()).await;
        for via in [&by_name, &by_number, &json!({ "pod": "web-a", "port": web.workload.at.port() })] {
            let (judgement, sample) = web.judged(via, healthz, expect.clone(), Outcome::Pass).await;
            assert_eq!(judgement.outcome, Outcome::Pass, "{via}: {judgement:?}");
            let (_, again) = web.judged(via, healthz, expect.clone(), Outcome::Pass).await;
            assert_eq!(sample.answers, again.answers, "the next look is no news");
            assert!(
                !serde_json::to_string(&sample.answers).unwrap().contains("connection"),
                "only what was asked for is kept"
            );
        }
        let requests = web.workload.asked();
        assert!(requests.iter().all(|request| request.starts_with("GET ")), "{requests:?}");
        let all = requests.join("\n").to_lowercase();
        assert!(!all.contains("authorization") && !all.contains("bearer") && !all.contains("cookie"), "{all}");

        let refused = web.fails(&json!({ "pod": "web-a", "port": closed.port() }), "/", json!({})).await;
        assert!(refused.0.starts_with("nothing listens at port"), "{refused:?}");
        let no_port = web.fails(&json!({ "service": "web", "port": 81 }), "/", json!({})).await;
        assert_eq!(no_port.0, "the Service `web` has no port 81");
        let unnamed = web.fails(&json!({ "service": "web", "port": "metrics" }), "/", json!({})).await;
        assert!(unnamed.0.starts_with("the Service `web` has no endpoints"), "{unnamed:?}");
        let missing = web.fails(&json!({ "service": "shop", "port": 80 }), "/", json!({})).await;
        assert_eq!(missing, ("the environment has no Service `shop` of this commit".to_owned(), Blame::YourFiles));
        let wrong = web.fails(&by_number, "/nowhere", json!({})).await;
        assert_eq!(wrong, ("`GET /nowhere`: `status` is 404, must be 200".to_owned(), Blame::HealthyButWrong));
        let late = web.fails(&by_number, "/slow", json!({ "within": "300ms" })).await;
        assert_eq!(late.0, "`GET /slow`: the answer took longer than 300ms");
        assert_eq!(
            web.judged(&by_number, "/empty", json!({ "status": 204 }), Outcome::Pass).await.0.outcome,
            Outcome::Pass
        );
    });
}

#[test]
fn what_is_made_by_hand_does_not_count_before_or_behind_a_service() {
    beside(async {
        let web = Web::new("by-hand").await;
        web.pod("web-a", false, web.workload.at.ip()).await;
        let (via, get) = (json!({ "service": "web", "port": 80 }), "/healthz?full=1");
        assert_eq!(web.judged(&via, get, json!({}), Outcome::Pass).await.0.outcome, Outcome::Pass);
        let before = web.fails(&json!({ "service": "by-hand", "port": 80 }), get, json!({})).await;
        assert!(before.0.contains("nothing of this commit made it"), "{before:?}");
        web.pod("web-b", true, web.workload.at.ip()).await;
        let behind = web.fails(&via, get, json!({})).await;
        assert!(behind.0.contains("the Pod `web-b`, which nothing of this commit made"), "{behind:?}");
    });
}

#[test]
fn a_hostile_workload_gains_nothing() {
    beside(async {
        let web = Web::new("hostile").await;
        web.pod("web-a", false, web.workload.at.ip()).await;
        let via = json!({ "service": "web", "port": 80 });
        assert_eq!(web.judged(&via, "/healthz?full=1", json!({}), Outcome::Pass).await.0.outcome, Outcome::Pass);
        let before = web.workload.asked().len();
        let away = web.fails(&via, "/away", json!({})).await;
        assert_eq!(away.0, "`GET /away`: `status` is 302, must be 200; redirects are not followed");
        assert_eq!(web.workload.asked().len(), before + 1, "nobody went there");

        let before = web.workload.asked().len();
        let later = web.fails(&via, "/later", json!({})).await;
        assert_eq!(later.0, "`GET /later`: `status` is 503, must be 200");
        assert_eq!(web.workload.asked().len(), before + 1, "each look asks once, whatever `retry-after` says");

        for (get, expect, words) in [
            ("/hangs", json!({}), "the Service `web` gave no whole answer at port 80 within 5s"),
            ("/endless", json!({ "body": "x" }), "the Service `web` gave no whole answer at port 80 within 5s"),
            (
                "/huge",
                json!({ "body": "x" }),
                "`GET /huge`: the answer has more than 64 KiB, which is more than is read",
            ),
            ("/half", json!({}), "what port 80 of the Service `web` gives is no whole answer of HTTP"),
            ("/noise", json!({}), "what port 80 of the Service `web` gives is no whole answer of HTTP"),
            ("/many-headers", json!({}), "what port 80 of the Service `web` gives is no whole answer of HTTP"),
            // A refusal of ours would be nobody's fault, so it is not enough to say that it is one.
            ("/fakes-403", json!({}), "`GET /fakes-403`: `status` is 403, must be 200"),
            ("/fakes-429", json!({}), "`GET /fakes-429`: `status` is 429, must be 200"),
        ] {
            let (message, _) = web.fails(&via, get, expect).await;
            assert_eq!(message, words);
        }
        let fakes = web.fails(&via, "/fakes-none", json!({ "status": 503 })).await;
        assert!(fakes.0.starts_with("the Service `web` has no endpoints"), "{fakes:?}");
        let hostile = web.fails(&via, "/hostile", json!({ "json": {} })).await;
        assert_eq!(hostile.0, "`GET /hostile`: the answer is no JSON: `'</details>\\u{202e}**bold** @everyone`");
    });
}

#[test]
fn a_real_prometheus_of_the_environment_is_asked_in_the_same_way() {
    beside(async {
        let prometheus = Prometheus::start(address()).await;
        let web = Web::serving("promql", Workload::listen().await, prometheus.at.port()).await;
        web.pod("web-a", false, prometheus.at.ip()).await;
        let judged = async |query: &str, wanted| {
            let expect = json!({ "value": { "$gt": 0 }, "series": { "max": 1 } });
            let check = kind(
                "promql",
                json!({ "via": { "service": "web", "port": "http" }, "query": query, "expect": expect }),
            );
            web.ground.judged(&check, &Tree::default(), &Tree::default(), wanted).await
        };
        let of_this = "label_replace(up{job=\"self\"}, \"namespace\", \"$namespace\", \"\", \"\")";
        for query in ["up{job=\"self\"}", "3", "vector(0.1)", of_this] {
            let (judgement, first) = judged(query, Outcome::Pass).await;
            assert_eq!(judgement, Judgement::pass(), "{query}");
            assert_eq!(first.answers, judged(query, Outcome::Pass).await.1.answers, "its times are no news: {query}");
            if query == of_this {
                let kept = serde_json::to_string(&first.answers).unwrap();
                assert!(kept.contains(&format!("\\\"namespace\\\":\\\"{}\\\"", web.ground.name)), "{kept}");
            }
        }
        let (none, _) = judged("up{job=\"nobody\"}", Outcome::Fail).await;
        assert_eq!(messages(&none), ["the query finds no data: of what it asks for nothing was measured"]);
        let (broken, _) = judged("sum(rate(", Outcome::Error).await;
        assert_eq!(broken.outcome, Outcome::Error, "{broken:?}");
        assert!(messages(&broken)[0].contains("parse error"), "{broken:?}");
    });
}

const MAY_LOOK: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: looks}
rules: [{apiGroups: [''], resources: [services, endpoints, pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: looks}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: looks}
subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]
";

#[test]
fn without_the_right_to_ask_nobody_loses_points() {
    beside(async {
        let mut web = Web::new("no-right").await;
        web.pod("web-a", false, web.workload.at.ip()).await;
        web.ground.make(MAY_LOOK).await;
        let via = json!({ "service": "web", "port": 80 });
        assert_eq!(web.judged(&via, "/healthz?full=1", json!({}), Outcome::Pass).await.0.outcome, Outcome::Pass);
        let asked = web.workload.asked().len();
        web.ground = web.ground.as_user("jane").await;
        let check = kind("http", json!({ "via": via, "get": "/healthz?full=1", "expect": {} }));
        let words = ["we may not get services/proxy in the environment's namespace"];
        // Until the right to look is in force, that one is what is missing.
        let told = |judgement: &Judgement| messages(judgement) == words;
        let (judgement, _) = web.ground.judged_like(&check, &Tree::default(), &Tree::default(), told).await;
        assert_eq!(judgement.outcome, Outcome::Inconclusive, "{judgement:?}");
        assert_eq!(messages(&judgement), words);
        assert_eq!(web.workload.asked().len(), asked);
    });
}
