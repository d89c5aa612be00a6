//! What `gradus doctor` asks GitHub. Reads only.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;

use super::{GitHub, Inner};
use crate::forge::examine::{Expected, Finding, Hook, Level, Repository, clock, delivery, webhook};
use crate::forge::http::date::date;
use crate::forge::http::failure::Failure;

/// What an App may do on the workspace at least; docs/github.md says what for.
const PERMISSIONS: [(&str, Access); 5] = [
    ("contents", Access::Read),
    ("issues", Access::Write),
    ("metadata", Access::Read),
    ("pull_requests", Access::Write),
    ("statuses", Access::Write),
];

/// What a webhook tells of.
const EVENTS: [&str; 3] = ["issue_comment", "pull_request", "pull_request_review"];

/// Scopes of a classic token, given in its answers; a fine-grained one has none.
const SCOPES: &str = "x-oauth-scopes";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Access {
    Read,
    Write,
    Admin,
}

impl Access {
    fn word(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write | Access::Admin => "read and write",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct InstallationWire {
    permissions: BTreeMap<String, Access>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct HookConfigWire {
    #[serde(default)]
    url: String,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Deserialize)]
struct HookWire {
    active: bool,
    events: Vec<String>,
    config: HookConfigWire,
}

impl HookConfigWire {
    fn hook(self, active: bool, events: Vec<String>) -> Hook {
        let signed = Some(self.secret.is_some_and(|secret| !secret.is_empty()));
        Hook { url: self.url, json: self.content_type == "json", signed, active, events }
    }
}

#[derive(Deserialize)]
struct DeliveryWire {
    event: String,
    status_code: u16,
}

#[derive(Deserialize)]
struct RepositoryWire {
    full_name: String,
    private: bool,
    archived: bool,
    default_branch: String,
    has_issues: bool,
    #[serde(default)]
    permissions: Option<RoleWire>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct RoleWire {
    push: bool,
}

#[derive(Deserialize)]
struct LimitsWire {
    resources: ResourcesWire,
}

#[derive(Deserialize)]
struct ResourcesWire {
    core: LimitWire,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct LimitWire {
    limit: u64,
    remaining: u64,
    reset: i64,
}

impl GitHub {
    /// Compares what GitHub has with what is expected of it.
    pub async fn examine(&self, expected: &Expected) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Nothing more can be asked by somebody whom GitHub does not know.
        match self.me().await {
            Ok(me) => findings.push(Finding::fine("identity", format!("we are {}", me.login.0))),
            Err(error) => {
                let remedy = match &self.0.app {
                    Some(_) => {
                        "compare `auth.app` with the App's settings page: its id, its key, where it is installed"
                    }
                    None => "make a new token and put it where `auth.token` says",
                };
                findings.push(Finding::wrong("identity", chain(&error), remedy));
                return findings;
            }
        }
        findings.extend(self.0.budget(expected).await);
        let repository = self.0.repository().await;
        let scopes = repository.as_ref().ok().map(|(_, headers)| scopes(headers));
        match &repository {
            Ok((wire, _)) => findings.push(self.0.judge_repository(wire)),
            Err(error) => findings.push(Finding::wrong(
                "workspace",
                error.to_string(),
                format!("name the repository as GitHub does, and let us see it: {}", self.0.settings.repository),
            )),
        }
        match (&self.0.app, repository) {
            (Some(_), _) => findings.extend(self.0.examine_app(expected).await),
            (None, Ok((wire, _))) => {
                findings.push(token_rights(scopes.flatten().as_deref(), wire.private, wire.permissions));
                findings.push(self.0.examine_hooks(expected).await);
            }
            (None, Err(_)) => {}
        }
        findings
    }
}

impl Inner {
    /// The clock and the budget of requests, which one answer tells.
    async fn budget(&self, expected: &Expected) -> Vec<Finding> {
        let url = self.api.base().at(&["rate_limit"]);
        let sent = self.clock.now();
        let answer = match self.api.answer(&url).await {
            Ok(answer) => answer,
            Err(error) => return vec![Finding::wrong("requests", error.to_string(), "try again later")],
        };
        let clock = clock(date(answer.headers()), sent, self.clock.now(), expected.overlap);
        let budget = match self.api.decode::<LimitsWire>(&answer) {
            Ok(limits) => requests(limits.resources.core, self.clock.now().0 / 1_000),
            Err(error) => Finding::unknown("requests", error.to_string(), "look at /metrics of the daemon"),
        };
        vec![clock, budget]
    }

    async fn repository(&self) -> Result<(RepositoryWire, HeaderMap), Failure> {
        let answer = self.api.answer(&self.url(&[])).await?;
        Ok((self.api.decode(&answer)?, answer.headers().clone()))
    }

    fn judge_repository(&self, wire: &RepositoryWire) -> Finding {
        Repository {
            asked: self.settings.repository.to_string(),
            name: wire.full_name.clone(),
            archived: wire.archived,
            branch: wire.default_branch.clone(),
            issues: wire.has_issues,
            public: !wire.private,
        }
        .judge()
    }

    /// Whether we may write to this repository, a learner's own.
    pub(super) async fn rights(&self) -> Finding {
        let repository = &self.settings.repository;
        let (error, remedy) = match &self.app {
            Some(app) => match app.examine().await {
                Ok(installation) => return app_rights(&installation),
                Err(error) => (error, "its owner has to install the App on it"),
            },
            None => match self.repository().await {
                Ok((wire, headers)) => {
                    return token_rights(scopes(&headers).as_deref(), wire.private, wire.permissions);
                }
                Err(error) => (error, "its owner has to invite our account with the role *Write*"),
            },
        };
        Finding::wrong("rights", error.to_string(), format!("{remedy}: {repository}"))
    }

    async fn examine_app(&self, expected: &Expected) -> Vec<Finding> {
        let Some(app) = &self.app else { return Vec::new() };
        let installation: InstallationWire = match app.examine().await {
            Ok(found) => found,
            Err(error) => {
                return vec![Finding::wrong("rights", error.to_string(), "install the App on the workspace")];
            }
        };
        let mut findings = vec![app_rights(&installation)];
        let config: Result<HookConfigWire, Failure> = app.read(&["hook", "config"]).await;
        let hooks = match config {
            Ok(config) if config.url.is_empty() => Vec::new(),
            Ok(config) => vec![config.hook(true, installation.events)],
            Err(Failure::Refused(_)) => Vec::new(),
            Err(error) => {
                let remedy = "look at the App's settings page";
                findings.push(Finding::unknown("webhook", error.to_string(), remedy));
                return findings;
            }
        };
        let hook = webhook(&hooks, expected, &EVENTS);
        let leads_here = hook.level == Level::Fine && expected.webhook.is_some();
        findings.push(hook);
        if leads_here {
            match app.read::<Vec<DeliveryWire>>(&["hook", "deliveries"]).await {
                Ok(sent) => findings.push(delivery(sent.first().map(|sent| (sent.event.as_str(), sent.status_code)))),
                Err(error) => findings.push(Finding::unknown(
                    "deliveries",
                    error.to_string(),
                    "look at *Advanced* on the App's settings page",
                )),
            }
        }
        findings
    }

    /// The webhooks of the repository, which a token may see whose account administers it.
    async fn examine_hooks(&self, expected: &Expected) -> Finding {
        match self.api.get::<Vec<HookWire>>(&self.list_url(&["hooks"], &[])).await {
            Ok(hooks) => {
                let hooks: Vec<Hook> =
                    hooks.into_iter().map(|hook| hook.config.hook(hook.active, hook.events)).collect();
                webhook(&hooks, expected, &EVENTS)
            }
            Err(_) if expected.webhook.is_none() => webhook(&[], expected, &EVENTS),
            Err(_) => Finding::unknown(
                "webhook",
                "this token may not see the repository's webhooks",
                "look at *Settings → Webhooks* of the repository, and at *Recent Deliveries* there",
            ),
        }
    }
}

fn requests(limit: LimitWire, now: i64) -> Finding {
    const ABOUT: &str = "requests";
    let LimitWire { limit, remaining, reset } = limit;
    let minutes = (reset - now).max(0).unsigned_abs().div_ceil(60);
    let says = format!("{remaining} of {limit} are left for the next {minutes} minutes");
    match remaining * 5 {
        0 => Finding::wrong(ABOUT, says, "wait; and use this account for nothing else"),
        left if left < limit => Finding::warning(ABOUT, says, "use this account for nothing else"),
        _ => Finding::fine(ABOUT, says),
    }
}

fn app_rights(installation: &InstallationWire) -> Finding {
    const ABOUT: &str = "rights";
    if installation.suspended_at.is_some() {
        return Finding::wrong(
            ABOUT,
            "the App's installation is suspended",
            "resume it in the organisation's settings",
        );
    }
    let held = |name: &str| installation.permissions.get(name).copied();
    let missing: Vec<String> = PERMISSIONS
        .iter()
        .filter(|(name, least)| held(name).is_none_or(|access| access < *least))
        .map(|(name, least)| format!("{name}: {}", least.word()))
        .collect();
    if !missing.is_empty() {
        let remedy = "give them in the App's settings, then accept the change where it is installed";
        return Finding::wrong(ABOUT, format!("the App lacks {}", missing.join(", ")), remedy);
    }
    let needed = |name: &str| PERMISSIONS.iter().any(|(needed, _)| *needed == name);
    let more: Vec<&str> = installation.permissions.keys().map(String::as_str).filter(|name| !needed(name)).collect();
    if !more.is_empty() {
        let remedy = "take them away: a stolen key can do no more than the App";
        return Finding::warning(ABOUT, format!("the App may more than it needs: {}", more.join(", ")), remedy);
    }
    let threads = match held("contents") {
        Some(Access::Write | Access::Admin) => "threads of mended findings are resolved",
        _ => "threads of mended findings stay open (that needs contents: read and write)",
    };
    Finding::fine(ABOUT, format!("all that the App needs; {threads}"))
}

/// The scopes of a classic token; none for one that has none to tell.
fn scopes(headers: &HeaderMap) -> Option<String> {
    headers.get(SCOPES)?.to_str().ok().map(str::to_owned)
}

fn token_rights(scopes: Option<&str>, private: bool, role: Option<RoleWire>) -> Finding {
    const ABOUT: &str = "rights";
    if role.is_none_or(|role| !role.push) {
        let remedy = "give its account the role *Write* on the repository";
        return Finding::wrong(ABOUT, "the token's account may not write to it", remedy);
    }
    let wanted = if private { "repo" } else { "public_repo" };
    match scopes {
        Some(scopes) if scopes.split(',').map(str::trim).any(|scope| scope == "repo" || scope == wanted) => {
            Finding::fine(ABOUT, format!("a classic token with {scopes}"))
        }
        Some(scopes) => {
            let remedy = format!("make a token with the scope `{wanted}`");
            Finding::wrong(ABOUT, format!("a classic token with {}", or_nothing(scopes)), remedy)
        }
        None => Finding::unknown(
            ABOUT,
            "its account may write; what a fine-grained token itself may, GitHub does not tell",
            "compare its permissions with docs/github.md",
        ),
    }
}

fn or_nothing(scopes: &str) -> &str {
    if scopes.trim().is_empty() { "no scope" } else { scopes }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn installation(permissions: Value) -> InstallationWire {
        serde_json::from_value(json!({"permissions": permissions})).unwrap()
    }

    #[test]
    fn an_app_has_what_it_needs_and_nothing_else() {
        let needed = json!({"contents": "read", "issues": "write", "metadata": "read", "pull_requests": "write", "statuses": "write"});
        let with = |name: &str, access: Value| {
            let mut all = needed.clone();
            all[name] = access;
            app_rights(&installation(all))
        };
        assert_eq!(app_rights(&installation(needed.clone())).level, Level::Fine);
        assert!(with("contents", json!("write")).says.ends_with("are resolved"));
        let less = with("statuses", json!("read"));
        assert_eq!((less.level, less.says.as_str()), (Level::Wrong, "the App lacks statuses: read and write"));
        let more = with("administration", json!("read"));
        assert_eq!(
            (more.level, more.says.as_str()),
            (Level::Warning, "the App may more than it needs: administration")
        );
        let suspended = InstallationWire { suspended_at: Some("2026-01-01T00:00:00Z".into()), ..Default::default() };
        assert_eq!(app_rights(&suspended).level, Level::Wrong);
    }

    #[test]
    fn a_token_is_judged_by_its_scopes_and_its_account() {
        let write = Some(RoleWire { push: true });
        for (scopes, private, role, level) in [
            (Some("repo, read:org"), true, write, Level::Fine),
            (Some("public_repo"), false, write, Level::Fine),
            (Some("public_repo"), true, write, Level::Wrong),
            (Some(""), false, write, Level::Wrong),
            (None, true, write, Level::Unknown),
            (Some("repo"), true, Some(RoleWire { push: false }), Level::Wrong),
            (Some("repo"), true, None, Level::Wrong),
        ] {
            assert_eq!(token_rights(scopes, private, role).level, level, "{scopes:?} {private} {role:?}");
        }
    }

    #[test]
    fn requests_that_run_out_are_told_before_they_have() {
        let judged = |remaining| requests(LimitWire { limit: 5_000, remaining, reset: 1_600 }, 1_000);
        assert_eq!(judged(4_990), Finding::fine("requests", "4990 of 5000 are left for the next 10 minutes"));
        assert_eq!(judged(900).level, Level::Warning);
        assert_eq!(judged(0).level, Level::Wrong);
    }
}
