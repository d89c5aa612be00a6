use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};

use super::super::Limits;
use super::super::base::Plain;
use super::*;
use crate::forge::ErrorClass;
use crate::forge::budget::WritePolicy;
use crate::store::Store;
use crate::store::time::{Clock, ManualClock, Time};

const NOW: Time = Time(1_795_508_130_000);

type Answers = dyn Fn(usize, &http::Request<Body>) -> http::Response<Body> + Send + Sync;

/// A forge that answers what a test says, and counts.
#[derive(Clone)]
struct Forge {
    answers: Arc<Answers>,
    asked: Arc<AtomicUsize>,
    /// Reads wait for one permit each, when a test wants them to.
    held: Option<Arc<tokio::sync::Semaphore>>,
}

struct World {
    api: Arc<Api>,
    forge: Forge,
    clock: Arc<ManualClock>,
    _dir: tempfile::TempDir,
}

fn respond(status: u16, headers: &[(&str, &str)], body: Value) -> http::Response<Body> {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.to_string())).unwrap()
}

impl World {
    /// Waits until so many requests have reached the forge.
    async fn was_asked(&self, times: usize) {
        self.until(|world| world.forge.asked.load(Ordering::SeqCst) >= times).await;
    }

    /// Waits until so many read the same thing together.
    async fn read_by(&self, readers: usize) {
        self.until(|world| lock(&world.api.flights).values().any(|flight| flight.strong_count() == readers)).await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it does not come to that");
    }

    async fn new(
        answers: impl Fn(usize, &http::Request<Body>) -> http::Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::with(answers, Arc::new(Token::new("Bearer", "s3cret").unwrap()), None).await
    }

    async fn with(
        answers: impl Fn(usize, &http::Request<Body>) -> http::Response<Body> + Send + Sync + 'static,
        credentials: Arc<dyn Credentials>,
        held: Option<Arc<tokio::sync::Semaphore>>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let forge = Forge { answers: Arc::new(answers), asked: Arc::default(), held };
        let service = {
            let forge = forge.clone();
            tower::service_fn(move |request: http::Request<Body>| {
                let forge = forge.clone();
                async move {
                    let number = forge.asked.fetch_add(1, Ordering::SeqCst) + 1;
                    let answer = (forge.answers)(number, &request);
                    if let Some(held) = forge.held.filter(|_| request.method() == Method::GET) {
                        held.acquire().await.unwrap().forget();
                    }
                    Ok::<_, std::io::Error>(answer)
                }
            })
        };
        let base = Base::parse("https://forge.test", Plain::Loopback).unwrap();
        let budget = Budget::new(store, clock.clone(), "forge.test/1", WritePolicy::OFF);
        let transport = Transport::over(service, Limits::default());
        let api = Arc::new(Api::new(base, transport, credentials, budget, HeaderMap::new()));
        Self { api, forge, clock, _dir: dir }
    }

    fn url(&self, path: &str) -> Url {
        self.api.base().at(&[path])
    }

    fn asked(&self) -> usize {
        self.forge.asked.load(Ordering::SeqCst)
    }

    async fn write(&self) -> Result<Response, Failure> {
        let (body, url) = (json!({}), self.url("things"));
        let call = Call {
            method: Method::POST,
            url: &url,
            body: Some(&body),
            kind: WriteKind::Plain,
            class: WriteClass::Live,
        };
        self.api.write(call).await
    }
}

#[tokio::test]
async fn what_did_not_change_is_asked_for_conditionally_and_taken_from_memory() {
    let world = World::new(|number, request| {
        let tag = request.headers().get(IF_NONE_MATCH).map(|tag| tag.to_str().unwrap().to_owned());
        match number {
            1 => respond(200, &[("etag", "\"1\"")], json!([1])),
            2 => {
                assert_eq!(tag.as_deref(), Some("\"1\""));
                respond(304, &[], Value::Null)
            }
            _ => respond(200, &[("etag", "\"2\"")], json!([1, 2])),
        }
    })
    .await;
    let url = world.url("list");
    for expected in [json!([1]), json!([1]), json!([1, 2])] {
        assert_eq!(world.api.get::<Value>(&url).await.unwrap(), expected);
    }
    assert_eq!(world.asked(), 3);
}

#[tokio::test]
async fn errors_are_not_kept() {
    let world = World::new(|number, request| {
        assert!(!request.headers().contains_key(IF_NONE_MATCH));
        match number {
            1 => respond(404, &[("etag", "\"1\"")], json!({"message": "Not Found"})),
            _ => respond(200, &[], json!(7)),
        }
    })
    .await;
    let url = world.url("thing");
    assert_eq!(world.api.find::<u32>(&url).await.unwrap(), None);
    assert_eq!(world.api.find::<u32>(&url).await.unwrap(), Some(7));
}

#[tokio::test]
async fn the_same_read_at_the_same_time_is_asked_once() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let token = Arc::new(Token::new("Bearer", "s3cret").unwrap());
    let world = World::with(|number, _| respond(200, &[], json!(number)), token, Some(gate.clone())).await;
    let read = |world: &World| {
        let (api, url) = (world.api.clone(), world.url("thing"));
        tokio::spawn(async move { api.get::<usize>(&url).await.unwrap() })
    };
    let (one, two) = (read(&world), read(&world));
    world.read_by(2).await;
    world.was_asked(1).await;
    // A write of ours happens: who reads now wants to see it.
    world.write().await.unwrap();
    let three = read(&world);
    world.was_asked(3).await;
    gate.add_permits(10);
    assert_eq!((one.await.unwrap(), two.await.unwrap(), three.await.unwrap()), (1, 1, 3));
    // What was answered is over: nobody is given it later.
    assert_eq!(read(&world).await.unwrap(), 4);
    assert!(lock(&world.api.flights).is_empty());
}

#[tokio::test]
async fn who_gives_up_reading_leaves_the_others_an_answer() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let token = Arc::new(Token::new("Bearer", "s3cret").unwrap());
    let world = World::with(|number, _| respond(200, &[], json!(number)), token, Some(gate.clone())).await;
    let (api, url) = (world.api.clone(), world.url("thing"));
    let first = tokio::spawn(async move { api.get::<usize>(&url).await });
    world.was_asked(1).await;
    let (api, url) = (world.api.clone(), world.url("thing"));
    let second = tokio::spawn(async move { api.get::<usize>(&url).await });
    world.read_by(2).await;
    first.abort();
    gate.add_permits(10);
    assert_eq!(second.await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_also_where_an_old_answer_knows_no_next_one() {
    let world = World::new(|_, request| match request.uri().query() {
        None => respond(200, &[("link", "<https://forge.test/list?page=2>; rel=\"next\"")], json!([1, 2])),
        // Full, and without a link.
        Some("page=2") => respond(200, &[], json!([3, 4])),
        Some("page=3") => respond(200, &[], json!([5])),
        other => panic!("{other:?}"),
    })
    .await;
    let url = world.url("list");
    assert_eq!(world.api.list::<u32>(&url, 2, |_| true).await.unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(world.api.list::<u32>(&url, 2, |page| !page.contains(&3)).await.unwrap(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_token_is_never_sent_to_another_server() {
    let world = World::new(|_, request| {
        assert_eq!(request.uri().host(), Some("forge.test"));
        respond(200, &[("link", "<https://evil.test/list?page=2>; rel=\"next\"")], json!([1]))
    })
    .await;
    let error = world.api.list::<u32>(&world.url("list"), 2, |_| true).await.unwrap_err();
    assert!(matches!(error, Failure::Elsewhere { .. }), "{error}");
    assert_eq!((error.class(), world.asked()), (ErrorClass::Config, 1));
}

#[tokio::test]
async fn a_limit_shuts_the_gate_for_reads_and_writes_until_it_is_over() {
    let world = World::new(|number, _| match number {
        1 => respond(403, &[("retry-after", "30")], json!({"message": "secondary rate limit"})),
        2 => respond(429, &[], json!({})),
        _ => respond(200, &[], json!(7)),
    })
    .await;
    let throttled = |seconds: u64| ErrorClass::Throttled(NOW.plus(Duration::from_secs(seconds)));
    assert_eq!(world.write().await.unwrap_err().class(), throttled(30));
    let url = world.url("thing");
    assert_eq!(world.api.get::<u32>(&url).await.unwrap_err().class(), throttled(30));
    assert_eq!(world.write().await.unwrap_err().class(), throttled(30));
    assert_eq!(world.asked(), 1);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.api.get::<u32>(&url).await.unwrap_err().class(), throttled(90), "no time is a minute");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.api.get::<u32>(&url).await.unwrap(), 7);
}

#[tokio::test]
async fn the_last_request_of_a_window_shuts_the_gate_before_one_is_refused() {
    let world = World::new(|_, _| {
        let reset = ((NOW.0 / 1000) + 60).to_string();
        respond(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)], json!(7))
    })
    .await;
    assert_eq!(world.api.get::<u32>(&world.url("a")).await.unwrap(), 7);
    assert!(matches!(world.api.get::<u32>(&world.url("b")).await, Err(Failure::Throttled(_))));
    assert_eq!(world.asked(), 1);
}

/// Gives a new token after each that was refused.
struct Rotating(AtomicUsize);

impl Credentials for Rotating {
    fn header(&self) -> Header<'_> {
        let number = self.0.load(Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(HeaderValue::from_str(&format!("token {number}")).unwrap())))
    }

    fn refused(&self, _: &HeaderValue) -> Another {
        self.0.fetch_add(1, Ordering::SeqCst);
        Another::Yes
    }
}

#[tokio::test]
async fn credentials_that_ran_out_are_replaced_once() {
    let world = World::with(
        |number, request| match (number, request.headers()[AUTHORIZATION].to_str().unwrap()) {
            (1, "token 0") | (3.., _) => respond(401, &[], json!({"message": "Bad credentials"})),
            (2, "token 1") => respond(201, &[], json!({})),
            other => panic!("{other:?}"),
        },
        Arc::new(Rotating(AtomicUsize::new(0))),
        None,
    )
    .await;
    world.write().await.unwrap();
    let error = world.write().await.unwrap_err();
    assert_eq!((error.class(), world.asked()), (ErrorClass::Config, 4));
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_promised_names_the_place_and_the_request() {
    let world = World::new(|_, _| respond(200, &[("x-github-request-id", "FA4E:1")], json!([{"id": "x"}]))).await;
    #[derive(Debug, serde::Deserialize)]
    struct Thing {
        #[allow(dead_code, reason = "only read")]
        id: u64,
    }
    let error = world.api.list::<Thing>(&world.url("list"), 9, |_| true).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("[0].id") && text.ends_with("(request FA4E:1)"), "{text}");
    assert!(error.in_doubt(), "as a write it took effect");
}

#[tokio::test]
async fn no_token_is_shown() {
    let world = World::new(|_, _| respond(401, &[], json!({"message": "Bad credentials"}))).await;
    let error = world.write().await.unwrap_err();
    let token = Token::new("Bearer", "s3cret").unwrap();
    for text in [format!("{:?} {error:?} {error}", world.api), format!("{token:?} {:?}", token.0)] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert_eq!(world.clock.now(), NOW);
}
