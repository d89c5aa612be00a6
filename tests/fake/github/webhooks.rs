//! Events as GitHub sends them. A test takes them and delivers them: in order, twice, late, shuffled or never.

use ring::hmac;
use serde_json::{Value, json};

use super::clock::Millis;
use super::http::render::Render;
use super::state::State;
use super::state::account::HookConfig;
use super::state::hooks::{Delivery, Target};
use super::state::ids::{IssueRef, RepoId, UserId};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A pull request was opened.
    PullOpened,
    /// It got a new head.
    PullSynchronize {
        /// The old head.
        before: String,
    },
    /// It was opened again.
    PullReopened,
    /// It was closed.
    PullClosed,
    /// Its title, body or base changed.
    PullEdited,
    /// It asks for review.
    PullReady,
    /// It no longer does.
    PullDraft,
    /// Somebody said something.
    CommentCreated(u64),
    /// A review became visible.
    ReviewSubmitted(u64),
    /// Its body changed.
    ReviewEdited(u64),
    /// Its verdict was taken back.
    ReviewDismissed(u64),
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::CommentCreated(_) => "issue_comment",
            Self::ReviewSubmitted(_) | Self::ReviewEdited(_) | Self::ReviewDismissed(_) => "pull_request_review",
            _ => "pull_request",
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::PullOpened => "opened",
            Self::PullSynchronize { .. } => "synchronize",
            Self::PullReopened => "reopened",
            Self::PullClosed => "closed",
            Self::PullEdited | Self::ReviewEdited(_) => "edited",
            Self::PullReady => "ready_for_review",
            Self::PullDraft => "converted_to_draft",
            Self::CommentCreated(_) => "created",
            Self::ReviewSubmitted(_) => "submitted",
            Self::ReviewDismissed(_) => "dismissed",
        }
    }
}

/// A webhook that wants an event.
struct Receiver {
    target: Target,
    config: HookConfig,
    installation: Option<u64>,
}

/// Sends an event to everybody who wants it.
pub fn emit(state: &mut State, base: &str, at: IssueRef, sender: UserId, event: Event, now: Millis) {
    let wanted = |receiver: &Receiver| receiver.config.events.iter().any(|name| name == event.name());
    let receivers: Vec<Receiver> = receivers(state, at.repo).into_iter().filter(wanted).collect();
    if receivers.is_empty() {
        return;
    }
    let payload = payload(&Render { state, base }, at, sender, &event);
    for receiver in receivers {
        send(state, receiver, event.name(), payload.clone(), now);
    }
}

/// Sends `ping` to a repository's webhook.
pub fn ping(state: &mut State, base: &str, repo: RepoId, hook: u64, now: Millis) {
    let Some(receiver) = receivers(state, repo).into_iter().find(|receiver| receiver.target == Target::Hook(hook))
    else {
        return;
    };
    let found = state.repo(repo).hooks.iter().find(|known| known.id == hook);
    let described = found.map(|known| Render { state, base }.hook(repo, known));
    let payload = json!({"zen": "Keep it logically awesome.", "hook_id": hook, "hook": described});
    send(state, receiver, "ping", payload, now);
}

/// Sends `installation` to the App.
pub fn installed(state: &mut State, base: &str, installation: u64, sender: UserId, now: Millis) {
    let Some(found) = state.installations.get(&installation).cloned() else { return };
    let Some(config) = state.apps.get(&found.app).and_then(|app| app.hook.clone()) else { return };
    let render = Render { state, base };
    let repos = found.repos.iter().map(|id| state.repo(*id)).map(
        |repo| json!({"id": repo.id.0, "name": repo.name, "full_name": state.full_name(repo), "private": repo.private}),
    );
    let payload = json!({
        "action": "created",
        "installation": render.installation(&found),
        "repositories": repos.collect::<Vec<_>>(),
        "requester": null,
        "sender": render.user(sender),
    });
    // An App gets this event whatever it subscribed to.
    send(state, Receiver { target: Target::App(found.app), config, installation: None }, "installation", payload, now);
}

fn receivers(state: &State, repo: RepoId) -> Vec<Receiver> {
    let apps = state.installations.values().filter(|installation| installation.repos.contains(&repo));
    let apps = apps.filter_map(|installation| {
        let config = state.apps.get(&installation.app)?.hook.clone()?;
        Some(Receiver { target: Target::App(installation.app), config, installation: Some(installation.id) })
    });
    let hooks = state.repo(repo).hooks.iter().map(|hook| Receiver {
        target: Target::Hook(hook.id),
        config: hook.config.clone(),
        installation: None,
    });
    apps.chain(hooks).collect()
}

fn payload(render: &Render<'_>, at: IssueRef, sender: UserId, event: &Event) -> Value {
    let mut payload = json!({
        "action": event.action(),
        "repository": render.full_repo(at.repo),
        "sender": render.user(sender),
    });
    let (Ok(issue), pull) = (render.state.issue(at), render.state.pull(at)) else { return payload };
    if let Event::CommentCreated(id) = event {
        payload["issue"] = render.issue(at, issue);
        let comment = issue.comments.iter().find(|comment| comment.id == *id);
        payload["comment"] = comment.map(|comment| render.comment(at, comment)).into();
    } else if let Ok(pull) = pull {
        payload["number"] = at.number.into();
        payload["pull_request"] = render.full_pull(at, issue, pull);
        match event {
            Event::PullSynchronize { before } => {
                payload["before"] = before.clone().into();
                payload["after"] = pull.head_sha.clone().into();
            }
            Event::ReviewSubmitted(id) | Event::ReviewEdited(id) | Event::ReviewDismissed(id) => {
                if let Some(review) = pull.review(*id) {
                    let mut written = render.review(at, review);
                    // Here in lower case, in answers in upper case.
                    written["state"] = review.state.word().to_ascii_lowercase().into();
                    payload["review"] = written;
                }
            }
            _ => {}
        }
    }
    payload
}

fn send(state: &mut State, receiver: Receiver, event: &str, mut payload: Value, now: Millis) {
    if let Some(installation) = receiver.installation {
        payload["installation"] = json!({"id": installation, "node_id": format!("MDIzOkludGVncmF0aW9u{installation}")});
    }
    let body = payload.to_string().into_bytes();
    let id = state.fresh_id();
    let guid = format!("{id:08x}-0000-4000-8000-{:012x}", now & 0xffff_ffff_ffff);
    let (kind, owner) = match receiver.target {
        Target::App(app) => ("integration", app),
        Target::Hook(hook) => ("repository", hook),
    };
    let mut headers: Vec<(String, String)> = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", "GitHub-Hookshot/fa4e000".to_owned()),
        ("x-github-event", event.to_owned()),
        ("x-github-delivery", guid.clone()),
        ("x-github-hook-id", owner.to_string()),
        ("x-github-hook-installation-target-type", kind.to_owned()),
        ("x-github-hook-installation-target-id", owner.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if !receiver.config.secret.is_empty() {
        headers.push(("x-hub-signature-256".to_owned(), signature(&receiver.config.secret, &body)));
    }
    let action = payload["action"].as_str().map(str::to_owned);
    let delivery = Delivery {
        id,
        guid,
        target: receiver.target,
        url: receiver.config.url,
        event: event.to_owned(),
        action,
        headers,
        body,
        at: now,
        redelivery: false,
        status: None,
    };
    state.deliveries.push(delivery.into());
}

/// The value of `X-Hub-Signature-256` for a body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}
