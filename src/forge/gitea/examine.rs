//! What `gradus doctor` asks Gitea.
//!
//! A token does not tell what it may. Two changes of a pull request 0, which cannot be there, do: whoever may not make
//! them is refused (403) before it is looked for (404).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::super::budget::WriteKind;
use super::super::examine::{Expected, Finding, Hook, Repository, clock, webhook};
use super::super::http::date::date;
use super::super::http::failure::Failure;
use super::Gitea;
use super::ask::Desk;

/// The oldest version that has everything we ask for.
const OLDEST: (u64, u64) = (1, 20);

/// What a webhook tells of, as the API lists it.
const EVENTS: [&str; 4] = ["pull_request", "pull_request_sync", "pull_request_comment", "pull_request_review"];

#[derive(Deserialize)]
struct VersionWire {
    version: String,
}

#[derive(Deserialize)]
struct UserWire {
    login: String,
    #[serde(default)]
    is_admin: bool,
}

#[derive(Deserialize)]
struct RepositoryWire {
    full_name: String,
    private: bool,
    archived: bool,
    default_branch: String,
    has_issues: bool,
    has_pull_requests: bool,
    permissions: RoleWire,
}

#[derive(Deserialize)]
struct RoleWire {
    admin: bool,
    push: bool,
}

#[derive(Deserialize)]
struct HookWire {
    active: bool,
    events: Vec<String>,
    config: HookConfigWire,
}

#[derive(Deserialize)]
struct HookConfigWire {
    #[serde(default)]
    url: String,
    #[serde(default)]
    content_type: String,
}

impl Gitea {
    /// Compares what Gitea has with what is expected of it.
    pub async fn examine(&self, expected: &Expected) -> Vec<Finding> {
        let desk = &self.0.desk;
        let mut findings = desk.examine_server(expected).await;
        let base = desk.api.base();
        match desk.api.get::<UserWire>(&base.at(&["user"])).await {
            Ok(me) => findings.push(identity(&me)),
            Err(error) => {
                let remedy = "make a token as docs/gitea.md says and put it where `auth.token` says";
                findings.push(Finding::wrong("identity", error.to_string(), remedy));
                return findings;
            }
        }
        match desk.api.get::<RepositoryWire>(&desk.at(&[])).await {
            Ok(found) => {
                findings.push(repository(&desk.repository.to_string(), &found));
                findings.push(desk.examine_rights(found.permissions.admin).await);
                findings.push(desk.examine_hooks(expected).await);
            }
            Err(error) => findings.push(Finding::wrong(
                "workspace",
                error.to_string(),
                format!("name the repository as the server does, and let the token see it: {}", desk.repository),
            )),
        }
        findings
    }
}

impl Desk {
    async fn examine_server(&self, expected: &Expected) -> Vec<Finding> {
        let sent = self.api.budget().now();
        match self.api.answer(&self.api.base().at(&["version"])).await {
            Ok(answer) => {
                let clock = clock(date(answer.headers()), sent, self.api.budget().now(), expected.overlap);
                let version = self.api.decode::<VersionWire>(&answer).map(|wire| wire.version).unwrap_or_default();
                vec![judge_version(&version), clock]
            }
            Err(error) => {
                let remedy = "compare `address` with where people find the server";
                vec![Finding::wrong("server", error.to_string(), remedy)]
            }
        }
    }

    async fn examine_rights(&self, admin: bool) -> Finding {
        let pull = self.at(&["pulls", "0"]);
        let issue = self.at(&["issues", "0"]);
        let mut missing = Vec::new();
        for (url, permission) in [(pull, "repository: read and write"), (issue, "issue: read and write")] {
            let change = json!({"title": "gradus doctor"});
            match self.write(None, Method::PATCH, &url, Some(&change), WriteKind::Plain).await {
                Err(error) if error.refused(StatusCode::FORBIDDEN).is_some() => missing.push(permission),
                // Not there, as it has to be.
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(error) => return Finding::unknown("rights", error.to_string(), "try again"),
            }
        }
        rights(admin, &missing)
    }

    /// Whether we may write to this repository, a learner's own. Nobody's rights are asked there.
    pub(super) async fn examine_role(&self) -> Finding {
        const ABOUT: &str = "rights";
        let remedy = "under *Settings → Collaborators* its owner has to add our account with the right to write";
        match self.api.get::<RepositoryWire>(&self.at(&[])).await {
            Ok(found) if found.permissions.push => Finding::fine(ABOUT, "we may write"),
            Ok(_) => Finding::wrong(ABOUT, "our account may not write there", remedy),
            Err(error) => Finding::wrong(ABOUT, error.to_string(), remedy),
        }
    }

    async fn examine_hooks(&self, expected: &Expected) -> Finding {
        match self.api.get::<Option<Vec<HookWire>>>(&self.at(&["hooks"])).await {
            Ok(hooks) => {
                let hooks: Vec<Hook> = hooks.into_iter().flatten().map(HookWire::hook).collect();
                webhook(&hooks, expected, &EVENTS)
            }
            Err(_) if expected.webhook.is_none() => webhook(&[], expected, &EVENTS),
            Err(error) => Finding::unknown(
                "webhook",
                error.to_string(),
                "look at *Settings → Webhooks* of the repository, and at *Recent Deliveries* there",
            ),
        }
    }
}

impl HookWire {
    fn hook(self) -> Hook {
        let HookConfigWire { url, content_type } = self.config;
        // The server does not say whether there is a secret.
        Hook { url, json: content_type == "json", signed: None, active: self.active, events: self.events }
    }
}

/// As in `1.26.0` or Forgejo's `12.0.1+gitea-1.22.0`, which says what it descends from.
fn judge_version(version: &str) -> Finding {
    const ABOUT: &str = "server";
    let gitea = version.split("gitea-").nth(1).unwrap_or(version);
    let mut numbers = gitea.split(['.', '-', '+']).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => {
            Finding::fine(ABOUT, format!("version {version}"))
        }
        (Some(Ok(_)), Some(Ok(_))) => {
            let (major, minor) = OLDEST;
            Finding::wrong(
                ABOUT,
                format!("version {version}"),
                format!("{major}.{minor} or newer is needed: update it"),
            )
        }
        _ => Finding::unknown(
            ABOUT,
            format!("its version `{version}` is none that we know"),
            "compare with docs/gitea.md",
        ),
    }
}

fn identity(me: &UserWire) -> Finding {
    const ABOUT: &str = "identity";
    if me.is_admin {
        let remedy = "take that right away: a stolen token could do everything";
        Finding::warning(ABOUT, format!("we are {}, an administrator of the server", me.login), remedy)
    } else {
        Finding::fine(ABOUT, format!("we are {}", me.login))
    }
}

fn repository(asked: &str, wire: &RepositoryWire) -> Finding {
    if !wire.has_pull_requests {
        let remedy = "switch them on under *Settings → Units*";
        return Finding::wrong("workspace", "it takes no pull requests", remedy);
    }
    Repository {
        asked: asked.to_owned(),
        name: wire.full_name.clone(),
        archived: wire.archived,
        branch: wire.default_branch.clone(),
        issues: wire.has_issues,
        public: !wire.private,
    }
    .judge()
}

fn rights(admin: bool, missing: &[&str]) -> Finding {
    const ABOUT: &str = "rights";
    if !missing.is_empty() {
        let says = format!("the token lacks {}", missing.join(", "));
        Finding::wrong(ABOUT, says, "make one with the permissions that docs/gitea.md names")
    } else if !admin {
        let says =
            "our account does not administer the workspace: nobody's rights can be asked, so no command is taken";
        Finding::wrong(ABOUT, says, "under *Settings → Collaborators* make it *Administrator*")
    } else {
        Finding::fine(ABOUT, "we may write, and ask what others may")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::examine::Level;

    #[test]
    fn versions_of_both_servers_are_read() {
        for (version, level) in [
            ("1.26.0", Level::Fine),
            ("1.20.0+dev-5-gabc", Level::Fine),
            ("1.19.4", Level::Wrong),
            ("12.0.1+gitea-1.22.0", Level::Fine),
            ("7.0.0", Level::Fine),
            ("6.0.0+gitea-1.18.0", Level::Wrong),
            ("", Level::Unknown),
            ("main", Level::Unknown),
        ] {
            assert_eq!(judge_version(version).level, level, "{version}");
        }
    }

    #[test]
    fn an_account_that_may_too_little_or_too_much_is_told_so() {
        assert_eq!(rights(true, &[]).level, Level::Fine);
        assert_eq!(rights(false, &[]).level, Level::Wrong);
        assert!(rights(true, &["issue: read and write"]).says.ends_with("issue: read and write"));
        assert_eq!(identity(&UserWire { login: "bot".into(), is_admin: true }).level, Level::Warning);
    }
}
