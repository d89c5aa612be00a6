//! A workspace on the fake GitHub, and posters that grade there.

use std::sync::Arc;
use std::time::Duration;

use gradus::forge::budget::WritePolicy;
use gradus::forge::github::auth::{App, AppKey};
use gradus::forge::github::{Access, GITHUB_COM, GitHub, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::pull::{Marker, PullNumber, Workspace};
use gradus::forge::seal::Seal;
use gradus::forge::{ErrorClass, Forge, ForgeError};
use gradus::review::{LineComment, Review, ReviewEvent, Status, StatusState};
use gradus::store::Store;
use gradus::store::time::{Clock as _, ManualClock, Time};
use gradus::submission::sha::CommitId;

use crate::fake_github::Clock;
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};
use crate::fake_github::state::issue::Review as Posted;

/// 2026-11-24T08:00:00Z.
pub const BEGIN: Time = Time(1_795_507_200_000);

pub const KEY: &str = "the-key-of-the-operator-of-acme";

/// How long a poster waits for an answer: longer than any takes on a busy machine.
const PATIENT: Duration = Duration::from_secs(20);

/// The same where answers do not come, and what goes wrong is made good.
const HASTY: Duration = Duration::from_millis(40);

pub struct World {
    pub hub: Hub,
    pub clock: Arc<ManualClock>,
    pub app: AppHandle,
    pub owner: UserId,
    pub ada: UserId,
    pub repo: RepoId,
    pub at: IssueRef,
    pub store: Store,
    dir: tempfile::TempDir,
}

pub fn sha(letter: char) -> String {
    letter.to_string().repeat(40)
}

pub fn head(letter: char) -> CommitId {
    sha(letter).parse().unwrap()
}

pub fn marker(letter: char) -> Marker {
    Marker { key: format!("{}:digest", sha(letter)), record: Some("{\"t\":[]}".to_owned()) }
}

pub fn review() -> Review {
    Review {
        event: ReviewEvent::Comment,
        body: "Not yet: 7 of 12 points".to_owned(),
        comments: vec![
            LineComment {
                path: "tasks/a/app.yaml".to_owned(),
                start_line: 3,
                line: 3,
                body: "two replicas".to_owned(),
            },
            LineComment { path: "tasks/a/app.yaml".to_owned(), start_line: 5, line: 7, body: "a probe".to_owned() },
        ],
        status: Status { state: StatusState::Failure, description: "Not yet: 7 of 12 points".to_owned() },
    }
}

impl World {
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let read = clock.clone();
        let hub = Hub::new(Clock::new(move || read.now().0));
        let owner = hub.organization("acme");
        let ada = hub.user("ada");
        let repo = hub.repository(owner, "cnpe");
        let app = hub.app("gradus", owner);
        hub.install(&app, &[repo]);
        let at = hub.open_pull(repo, ada, "fix", &sha('a'));
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        Self { hub, clock, app, owner, ada, repo, at, store, dir }
    }

    pub async fn other_store(&self) -> Store {
        Store::open(&self.dir.path().join("other.db")).await.unwrap()
    }

    pub fn number(&self) -> PullNumber {
        PullNumber(self.at.number as i64)
    }

    pub fn access(&self) -> Access {
        let key = AppKey::from_pem(self.app.pem).unwrap();
        Access::App(App { id: self.app.id.to_string(), key, installation: None })
    }

    pub fn settings(&self) -> Settings {
        Settings {
            api: Base::parse(GITHUB_COM, Plain::Loopback).unwrap(),
            workspace: Workspace("github.com/acme/cnpe".to_owned()),
            repository: "acme/cnpe".parse().unwrap(),
            course: "cnpe".parse().unwrap(),
            writes: WritePolicy::GITHUB,
            status_page: None,
            mirror: self.dir.path().join("mirror"),
        }
    }

    pub fn tools(&self, store: Store, head: Duration) -> Tools {
        let limits = Limits { head, body: head, ..Limits::default() };
        Tools {
            transport: Transport::over(self.hub.service(), limits),
            fetches: Transport::over(self.hub.service(), limits),
            seal: Seal::with_keys(KEY).unwrap(),
            store,
            clock: self.clock.clone(),
        }
    }

    /// A process that was just started.
    pub fn poster(&self) -> GitHub {
        self.poster_on(self.store.clone(), PATIENT)
    }

    /// One that soon gives up waiting.
    pub fn hasty(&self) -> GitHub {
        self.poster_on(self.store.clone(), HASTY)
    }

    pub fn hasty_on(&self, store: Store) -> GitHub {
        self.poster_on(store, HASTY)
    }

    fn poster_on(&self, store: Store, waits: Duration) -> GitHub {
        GitHub::new(self.settings(), self.access(), self.tools(store, waits)).unwrap()
    }

    pub fn with_token(&self, secret: &str) -> GitHub {
        let access = Access::Token(secret.to_owned());
        GitHub::new(self.settings(), access, self.tools(self.store.clone(), PATIENT)).unwrap()
    }

    /// A token of the installation, as GitHub Actions gives one to a job.
    pub async fn installation_token(&self) -> String {
        let installation = *self.hub.state().installations.keys().next().unwrap();
        let request = http::Request::post(format!("{GITHUB_COM}/app/installations/{installation}/access_tokens"))
            .header("authorization", format!("Bearer {}", self.hub.jwt(&self.app)))
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = Transport::over(self.hub.service(), Limits::default()).send(request).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        body["token"].as_str().unwrap().to_owned()
    }

    /// A request of somebody else.
    pub async fn send(&self, method: &str, secret: &str, path: &str, body: serde_json::Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{GITHUB_COM}{path}"))
            .header("authorization", format!("Bearer {secret}"))
            .body(body.to_string().into())
            .unwrap();
        let answer = Transport::over(self.hub.service(), Limits::default()).send(request).await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub async fn post(&self, forge: &GitHub) -> Result<String, ForgeError> {
        forge.post_review(self.number(), &head('a'), &marker('a'), &review()).await
    }

    /// As reconcile does: again after what passes, by the clock.
    pub async fn post_until_done(&self, forge: &GitHub) -> Result<String, ForgeError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.post(forge).await {
                Err(ForgeError { class: ErrorClass::Throttled(until), .. }) if tries < 30 => {
                    self.clock.advance(until.since(self.clock.now()));
                }
                Err(ForgeError { class: ErrorClass::Retry, .. }) if tries < 30 => {
                    self.clock.advance(Duration::from_secs(2 << tries.min(8)));
                }
                // The clock is everybody's: while this request was under way somebody else waited for longer than a signed
                // one lasts.
                Err(error) if tries < 30 && error.to_string().contains("'exp'") => {}
                other => return other,
            }
        }
    }

    /// Puts in order what is in doubt, and goes through in the end.
    pub async fn tidy(&self, forge: &GitHub) {
        let mut tries = 0;
        while let Err(error) = forge.tidy(self.number()).await {
            tries += 1;
            let passes = matches!(error.class, ErrorClass::Retry | ErrorClass::Throttled(_));
            assert!(passes && tries < 30, "{error}");
            self.clock.advance(Duration::from_secs(120));
        }
    }

    pub fn visible(&self) -> Vec<Posted> {
        self.hub.reviews_by(self.at, self.app.bot)
    }

    /// Exactly one review of ours stands, and nothing is begun.
    pub fn assert_one(&self, why: &str) {
        let visible = self.visible();
        let calls = self.hub.calls();
        let calls = calls.iter().map(|call| {
            let fault = call.fault.as_ref().map(|fault| format!(" {fault:?}")).unwrap_or_default();
            format!(
                "{:>3} {:>7} {} {:?}{fault}",
                call.asked.number,
                call.asked.at - BEGIN.0,
                call.asked.operation,
                call.status
            )
        });
        let calls = calls.collect::<Vec<_>>().join("\n");
        assert_eq!(visible.len(), 1, "{why}: {visible:#?}\n{calls}");
        assert_eq!(visible[0].commit_id, sha('a'), "{why}");
        let begun = self.hub.pending_reviews(self.at);
        assert!(begun.is_empty(), "{why}: {begun:#?}\n{calls}");
    }
}
