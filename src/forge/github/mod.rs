//! GitHub and GitHub Enterprise Server: REST as an App or with a token, reviews by the posting protocol in `post`.
//!
//! Everything of ours is recognised by the numeric id of our own account and a whole seal, everything else is data.
//! Limits, retries of credentials and conditional reads are [`Api`]'s; who waits for a write is the queue's to say.

pub mod auth;
mod examine;
mod fold;
mod forks;
mod lag;
mod mark;
mod post;
mod talk;
pub mod webhook;
mod wire;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::OnceCell;
use url::Url;

use super::budget::{Budget, WriteClass, WriteKind, WritePolicy};
use super::hint::RepositoryName;
use super::http::Response;
use super::http::api::{Another, Api, Call, Credentials, Token};
use super::http::base::{Base, Plain};
use super::http::doubt::noted;
use super::http::failure::{Failure, RefusalKind};
use super::mirror::Mirror;
use super::pull::{
    Author, Comment, CommentId, Label, Marker, PostedReview, Pull, PullKey, PullNumber, Standing, User, Workspace,
};
use super::remote::{Refused, RemoteError, basic};
use super::seal::{Place, Seal};
use super::tools::fingerprint;
pub use super::tools::{InvalidToken, Tools};
use super::{ErrorClass, Forge, ForgeError, StatusBefore, WriteRoom};
use crate::course::id::{CourseId, InvalidId};
use crate::review::{Review, Status};
use crate::store::Store;
use crate::store::doubts::Doubt;
use crate::store::time::{Clock, Time};
use crate::submission::sha::CommitId;
use auth::{App, Installation};
use lag::Newest;
use wire::{Account, PullWire, ReviewWire, learner, or_ghost};

/// The REST API of github.com; that of an Enterprise Server is `https://HOST/api/v3`.
pub const GITHUB_COM: &str = "https://api.github.com";

/// The version of the REST API that this dialect speaks.
const API_VERSION: &str = "2022-11-28";

/// Entries of a page: the most that GitHub gives.
const PAGE: usize = 100;

/// How long a pull request that is not there is waited for.
const LAG: std::time::Duration = std::time::Duration::from_secs(1);

/// How much further back than asked an incremental list goes: GitHub's times are whole seconds of its own clock.
const OVERLAP: i64 = 60_000;

/// Which repository on which GitHub, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The REST API.
    pub api: Base,
    /// The workspace's name here, as in `github.com/acme/cnpe`.
    pub workspace: Workspace,
    /// Its repository.
    pub repository: RepositoryName,
    /// The course that it was generated from.
    pub course: CourseId,
    /// How fast we write.
    pub writes: WritePolicy,
    /// Where a commit status leads; nowhere when there is none.
    pub status_page: Option<Url>,
    /// Where its mirror is kept.
    pub mirror: PathBuf,
}

/// Who we are.
#[derive(Clone)]
pub enum Access {
    /// A token of an account of our own, or the one that GitHub Actions gives a job.
    Token(String),
    /// An App that is installed on the workspace.
    App(App),
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Access::Token(_) => f.write_str("Token(hidden)"),
            Access::App(app) => write!(f, "App({})", app.id),
        }
    }
}

/// A workspace on GitHub.
#[derive(Clone)]
pub struct GitHub(Arc<Inner>);

struct Inner {
    settings: Settings,
    api: Api,
    credentials: Arc<dyn Credentials>,
    app: Option<Arc<Installation>>,
    mirror: Mirror,
    seal: Seal,
    store: Store,
    clock: Arc<dyn Clock>,
    me: OnceCell<Account>,
    /// Labels that are known to be there.
    labels: std::sync::Mutex<BTreeSet<String>>,
    /// What was seen of pull requests lately: see [`lag`].
    newest: Newest,
}

impl GitHub {
    /// A port to a workspace; asks for nothing yet.
    pub fn new(settings: Settings, access: Access, tools: Tools) -> Result<Self, InvalidToken> {
        let Tools { transport, fetches, seal, store, clock } = tools;
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION)),
        ]);
        let (credentials, app, who): (Arc<dyn Credentials>, _, _) = match access {
            Access::Token(secret) => {
                let who = format!("token/{}", fingerprint(&secret));
                (Arc::new(Token::new("Bearer", &secret).ok_or(InvalidToken)?), None, who)
            }
            Access::App(app) => {
                // One App has one installation, and one budget, per owner.
                let who = format!("app/{}/{}", app.id, settings.repository.owner().to_ascii_lowercase());
                let (base, headers) = (settings.api.clone(), headers.clone());
                let repository = settings.repository.clone();
                let installation = Installation::new(base, transport.clone(), clock.clone(), headers, app, repository);
                let installation = Arc::new(installation);
                (installation.clone(), Some(installation), who)
            }
        };
        let identity = format!("{}/{who}", settings.api.host());
        let budget = Budget::new(store.clone(), clock.clone(), &identity, settings.writes);
        let api = Api::new(settings.api.clone(), transport, credentials.clone(), budget, headers);
        let mirror = Mirror::new(fetches, git(&settings.api, &settings.repository), settings.mirror.clone());
        let (me, labels, newest) = (OnceCell::new(), std::sync::Mutex::default(), Newest::default());
        let inner = Inner { settings, api, credentials, app, mirror, seal, store, clock, me, labels, newest };
        Ok(Self(Arc::new(inner)))
    }

    /// Our own account, asked for once.
    pub async fn me(&self) -> Result<User, ForgeError> {
        let what = "find out who we are";
        self.0.me().await.map_err(|error| error.forge(what))?.user().map_err(|error| self.0.odd(error).forge(what))
    }
}

/// Where the repository is fetched from: the API of github.com is on a host of its own, that of an Enterprise Server below
/// the server.
fn git(api: &Base, repository: &RepositoryName) -> Base {
    let url = match api.host().as_str() {
        "api.github.com" => "https://github.com".to_owned(),
        host => format!("{}://{host}", api.url().scheme()),
    };
    // Whether it may be plain was decided for the API, and it is the same server.
    Base::parse(&format!("{url}/{repository}.git"), Plain::Anywhere).unwrap_or_else(|_| api.clone())
}

impl Inner {
    /// Below `repos/OWNER/NAME`.
    fn url(&self, segments: &[&str]) -> Url {
        let repository = &self.settings.repository;
        let mut all = vec!["repos", repository.owner(), repository.name()];
        all.extend(segments);
        self.api.base().at(&all)
    }

    /// A list below `repos/OWNER/NAME`, a hundred a page.
    fn list_url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.url(segments);
        url.query_pairs_mut().extend_pairs(query).append_pair("per_page", &PAGE.to_string());
        url
    }

    fn place(&self, number: PullNumber) -> Place<'_> {
        Place { workspace: &self.settings.workspace, number: Some(number) }
    }

    /// Who waits for what we write about a pull request.
    async fn class(&self, number: PullNumber) -> Result<WriteClass, Failure> {
        self.store.write_class(&self.key(number)).await.map_err(|error| Failure::Store(error.into()))
    }

    fn key(&self, number: PullNumber) -> PullKey {
        PullKey { workspace: self.settings.workspace.clone(), number }
    }

    /// A write that is made good by itself, or about no pull request.
    async fn write<B: Serialize>(
        &self,
        class: WriteClass,
        kind: WriteKind,
        (method, url): (Method, &Url),
        body: Option<&B>,
    ) -> Result<Response, Failure> {
        self.api.write(Call { method, url, body, kind, class }).await
    }

    /// A write about a pull request, which is put in order later should the answer be lost.
    async fn write_on<B: Serialize>(
        &self,
        (number, class): (PullNumber, WriteClass),
        kind: WriteKind,
        call: (Method, &Url),
        body: Option<&B>,
    ) -> Result<Response, Failure> {
        noted(&self.store, &self.key(number), self.clock.now(), self.write(class, kind, call, body)).await
    }

    /// From now on a pull request is in doubt, by what was noted before or anew.
    async fn doubt_on(&self, number: PullNumber, doubt: Option<Doubt>) -> Result<Doubt, Failure> {
        let (key, now) = (self.key(number), self.clock.now());
        let noted = match doubt {
            Some(doubt) => self.store.doubt_on(doubt, &key, now).await,
            None => self.store.doubt(&key, now).await,
        };
        noted.map_err(|error| Failure::Store(error.into()))
    }

    /// Strikes a doubt out. Where that fails, it is looked at once more for nothing.
    async fn sure(&self, doubt: Doubt) {
        if let Err(error) = self.store.sure(doubt).await {
            tracing::warn!(%error, "cannot note that nothing is in doubt");
        }
    }

    /// Something that GitHub promises otherwise.
    fn odd(&self, why: impl std::fmt::Display) -> Failure {
        self.api.unreadable(&HeaderMap::new(), why.to_string())
    }

    async fn me(&self) -> Result<&Account, Failure> {
        self.me.get_or_try_init(|| self.find_me()).await
    }

    async fn find_me(&self) -> Result<Account, Failure> {
        let base = self.api.base();
        if let Some(app) = &self.app {
            self.api.budget().open().await?;
            let login = format!("{}[bot]", app.slug().await?);
            return self.api.get(&base.at(&["users", &login])).await;
        }
        match self.api.get(&base.at(&["user"])).await {
            // The token of a job of GitHub Actions is an installation's and has no such page.
            Err(Failure::Refused(refusal)) if refusal.kind == RefusalKind::Rights => self.viewer().await,
            other => other,
        }
    }

    /// A pull request as it is now. An error while GitHub shows an older state than it did before.
    async fn pull_wire(&self, number: PullNumber) -> Result<Option<PullWire>, Failure> {
        let found: Option<PullWire> = self.api.find(&self.url(&["pulls", &number.to_string()])).await?;
        if let Some(wire) = &found {
            self.is_news(number, wire).await?;
        }
        Ok(found)
    }

    /// A pull request that there is; none only when the repository itself is there to see.
    async fn pull(&self, number: PullNumber) -> Result<Option<Pull>, ForgeError> {
        let what = "read the pull request";
        let mut found = self.pull_wire(number).await.map_err(failed(what))?;
        if found.is_none() {
            let repository: Result<IgnoredAny, _> = self.api.get(&self.url(&[])).await;
            repository.map_err(repository_failed("see the workspace"))?;
            // GitHub tells of a pull request before every server of its has it.
            self.clock.sleep(LAG).await;
            found = self.pull_wire(number).await.map_err(failed(what))?;
        }
        found.map(|wire| self.read_pull(&wire)).transpose().map_err(failed(what))
    }

    fn read_pull(&self, wire: &PullWire) -> Result<Pull, Failure> {
        wire.pull(&self.settings.course).map_err(|error| self.odd(error))
    }

    /// All reviews that we may see, oldest first, our own pending one among them.
    async fn review_wires(&self, number: PullNumber) -> Result<Vec<ReviewWire>, Failure> {
        let url = self.list_url(&["pulls", &number.to_string(), "reviews"], &[]);
        self.api.list(&url, PAGE, |_| true).await
    }

    fn author(&self, me: &Account, account: &Option<Account>) -> Result<Author, InvalidId> {
        let account = or_ghost(account);
        if account.id == me.id { Ok(Author::Grader) } else { Ok(Author::Person(account.user()?)) }
    }

    /// The text without the marker, and the marker when the text is ours.
    fn opened(&self, place: Place<'_>, author: &Author, body: &str) -> (String, Option<Marker>) {
        match author {
            Author::Grader => {
                let (body, marker) = self.seal.open(place, body);
                (body.to_owned(), marker)
            }
            Author::Person(_) => (body.to_owned(), None),
        }
    }

    async fn standing(&self, who: &User) -> Result<Standing, Failure> {
        let mut login = who.login.0.clone();
        for _ in 0..2 {
            let url = self.url(&["collaborators", &login, "permission"]);
            let found: Option<wire::PermissionWire> = self.api.find(&url).await?;
            let same = |account: &Account| learner(account.id).is_ok_and(|id| id == who.id);
            match found {
                Some(found) if found.user.as_ref().is_some_and(same) => {
                    return match found.permission.as_str() {
                        "admin" | "write" => Ok(Standing::Instructor),
                        // Anybody may read what is public: only the list of collaborators tells.
                        "read" => self.listed(&login).await,
                        _ => Ok(Standing::Outsider),
                    };
                }
                _ => {}
            }
            // They are called otherwise now, and somebody else may have taken the name.
            let url = self.api.base().at(&["user", who.id.as_str()]);
            match self.api.find::<Account>(&url).await? {
                Some(account) if account.login != login => login = account.login,
                _ => break,
            }
        }
        Ok(Standing::Outsider)
    }

    async fn listed(&self, login: &str) -> Result<Standing, Failure> {
        match self.api.exists(&self.url(&["collaborators", login])).await? {
            true => Ok(Standing::Collaborator),
            false => Ok(Standing::Outsider),
        }
    }

    async fn reviews(&self, number: PullNumber) -> Result<Vec<PostedReview>, Failure> {
        let me = self.me().await?;
        let mut posted = Vec::new();
        for review in self.review_wires(number).await? {
            // One whose commit is gone from GitHub says nothing about any head.
            let (false, Some(head)) = (review.is_pending(), review.commit_id.clone()) else { continue };
            let author = self.author(me, &review.user).map_err(|error| self.odd(error))?;
            let (body, marker) = self.opened(self.place(number), &author, &review.body);
            let (id, state) = (review.id.to_string(), review.review_state());
            let created_at = review.submitted_at.unwrap_or_default();
            posted.push(PostedReview { id, author, marker, head, state, body, created_at });
        }
        Ok(posted)
    }

    async fn pulls(&self, since: Option<Time>) -> Result<Vec<Pull>, Failure> {
        let wires: Vec<PullWire> = match since {
            // In the order of their numbers: what is opened or closed meanwhile moves nothing but the end.
            None => {
                let query = [("state", "open"), ("sort", "created"), ("direction", "asc")];
                self.api.list(&self.list_url(&["pulls"], &query), PAGE, |_| true).await?
            }
            Some(since) => {
                let since = Time(since.0.saturating_sub(OVERLAP));
                let query = [("state", "all"), ("sort", "updated"), ("direction", "desc")];
                let new = |page: &[PullWire]| page.last().is_some_and(|last| last.updated_at >= since);
                let mut wires = self.api.list(&self.list_url(&["pulls"], &query), PAGE, new).await?;
                wires.retain(|pull: &PullWire| pull.updated_at >= since);
                wires
            }
        };
        self.newest.listed(&wires, self.clock.now());
        // What moved from one page to another is listed twice.
        let mut seen = BTreeSet::new();
        wires.iter().filter(|pull| seen.insert(pull.number)).map(|pull| self.read_pull(pull)).collect()
    }

    async fn objects(&self, pull: &Pull) -> Result<PathBuf, ForgeError> {
        let what = "fetch the head";
        let base = pull.base.as_ref().unwrap_or(&pull.head);
        let mut again = true;
        loop {
            let header = self.credentials.header().await.map_err(failed(what))?;
            let token = header.to_str().ok().and_then(|header| header.strip_prefix("Bearer "));
            let basic = token.and_then(basic).ok_or_else(|| self.odd("a token that Git cannot use").forge(what))?;
            match self.mirror.fetch(pull.number, &pull.head, base, Some(&basic)).await {
                Ok(path) => return Ok(path),
                Err(RemoteError::Refused(Refused { status: StatusCode::UNAUTHORIZED, .. }))
                    if std::mem::take(&mut again) && self.credentials.refused(&header) == Another::Yes => {}
                Err(error) => {
                    // The API tells of a head before every Git server has it.
                    let class = match error.class() {
                        ErrorClass::Superseded => ErrorClass::Retry,
                        class => class,
                    };
                    return Err(ForgeError { what, class, source: error.into() });
                }
            }
        }
    }

    async fn query<B: Serialize, T: DeserializeOwned>(&self, url: &Url, body: &B) -> Result<T, Failure> {
        self.api.decode(&self.api.query(url, body).await?)
    }
}

/// As an error of the port.
fn failed(what: &'static str) -> impl FnOnce(Failure) -> ForgeError {
    move |error| error.forge(what)
}

/// For what exists as long as the repository does: when it is not there, we are not allowed to see it.
fn repository_failed(what: &'static str) -> impl FnOnce(Failure) -> ForgeError {
    move |error| match error.refused(StatusCode::NOT_FOUND) {
        Some(_) => error.classed(what, ErrorClass::Config),
        None => error.forge(what),
    }
}

impl Forge for GitHub {
    fn workspace(&self) -> &Workspace {
        &self.0.settings.workspace
    }

    async fn write_room(&self) -> Result<WriteRoom, ForgeError> {
        self.0.api.budget().room().await.map_err(|error| Failure::from(error).forge("read the write budget"))
    }

    async fn pull(&self, number: PullNumber) -> Result<Option<Pull>, ForgeError> {
        self.0.pull(number).await
    }

    async fn pulls(&self, since: Option<Time>) -> Result<Vec<Pull>, ForgeError> {
        self.0.pulls(since).await.map_err(repository_failed("list the pull requests"))
    }

    async fn objects(&self, pull: &Pull) -> Result<PathBuf, ForgeError> {
        self.0.objects(pull).await
    }

    async fn reviews(&self, number: PullNumber) -> Result<Vec<PostedReview>, ForgeError> {
        self.0.reviews(number).await.map_err(failed("list the reviews"))
    }

    async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Result<String, ForgeError> {
        self.0.post_review(number, head, marker, review).await
    }

    async fn edit_review(&self, number: PullNumber, posted: &PostedReview, body: &str) -> Result<(), ForgeError> {
        self.0.edit_review(number, posted, body).await
    }

    async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Result<(), ForgeError> {
        self.0.retire_review(number, posted).await.map_err(failed("fold the review"))
    }

    async fn comments_after(&self, number: PullNumber, after: CommentId) -> Result<Vec<Comment>, ForgeError> {
        self.0.comments_after(number, after).await.map_err(failed("list the comments"))
    }

    async fn post_comment(&self, number: PullNumber, marker: &Marker, body: &str) -> Result<CommentId, ForgeError> {
        self.0.post_comment(number, marker, body).await
    }

    async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> Result<(), ForgeError> {
        self.0.set_status(number, head, status, before).await.map_err(failed("set the status"))
    }

    async fn tidy(&self, number: PullNumber) -> Result<(), ForgeError> {
        let what = "put the pull request in order";
        self.0.no_pending_review(number).await.map_err(failed(what))?;
        self.0.each_comment_once(number).await.map_err(failed(what))
    }

    async fn set_labels(&self, pull: &Pull, add: &BTreeSet<Label>, remove: &BTreeSet<Label>) -> Result<(), ForgeError> {
        self.0.set_labels(pull, add, remove).await.map_err(failed("set the labels"))
    }

    async fn close(&self, number: PullNumber) -> Result<(), ForgeError> {
        self.0.close(number).await.map_err(failed("close the pull request"))
    }

    async fn open_issue(&self, marker: &Marker, title: &str, body: &str) -> Result<Option<String>, ForgeError> {
        self.0.open_issue(marker, title, body).await
    }

    async fn standing(&self, who: &User) -> Result<Standing, ForgeError> {
        self.0.standing(who).await.map_err(failed("ask what somebody may do"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_fetched_from_the_server_and_not_from_its_api() {
        let from = |api: &str| {
            let api = Base::parse(api, Plain::Loopback).unwrap();
            git(&api, &"acme/cnpe".parse().unwrap()).to_string()
        };
        assert_eq!(from(GITHUB_COM), "https://github.com/acme/cnpe.git");
        assert_eq!(from("https://github.example.org/api/v3"), "https://github.example.org/acme/cnpe.git");
        assert_eq!(from("http://127.0.0.1:4711"), "http://127.0.0.1:4711/acme/cnpe.git");
    }
}
