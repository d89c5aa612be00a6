use std::collections::BTreeMap;

use axum::http::Method;
use tower::ServiceExt;

use super::*;
use crate::forge::pull::{PullKey, PullNumber, Workspace};
use crate::gitops::generator::{Offer, Tenancy};
use crate::gitops::policy::Policy;
use crate::gradebook::Gradebook;
use crate::server::serve::engine::{Condition, Stage};
use crate::server::serve::health::{Ask, Health};
use crate::store::offers::Push;
use crate::store::queue::Hint;
use crate::store::time::{ManualClock, Time};

const TOKEN: &str = "canary-0123456789abcdef";

const QUESTION: &str = r#"{"applicationSetName":"environments","input":{"parameters":{}}}"#;

struct Desk {
    generator: Generator,
    health: Health,
    store: Store,
    _dir: tempfile::TempDir,
}

async fn desk() -> Desk {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
    let gradebook = Arc::new(Gradebook::new(dir.path().to_owned()));
    let clock = Arc::new(ManualClock::at(Time(1)));
    let health = Health::new(store.clone(), clock, Arc::default(), gradebook);
    let asked = health.clone();
    let generator = Generator::new(store.clone(), Arc::new(move || asked.compared()));
    generator.replace(Some(Secret::new(TOKEN)));
    Desk { generator, health, store, _dir: dir }
}

impl Desk {
    async fn ask(&self, authorization: &str, question: impl Into<Body>) -> (u16, String) {
        let request = Request::builder().method(Method::POST).uri("/api/v1/getparams.execute");
        let request = request.header("authorization", authorization).body(question.into()).unwrap();
        let response = self.generator.clone().routes().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn list(&self) -> (u16, String) {
        self.ask(&format!("Bearer {TOKEN}"), QUESTION).await
    }

    fn swept(&self, full_sweep: Option<Time>) {
        let ask: Ask = Arc::new(move || Condition { stage: Stage::Running, full_sweep, trouble: None });
        self.health.serves(BTreeMap::from([(Workspace("git.example.org/acme/cnpe".into()), ask)]), Vec::new());
    }

    async fn offers(&self) {
        let tenancy = Tenancy {
            workspace: Workspace("git.example.org/acme/cnpe".into()),
            learner: "7".parse().unwrap(),
            task: "shop".parse().unwrap(),
        };
        let (repo_url, path) = ("https://git.example.org/acme/cnpe.git".into(), "tasks/shop/manifests".into());
        let commit = "a".repeat(40).parse().unwrap();
        let (server, policy) = ("https://10.0.0.1:6443".into(), Policy::default());
        let offer = Offer { tenancy, repo_url, path, commit, server, policy };
        self.store.offer(&offer, Push { number: PullNumber(1), at: Time(1) }, Time(1)).await.unwrap();
    }
}

#[tokio::test]
async fn there_is_no_list_before_everything_was_compared_and_before_the_store_is_whole() {
    let desk = desk().await;
    desk.offers().await;
    assert_eq!(desk.list().await.0, 503, "nothing is served yet");
    desk.swept(None);
    assert_eq!(desk.list().await.0, 503, "nothing was compared since the start");
    desk.swept(Some(Time(1)));
    let (status, list) = desk.list().await;
    assert!(status == 200 && list.contains(&"a".repeat(40)), "{status} {list}");
    // The store is lost, and everything is compared again: nobody knows yet whose environments there are.
    let lost = self::desk().await;
    lost.swept(Some(Time(1)));
    let key = PullKey { workspace: Workspace("git.example.org/acme/cnpe".into()), number: PullNumber(1) };
    lost.store.enqueue(&key, "7", Hint::Housekeeping, Time(1)).await.unwrap();
    assert_eq!(lost.list().await.0, 503);
    lost.store.all_offered(&key).await.unwrap();
    assert_eq!(lost.list().await.0, 200);
}

#[tokio::test]
async fn who_does_not_have_the_token_learns_nothing() {
    let desk = desk().await;
    desk.offers().await;
    desk.swept(Some(Time(1)));
    for wrong in ["", "Bearer ", "Bearer canary", &format!("bearer {TOKEN}"), TOKEN, &format!("Bearer {TOKEN} ")] {
        let (status, words) = desk.ask(wrong, QUESTION).await;
        assert!(status == 401 && !words.contains("canary"), "{wrong}: {status} {words}");
    }
    desk.generator.replace(None);
    assert_eq!(desk.list().await.0, 404, "no token is configured");
    desk.generator.replace(Some(Secret::new("another-0123456789abcdef")));
    assert_eq!(desk.list().await.0, 401, "it was replaced");
}

#[tokio::test]
async fn what_is_no_question_or_too_long_a_one_is_refused() {
    let desk = desk().await;
    let bearer = format!("Bearer {TOKEN}");
    let long = format!(r#"{{"applicationSetName":"{}"}}"#, "x".repeat(MAX_QUESTION));
    for question in ["", "[]", "{}", "{\"applicationSetName\":1}", &long] {
        assert_eq!(desk.ask(&bearer, question.to_owned()).await.0, 400, "{}", &question[..question.len().min(60)]);
    }
}
