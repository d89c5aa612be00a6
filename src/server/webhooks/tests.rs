use axum::Router;
use http::HeaderValue;
use tower::ServiceExt;

use super::*;
use crate::forge::pull::PullNumber;
use crate::store::time::{ManualClock, Time};

const SECRET: &str = "canary-of-a-webhook";

/// A dialect that is easy to write by hand: the tag in hexadecimal, and `OWNER/NAME NUMBER` as the body.
const TOY: Reader = Reader {
    signature: |headers| {
        let mut tag = [0; 32];
        hex::decode_to_slice(headers.get("x-tag")?.to_str().ok()?, &mut tag).ok()?;
        Some(tag)
    },
    delivery: |headers| headers.get("x-delivery")?.to_str().ok(),
    hint: |_, body| {
        let (repository, number) = std::str::from_utf8(body).ok()?.split_once(' ')?;
        let number = number.parse().ok()?;
        Some(WebhookHint { repository: repository.parse().ok()?, number: PullNumber(number), kind: HintKind::NewHead })
    },
};

struct Desk {
    receiver: Receiver,
    router: Router,
    store: Store,
    pulse: Pulse,
    metrics: Arc<Metrics>,
    _dir: tempfile::TempDir,
}

impl Desk {
    async fn new(at_once: usize) -> Self {
        Self::within(at_once, Duration::from_secs(60)).await
    }

    /// One to which a delivery comes within this time.
    async fn within(at_once: usize, time: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let metrics = Arc::new(Metrics::default());
        let bounds = Bounds { bytes: 1000, at_once, time };
        let clock = Arc::new(ManualClock::at(Time(5)));
        let receiver = Receiver::new(store.clone(), clock, metrics.clone(), bounds);
        let pulse = Pulse::default();
        receiver.replace(endpoints(&[SECRET], &pulse));
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        Self { receiver, router, store, pulse, metrics, _dir: dir }
    }

    async fn send(&self, request: Request) -> (u16, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn counted(&self) -> String {
        let mut page = super::super::serve::metrics::Page::default();
        self.metrics.write(&mut page);
        page.text()
    }
}

fn endpoints(secrets: &[&str], pulse: &Pulse) -> Endpoints {
    let workspace = Workspace("git.example.org/acme/hello".into());
    let endpoint = Endpoint {
        forge: "git".parse().unwrap(),
        reader: TOY,
        secrets: secrets.iter().map(|secret| Secret::new(*secret)).collect(),
        workspaces: BTreeMap::from([("acme/hello".parse().unwrap(), (workspace, pulse.clone()))]),
        strangers: Vec::new(),
    };
    BTreeMap::from([("/webhooks/git".to_owned(), endpoint)])
}

fn tag(secret: &str, body: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn delivery(path: &str, secret: &str, body: &str) -> Request {
    Request::post(path).header("x-tag", tag(secret, body)).body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_signed_delivery_of_a_served_repository_is_queued_and_wakes_a_worker() {
    let desk = Desk::new(4).await;
    let woken = desk.pulse.woken();
    assert_eq!(desk.send(delivery("/webhooks/git", SECRET, "Acme/Hello 7")).await, (202, "queued\n".into()));
    tokio::time::timeout(Duration::from_secs(5), woken).await.unwrap();
    let workspace = Workspace("git.example.org/acme/hello".into());
    let waiting = desk.store.waiting(&workspace).await.unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.number).collect::<Vec<_>>(), [PullNumber(7)]);
    assert!(desk.counted().contains("outcome=\"queued\"} 1"));
}

#[tokio::test]
async fn a_delivery_that_is_played_back_is_one_entry() {
    let desk = Desk::new(4).await;
    for _ in 0..3 {
        assert_eq!(desk.send(delivery("/webhooks/git", SECRET, "acme/hello 7")).await.0, 202);
    }
    assert_eq!(desk.store.queue_length().await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_not_ours_is_taken_and_forgotten() {
    let desk = Desk::new(4).await;
    for body in ["acme/other 7", "ping", ""] {
        let (status, _) = desk.send(delivery("/webhooks/git", SECRET, body)).await;
        assert_eq!(status, 202, "{body}: an error would make the forge give up on us");
    }
    assert_eq!(desk.store.queue_length().await.unwrap(), 0);
    assert!(desk.counted().contains("outcome=\"ignored\"} 3"));
}

#[tokio::test]
async fn a_repository_that_is_not_served_is_looked_for_among_the_forks_and_nothing_of_it_is_queued() {
    let desk = Desk::new(4).await;
    let scout = Arc::new(Notify::new());
    let mut all = endpoints(&[SECRET], &desk.pulse);
    all.values_mut().for_each(|endpoint| endpoint.strangers = vec![scout.clone()]);
    desk.receiver.replace(all);
    let told = async || {
        let woken = tokio::time::timeout(Duration::from_millis(10), scout.notified()).await;
        woken.is_ok()
    };
    assert_eq!(desk.send(delivery("/webhooks/git", "another secret", "ada/hello 7")).await.0, 401);
    assert_eq!(desk.send(delivery("/webhooks/git", SECRET, "acme/hello 7")).await.0, 202);
    assert_eq!(desk.send(delivery("/webhooks/git", SECRET, "ping")).await.0, 202);
    assert!(!told().await, "forged, served, or about nothing");
    assert_eq!(desk.send(delivery("/webhooks/git", SECRET, "ada/hello 7")).await.0, 202);
    assert!(told().await);
    assert_eq!(desk.store.queue_length().await.unwrap(), 1, "of what is served");
}

#[tokio::test]
async fn nothing_is_read_of_what_is_not_signed() {
    let desk = Desk::new(4).await;
    let body = "acme/hello 7";
    let unsigned = || Request::post("/webhooks/git").body(Body::from(body)).unwrap();
    let mut garbled = unsigned();
    garbled.headers_mut().insert("x-tag", HeaderValue::from_static("zz"));
    for request in [unsigned(), garbled, delivery("/webhooks/git", "another secret", body)] {
        let (status, text) = desk.send(request).await;
        assert_eq!(status, 401);
        assert!(!text.contains(SECRET));
    }
    assert_eq!(desk.store.queue_length().await.unwrap(), 0);
    assert!(desk.counted().contains("outcome=\"unsigned\"} 3"));
}

#[tokio::test]
async fn secrets_are_changed_without_a_gap() {
    let desk = Desk::new(4).await;
    let (old, new) = (SECRET, "canary-of-the-next-one");
    let status = async |secret| desk.send(delivery("/webhooks/git", secret, "acme/hello 7")).await.0;
    assert_eq!((status(old).await, status(new).await), (202, 401));
    desk.receiver.replace(endpoints(&[new, old], &desk.pulse));
    assert_eq!((status(old).await, status(new).await), (202, 202));
    desk.receiver.replace(endpoints(&[new], &desk.pulse));
    assert_eq!((status(old).await, status(new).await), (401, 202));
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused() {
    let desk = Desk::new(4).await;
    assert_eq!(desk.send(delivery("/webhooks/other", SECRET, "acme/hello 7")).await.0, 404);
    assert_eq!(desk.send(delivery("/webhooks/git/", SECRET, "acme/hello 7")).await.0, 404);
    let get = Request::get("/webhooks/git").body(Body::empty()).unwrap();
    assert_eq!(desk.send(get).await.0, 405);
    let mut form = delivery("/webhooks/git", SECRET, "payload=1");
    form.headers_mut().insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let (status, text) = desk.send(form).await;
    assert_eq!(status, 415);
    assert!(text.contains("application/json"), "{text}");
}

#[tokio::test]
async fn a_body_has_an_end_and_comes_in_time() {
    let desk = Desk::within(4, Duration::from_millis(200)).await;
    assert_eq!(desk.send(delivery("/webhooks/git", SECRET, &"x".repeat(1001))).await.0, 413);
    let endless = Body::from_stream(tokio_stream::pending::<Result<Bytes, std::io::Error>>());
    let slow = Request::post("/webhooks/git").header("x-tag", tag(SECRET, "")).body(endless).unwrap();
    assert_eq!(desk.send(slow).await.0, 408);
    assert_eq!(desk.store.queue_length().await.unwrap(), 0);
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back_and_the_next_one_is_taken() {
    let desk = Desk::new(1).await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let body = "acme/hello 7";
    let held =
        Request::post("/webhooks/git").header("x-tag", tag(SECRET, body)).body(Body::from_stream(stream)).unwrap();
    let router = desk.router.clone();
    let first = tokio::spawn(async move { router.oneshot(held).await.unwrap().status() });
    // Taken out of the channel: the first one is inside.
    sender.send(Ok(Bytes::from_static(b"acme/"))).await.unwrap();
    sender.reserve().await.unwrap();
    let response = desk.router.clone().oneshot(delivery("/webhooks/git", SECRET, body)).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "30");
    sender.send(Ok(Bytes::from_static(b"hello 7"))).await.unwrap();
    drop(sender);
    assert_eq!(first.await.unwrap(), 202);
    assert_eq!(desk.send(delivery("/webhooks/git", SECRET, body)).await.0, 202);
    assert!(desk.counted().contains("outcome=\"overload\"} 1"));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_overload() {
    let desk = Desk::new(4).await;
    desk.store.close().await;
    let (status, text) = desk.send(delivery("/webhooks/git", SECRET, "acme/hello 7")).await;
    assert_eq!(status, 503);
    assert!(text.contains("sweep"), "{text}");
}
