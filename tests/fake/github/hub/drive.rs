//! What happens on GitHub without our doing: people fork, push, comment, close.

use std::sync::Arc;

use serde_json::json;

use super::super::clock::SECOND;
use super::super::key;
use super::super::state::account::{Access, AccountKind, Actor, App, HookConfig, Installation, Permissions, Token};
use super::super::state::diff::Diff;
use super::super::state::ids::{IssueRef, RepoId, UserId};
use super::super::state::pulls::Push;
use super::super::state::repo::{Hook, Role};
use super::super::state::reviews::{NewReview, ReviewEvent};
use super::super::webhooks::{self, Event};
use super::{Hub, must};

/// What addresses in webhook payloads begin with.
const BASE: &str = "https://api.github.com";

/// The commit that every new repository begins with, without a real one behind it.
pub const FIRST_COMMIT: &str = "0000000000000000000000000000000000000001";

/// An App, as its owner has it.
#[derive(Debug, Clone)]
pub struct AppHandle {
    /// Its id.
    pub id: u64,
    /// Its account.
    pub bot: UserId,
    /// Its private key, PKCS #1 PEM.
    pub pem: &'static str,
}

/// Permissions that a grader asks for.
pub fn grader_permissions() -> Permissions {
    let write = ["pull_requests", "statuses", "issues"].map(|name| (name.to_owned(), Access::Write));
    let read = ["metadata", "contents"].map(|name| (name.to_owned(), Access::Read));
    write.into_iter().chain(read).collect()
}

impl Hub {
    /// A person.
    pub fn user(&self, login: &str) -> UserId {
        self.change(|state, now| state.add_user(login, AccountKind::User, now))
    }

    /// An organisation.
    pub fn organization(&self, login: &str) -> UserId {
        self.change(|state, now| state.add_user(login, AccountKind::Organization, now))
    }

    /// An App with the permissions that a grader asks for. Its account is `SLUG[bot]`.
    pub fn app(&self, slug: &str, owner: UserId) -> AppHandle {
        self.change(|state, now| {
            let bot = state.add_user(&format!("{slug}[bot]"), AccountKind::Bot, now);
            let id = state.fresh_id();
            let app = App {
                id,
                client_id: format!("Iv23li{id:014}"),
                slug: slug.to_owned(),
                bot,
                owner,
                public_key: key::public(),
                permissions: grader_permissions(),
                hook: None,
                created_at: now,
            };
            state.apps.insert(id, app);
            AppHandle { id, bot, pem: key::PEM }
        })
    }

    /// Gives the App a webhook for what concerns pull requests.
    pub fn app_hook(&self, app: &AppHandle, url: &str, secret: &str) {
        let events = ["pull_request", "issue_comment", "pull_request_review"].map(str::to_owned).into();
        let config = HookConfig { url: url.to_owned(), secret: secret.to_owned(), events };
        self.change(|state, _| {
            if let Some(app) = state.apps.get_mut(&app.id) {
                app.hook = Some(config);
            }
        });
    }

    /// Gives a repository a webhook.
    pub fn repo_hook(&self, repo: RepoId, url: &str, secret: &str, events: &[&str]) -> u64 {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let config = HookConfig { url: url.to_owned(), secret: secret.to_owned(), events };
        self.change(|state, now| {
            let id = state.fresh_id();
            state.repo_mut(repo).hooks.push(Hook { id, config, created_at: now });
            webhooks::ping(state, BASE, repo, id, now);
            id
        })
    }

    /// Installs the App on repositories of one owner, with what it asks for. The installation's id.
    pub fn install(&self, app: &AppHandle, repos: &[RepoId]) -> u64 {
        self.change(|state, now| {
            let id = state.fresh_id();
            let account = state.repo(*repos.first().expect("an installation has a repository")).owner;
            let permissions = state.apps.get(&app.id).map(|app| app.permissions.clone()).unwrap_or_default();
            let repos = repos.to_vec();
            let installation = Installation { id, app: app.id, account, repos, permissions, created_at: now };
            state.installations.insert(id, installation);
            webhooks::installed(state, BASE, id, account, now);
            id
        })
    }

    /// Replaces what an installation may do, as when its owner did not accept new permissions.
    pub fn permit(&self, installation: u64, permissions: Permissions) {
        self.change(|state, _| {
            if let Some(installation) = state.installations.get_mut(&installation) {
                installation.permissions = permissions;
            }
        });
    }

    /// A personal token that lives for ever.
    pub fn personal_token(&self, user: UserId) -> String {
        let token = Token { actor: Actor::User(user), expires_at: None, permissions: None, repos: None };
        self.lock().desk.issue(token)
    }

    /// A JWT as a client of the App makes it: issued a minute ago, good for nine.
    pub fn jwt(&self, app: &AppHandle) -> String {
        let now = self.lock().clock.now() / SECOND;
        key::jwt(&json!({"iss": app.id.to_string(), "iat": now - 60, "exp": now + 540}))
    }

    /// A repository with one commit on `main`.
    pub fn repository(&self, owner: UserId, name: &str) -> RepoId {
        self.change(|state, now| state.add_repo(owner, name, None, FIRST_COMMIT, now))
    }

    /// Somebody's fork; the one they have already, if they have one.
    pub fn fork(&self, repo: RepoId, user: UserId) -> RepoId {
        self.change(|state, now| {
            let known = state.repos.values().find(|fork| fork.parent == Some(repo) && fork.owner == user);
            if let Some(fork) = known {
                return fork.id;
            }
            let (name, main) = (state.repo(repo).name.clone(), state.repo(repo).branches.get("main").cloned());
            state.add_repo(user, &name, Some(repo), &main.unwrap_or_default(), now)
        })
    }

    /// Hides a repository from everybody without a role.
    pub fn make_private(&self, repo: RepoId) {
        self.change(|state, _| state.repo_mut(repo).private = true);
    }

    /// Gives somebody a role.
    pub fn set_role(&self, repo: RepoId, user: UserId, role: Role) {
        self.change(|state, _| state.repo_mut(repo).roles.insert(user, role));
    }

    /// Somebody renames themselves; their id stays.
    pub fn rename_user(&self, user: UserId, login: &str) {
        self.change(|state, _| {
            if let Some(user) = state.users.get_mut(&user).map(Arc::make_mut) {
                user.login = login.to_owned();
                user.rendered.forget();
            }
            // Names of repositories hold the names of their owners.
            let repos: Vec<RepoId> = state.repos.keys().copied().collect();
            repos.into_iter().for_each(|repo| state.repo_mut(repo).rendered.forget());
        });
    }

    /// Opens a pull request to `main` from a branch of the author's fork.
    pub fn open_pull(&self, repo: RepoId, author: UserId, branch: &str, sha: &str) -> IssueRef {
        let head = if self.lock().state.repo(repo).owner == author { repo } else { self.fork(repo, author) };
        self.change(|state, now| {
            let at = state.open_pull(repo, author, (head, branch), sha, now);
            webhooks::emit(state, BASE, at, author, Event::PullOpened, now);
            at
        })
    }

    /// Commits on top of what is there.
    pub fn push(&self, at: IssueRef, sha: &str) {
        self.push_as(at, sha, Push::Forward);
    }

    /// Commits instead of what was there: what was graded is no longer in the pull request.
    pub fn force_push(&self, at: IssueRef, sha: &str) {
        self.push_as(at, sha, Push::Force);
    }

    fn push_as(&self, at: IssueRef, sha: &str, how: Push) {
        self.change(|state, now| {
            let author = must(state.issue(at)).author;
            let before = must(state.pull(at)).head_sha.clone();
            must(state.push(at, sha, how, now));
            // GitHub sends nothing for a push to a closed pull request.
            if must(state.issue(at)).open {
                webhooks::emit(state, BASE, at, author, Event::PullSynchronize { before }, now);
            }
        });
    }

    /// Says where comments may be.
    pub fn set_diff(&self, at: IssueRef, diff: Diff) {
        self.change(|state, _| must(state.set_diff(at, diff)));
    }

    /// Its author closes a pull request.
    pub fn close(&self, at: IssueRef) {
        self.set_open(at, false, Event::PullClosed);
    }

    /// Its author opens a pull request again.
    pub fn reopen(&self, at: IssueRef) {
        self.set_open(at, true, Event::PullReopened);
    }

    fn set_open(&self, at: IssueRef, open: bool, event: Event) {
        self.change(|state, now| {
            let author = must(state.issue(at)).author;
            must(state.set_open(at, open, now));
            webhooks::emit(state, BASE, at, author, event, now);
        });
    }

    /// Merges a pull request.
    pub fn merge(&self, at: IssueRef, by: UserId) {
        self.change(|state, now| {
            must(state.set_open(at, false, now));
            must(state.pull_mut(at)).merged_at = Some(now);
            webhooks::emit(state, BASE, at, by, Event::PullClosed, now);
        });
    }

    /// Turns a pull request into a draft, or asks for review.
    pub fn set_draft(&self, at: IssueRef, draft: bool) {
        self.change(|state, now| {
            let issue = must(state.issue_mut(at));
            issue.updated_at = now;
            let author = issue.author;
            must(state.pull_mut(at)).draft = draft;
            let event = if draft { Event::PullDraft } else { Event::PullReady };
            webhooks::emit(state, BASE, at, author, event, now);
        });
    }

    /// Its author changes the title.
    pub fn retitle(&self, at: IssueRef, title: &str) {
        self.change(|state, now| {
            let issue = must(state.issue_mut(at));
            (issue.title, issue.updated_at) = (title.to_owned(), now);
            let author = issue.author;
            webhooks::emit(state, BASE, at, author, Event::PullEdited, now);
        });
    }

    /// The author deletes the fork: its pull requests are closed and have no head repository.
    pub fn delete_fork(&self, at: IssueRef) {
        self.change(|state, now| {
            let author = must(state.issue(at)).author;
            let Some(fork) = must(state.pull(at)).head_repo else { return };
            for closed in state.delete_fork(fork, now) {
                webhooks::emit(state, BASE, closed, author, Event::PullClosed, now);
            }
        });
    }

    /// Somebody says something.
    pub fn comment(&self, at: IssueRef, user: UserId, text: &str) -> u64 {
        self.change(|state, now| {
            let id = must(state.add_comment(at, user, text.to_owned(), now));
            webhooks::emit(state, BASE, at, user, Event::CommentCreated(id), now);
            id
        })
    }

    /// Somebody reviews the newest commit.
    pub fn review(&self, at: IssueRef, user: UserId, event: ReviewEvent, body: &str) -> u64 {
        self.change(|state, now| {
            let new = NewReview { body: body.to_owned(), event: Some(event), ..NewReview::default() };
            let id = must(state.create_review(at, user, new, now));
            webhooks::emit(state, BASE, at, user, Event::ReviewSubmitted(id), now);
            id
        })
    }

    /// An administrator deletes a comment of somebody.
    pub fn delete_comment(&self, repo: RepoId, id: u64) {
        self.change(|state, _| {
            let owner = state.repo(repo).owner;
            must(state.delete_comment(repo, id, (owner, Role::Admin)));
        });
    }

    /// An administrator takes a review away. GitHub has no button for it; text of a review goes all the same when
    /// somebody is reported and removed.
    pub fn delete_review(&self, at: IssueRef, id: u64) {
        self.change(|state, _| must(state.pull_mut(at)).reviews.retain(|review| review.id != id));
    }

    /// Its owner renames a repository; its number stays. There are no redirects here.
    pub fn rename_repository(&self, repo: RepoId, name: &str) {
        self.change(|state, _| {
            let repo = state.repo_mut(repo);
            repo.name = name.to_owned();
            repo.rendered.forget();
        });
    }

    /// Its owner deletes a repository.
    pub fn delete_repository(&self, repo: RepoId) {
        self.change(|state, now| _ = state.delete_fork(repo, now));
    }

    /// Opens an issue.
    pub fn open_issue(&self, repo: RepoId, author: UserId, title: &str) -> IssueRef {
        self.change(|state, now| must(state.open_issue(repo, author, title, None, now)))
    }
}
