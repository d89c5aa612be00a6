//! Gitea and Forgejo, from 1.20 on.
//!
//! A thin client of the API: `wire` is what is sent and what it means, `ask` addresses and pages, `review` and
//! `talk` the calls. How exactly one review comes to stand is decided in `posting`. What was measured of the real
//! server, and where that differs from its own description, is in `docs/gitea.md`.

mod ask;
mod examine;
mod forks;
mod posting;
mod review;
mod talk;
pub mod webhook;
mod wire;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Method};
use url::Url;

use self::ask::Desk;
use self::review::{PostError, folded};
use self::talk::TalkError;
use self::wire::{Account, WirePull, WireRepository};
use super::budget::{Budget, WriteKind, WritePolicy};
use super::hint::RepositoryName;
use super::http::api::{Api, Credentials, Token};
use super::http::base::Base;
use super::http::failure::Failure;
use super::mirror::Mirror;
use super::pull::{Comment, CommentId, Label, Marker, PostedReview, Pull, PullNumber, Standing, User, Workspace};
use super::seal::{Place, Seal};
use super::tools::fingerprint;
pub use super::tools::{InvalidToken, Tools};
use super::{Answer, ErrorClass, Forge, ForgeError, StatusBefore, WriteRoom};
use crate::course::id::CourseId;
use crate::review::{Review, Status};
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// How far back a listing by time looks beyond what was asked: after a push Gitea gives the new head at once and the new
/// time a moment later, from a queue.
const LAG: std::time::Duration = std::time::Duration::from_secs(120);

/// Which repository on which server, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server, as people reach it and as it is cloned from, as in `https://git.example.org`.
    pub web: Base,
    /// The API; usually `/api/v1` there.
    pub api: Base,
    /// The workspace's name here, as in `git.example.org/acme/cnpe`.
    pub workspace: Workspace,
    /// Its repository.
    pub repository: RepositoryName,
    /// The course that was published into it.
    pub course: CourseId,
    /// How fast we write.
    pub writes: WritePolicy,
    /// Where a commit status leads; nowhere when there is none.
    pub status_page: Option<Url>,
    /// Where its mirror is kept.
    pub mirror: PathBuf,
}

/// A workspace on a Gitea.
#[derive(Clone)]
pub struct Gitea(Arc<Inner>);

struct Inner {
    desk: Desk,
    course: CourseId,
    seal: Seal,
    mirror: Mirror,
    credentials: Arc<dyn Credentials>,
}

impl Gitea {
    /// A port to a workspace, as the account of this token; asks for nothing yet.
    pub fn new(settings: Settings, token: &str, tools: Tools) -> Result<Self, InvalidToken> {
        let Settings { web, api, workspace, repository, course, writes, status_page, mirror } = settings;
        let Tools { transport, fetches, seal, store, clock } = tools;
        let credentials: Arc<dyn Credentials> = Arc::new(Token::new("token", token).ok_or(InvalidToken)?);
        let identity = format!("{}/token/{}", api.host(), fingerprint(token));
        let budget = Budget::new(store.clone(), clock, &identity, writes);
        let api = Api::new(api, transport, credentials.clone(), budget, HeaderMap::new());
        let git = web.below(&[repository.owner(), &format!("{}.git", repository.name())]);
        let mirror = Mirror::new(fetches, git, mirror);
        let desk = Desk::new(api, workspace, repository, status_page, store);
        Ok(Self(Arc::new(Inner { desk, course, seal, mirror, credentials })))
    }

    /// Our own account, asked for once.
    pub async fn me(&self) -> Answer<User> {
        let me = self.0.desk.identity().await.map_err(failed("find out who we are"))?;
        Ok(Account { id: me.id, login: me.login.clone() }.user())
    }
}

impl Inner {
    fn read(&self, pull: WirePull) -> Result<Pull, ForgeError> {
        pull.pull(&self.course).map_err(|source| ForgeError {
            what: "read the pull request",
            class: ErrorClass::Retry,
            source: source.into(),
        })
    }

    fn place(&self, number: PullNumber) -> Place<'_> {
        Place { workspace: &self.desk.workspace, number: Some(number) }
    }
}

fn post_error(what: &'static str) -> impl Fn(PostError) -> ForgeError {
    move |error| {
        let class = match error {
            PostError::Failure(failure) => return failure.forge(what),
            PostError::Busy | PostError::Vanished => ErrorClass::Retry,
            PostError::Superseded => ErrorClass::Superseded,
            PostError::Marker(_) => ErrorClass::Permanent,
        };
        ForgeError { what, class, source: error.into() }
    }
}

fn talk_error(what: &'static str) -> impl Fn(TalkError) -> ForgeError {
    move |error| match error {
        TalkError::Failure(failure) => failure.forge(what),
        TalkError::Marker(_) => ForgeError { what, class: ErrorClass::Permanent, source: error.into() },
    }
}

fn failed(what: &'static str) -> impl Fn(Failure) -> ForgeError {
    move |error| error.forge(what)
}

impl Forge for Gitea {
    fn workspace(&self) -> &Workspace {
        &self.0.desk.workspace
    }

    async fn write_room(&self) -> Answer<WriteRoom> {
        self.0.desk.api.budget().room().await.map_err(|error| Failure::from(error).forge("look at the write limits"))
    }

    async fn pull(&self, number: PullNumber) -> Answer<Option<Pull>> {
        let what = "read the pull request";
        if let Some(found) = self.0.desk.api.find(&self.0.desk.pull(number, &[])).await.map_err(failed(what))? {
            return self.0.read(found).map(Some);
        }
        // Who may not see the repository is told the same as of what is not there.
        let repository: Result<WireRepository, Failure> = self.0.desk.api.get(&self.0.desk.at(&[])).await;
        match repository {
            Ok(_) => Ok(None),
            Err(error) if error.refused(http::StatusCode::NOT_FOUND).is_some() => {
                Err(error.classed("see the workspace's repository", ErrorClass::Config))
            }
            Err(error) => Err(error.forge(what)),
        }
    }

    async fn pulls(&self, since: Option<Time>) -> Answer<Vec<Pull>> {
        let what = "list the pull requests";
        let url = self.0.desk.at(&["pulls"]);
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        let listed = match since {
            None => self.0.desk.list::<WirePull>(&url, &[("state", "open"), ("sort", "oldest")], |_| true).await,
            Some(since) => {
                let since = Time(since.0.saturating_sub(LAG.as_millis() as i64));
                let newer = |page: &[WirePull]| page.last().is_none_or(|last| last.touched() >= since);
                self.0.desk.list::<WirePull>(&url, &[("state", "all"), ("sort", "recentupdate")], newer).await
            }
        };
        for found in listed.map_err(failed(what))?.entries {
            // What moves to another page while we read may come twice.
            if seen.insert(found.number) && since.is_none_or(|since| found.touched().plus(LAG) >= since) {
                match self.0.read(found) {
                    Ok(pull) => all.push(pull),
                    Err(error) => tracing::warn!(%error, "left out of a list"),
                }
            }
        }
        Ok(all)
    }

    async fn objects(&self, pull: &Pull) -> Answer<PathBuf> {
        let what = "fetch the head";
        let header = self.0.credentials.header().await.map_err(failed(what))?;
        let base = pull.base.as_ref().unwrap_or(&pull.head);
        let fetched = self.0.mirror.fetch(pull.number, &pull.head, base, Some(&header)).await;
        fetched.map_err(|error| ForgeError { what, class: error.class(), source: error.into() })
    }

    async fn reviews(&self, number: PullNumber) -> Answer<Vec<PostedReview>> {
        let what = "list the reviews";
        let me = self.0.desk.identity().await.map_err(failed(what))?.id;
        let mut listed = self.0.desk.reviews(number).await.map_err(failed(what))?;
        listed.entries.sort_by_key(|review| review.id);
        let place = self.0.place(number);
        Ok(listed.entries.iter().filter_map(|review| review.posted(me, &self.0.seal, place)).collect())
    }

    async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Answer<String> {
        let posted = self.0.desk.post(&self.0.seal, number, head, marker, review).await;
        Ok(posted.map_err(post_error("post the review"))?.0.to_string())
    }

    async fn edit_review(&self, number: PullNumber, posted: &PostedReview, body: &str) -> Answer<()> {
        let what = "edit the review";
        let written = self.0.desk.rewrite(&self.0.seal, number, posted, |_| body.to_owned()).await;
        match written.map_err(post_error(what))? {
            Some(id) => self.0.desk.unhang(number, id).await.map_err(failed(what)),
            None => Ok(()),
        }
    }

    async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Answer<()> {
        let what = "fold the review";
        match self.0.desk.rewrite(&self.0.seal, number, posted, folded).await.map_err(post_error(what))? {
            Some(id) => self.0.desk.settle_all(number, id).await.map_err(failed(what)),
            None => Ok(()),
        }
    }

    async fn comments_after(&self, number: PullNumber, after: CommentId) -> Answer<Vec<Comment>> {
        let mut comments = self.0.desk.comments(&self.0.seal, number).await.map_err(failed("list the comments"))?;
        comments.retain(|comment| comment.id > after);
        Ok(comments)
    }

    async fn post_comment(&self, number: PullNumber, marker: &Marker, body: &str) -> Answer<CommentId> {
        self.0.desk.say(&self.0.seal, number, marker, body).await.map_err(talk_error("post the comment"))
    }

    async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> Answer<()> {
        self.0.desk.set_status(number, head, status, before).await.map_err(failed("set the status"))
    }

    async fn tidy(&self, number: PullNumber) -> Answer<()> {
        let what = "put the pull request in order";
        self.0.desk.one_of_each(&self.0.seal, number).await.map_err(failed(what))?;
        self.0.desk.say_each_once(&self.0.seal, number).await.map_err(failed(what))
    }

    async fn set_labels(&self, pull: &Pull, add: &BTreeSet<Label>, remove: &BTreeSet<Label>) -> Answer<()> {
        self.0.desk.set_labels(pull, add, remove).await.map_err(failed("set the labels"))
    }

    async fn close(&self, number: PullNumber) -> Answer<()> {
        let body = serde_json::json!({ "state": "closed" });
        let url = self.0.desk.pull(number, &[]);
        let closed = self.0.desk.write(Some(number), Method::PATCH, &url, Some(&body), WriteKind::Plain).await;
        closed.map(|_| ()).map_err(failed("close the pull request"))
    }

    async fn open_issue(&self, marker: &Marker, title: &str, body: &str) -> Answer<Option<String>> {
        self.0.desk.open_issue(&self.0.seal, marker, title, body).await.map_err(talk_error("open an issue"))
    }

    async fn standing(&self, who: &User) -> Answer<Standing> {
        self.0.desk.standing(who).await.map_err(failed("ask how somebody stands to the workspace"))
    }
}
