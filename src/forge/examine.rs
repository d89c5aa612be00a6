//! What `gradus doctor` finds out about a forge: the words for it, and the judgements that dialects share. Pure.

use std::time::Duration;

use serde::Serialize;

use super::http::date::ahead;
use crate::store::time::Time;

/// A difference of clocks that is not worth a word.
const CLOSE: Duration = Duration::from_secs(10);

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// As it has to be.
    Fine,
    /// It cannot be found out from here.
    Unknown,
    /// It works, and not as well as it could.
    Warning,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, as in `webhook`.
    pub about: &'static str,
    /// How good it is.
    pub level: Level,
    /// What was found.
    pub says: String,
    /// What to do; none when there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// As it has to be.
    pub fn fine(about: &'static str, says: impl Into<String>) -> Self {
        Self { about, level: Level::Fine, says: says.into(), remedy: None }
    }

    /// It cannot be found out from here; who wants to know does this.
    pub fn unknown(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, level: Level::Unknown, says: says.into(), remedy: Some(remedy.into()) }
    }

    /// It could be better.
    pub fn warning(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, level: Level::Warning, says: says.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work.
    pub fn wrong(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, level: Level::Wrong, says: says.into(), remedy: Some(remedy.into()) }
    }
}

/// What is configured: what a forge is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Path of the webhooks' address; none when none are taken.
    pub webhook: Option<String>,
    /// How much further back than the last look each sweep reaches.
    pub overlap: Duration,
}

/// Judges the forge's clock by an answer that it dated so, and that was asked for and came between these two.
pub fn clock(theirs: Option<Time>, sent: Time, received: Time, overlap: Duration) -> Finding {
    const ABOUT: &str = "clock";
    let Some(theirs) = theirs else {
        return Finding::unknown(ABOUT, "the forge does not date its answers", "compare the two clocks yourself");
    };
    let off = ahead(theirs, sent, received);
    let (span, side) = (Duration::from_millis(off.unsigned_abs()), if off < 0 { "ahead of" } else { "behind" });
    let says = format!("this machine is {} s {side} the forge", span.as_secs());
    let remedy = "set this machine's clock, for example with chrony";
    if span < CLOSE {
        Finding::fine(ABOUT, "the same as the forge's")
    } else if span < overlap {
        Finding::warning(ABOUT, says, remedy)
    } else {
        let late = format!("{says}: pushes that no webhook tells of wait for the full sweep");
        Finding::wrong(ABOUT, late, format!("{remedy}; `sweep.overlap` bridges {} s", overlap.as_secs()))
    }
}

/// A webhook as the forge has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where it leads.
    pub url: String,
    /// Whether it sends JSON and not a form.
    pub json: bool,
    /// Whether it has a secret; none when the forge does not say.
    pub signed: Option<bool>,
    /// Whether it is switched on.
    pub active: bool,
    /// What it tells.
    pub events: Vec<String>,
}

impl Hook {
    /// The path of its address.
    fn path(&self) -> String {
        url::Url::parse(&self.url).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
    }
}

/// Judges the webhooks that a forge has by the one that is configured and the events that it needs.
pub fn webhook(hooks: &[Hook], expected: &Expected, events: &[&str]) -> Finding {
    const ABOUT: &str = "webhook";
    let Some(path) = &expected.webhook else {
        return Finding::fine(ABOUT, "none is configured: pushes are found by sweeps");
    };
    let leads = |hook: &&Hook| hook.path() == path.trim_end_matches('/');
    let Some(hook) = hooks.iter().find(leads) else {
        let add =
            format!("on the forge, let a webhook lead to the address at which it reaches us, with the path {path}");
        return match hooks {
            [] => Finding::wrong(ABOUT, "the forge has none", add),
            others => {
                let places: Vec<&str> = others.iter().map(|hook| hook.url.as_str()).collect();
                Finding::wrong(ABOUT, format!("none leads to {path}, but there is {}", places.join(", ")), add)
            }
        };
    };
    let wrong = |says: &str, remedy: &str| Finding::wrong(ABOUT, format!("{} {says}", hook.url), remedy);
    let missing: Vec<&str> =
        events.iter().copied().filter(|event| !hook.events.iter().any(|there| there == event)).collect();
    if !hook.active {
        wrong("is switched off", "switch it on there")
    } else if !hook.json {
        wrong("sends a form", "set its content type to application/json")
    } else if hook.signed == Some(false) {
        wrong("has no secret: what it sends is refused", "give it the secret that stands in `webhook.secrets`")
    } else if !missing.is_empty() {
        wrong(&format!("does not tell of {}", missing.join(", ")), "tick these events there")
    } else {
        Finding::fine(ABOUT, format!("{} tells of everything", hook.url))
    }
}

/// Judges what became of the newest delivery, by the status that we answered; 0 is none at all.
pub fn delivery(newest: Option<(&str, u16)>) -> Finding {
    const ABOUT: &str = "deliveries";
    let Some((event, status)) = newest else {
        return Finding::unknown(ABOUT, "nothing was delivered yet", "open a pull request, then ask again");
    };
    let says = format!("the newest one, `{event}`, was answered {status}");
    match status {
        200..=299 => Finding::fine(ABOUT, says),
        0 => Finding::wrong(
            ABOUT,
            format!("the newest one, `{event}`, did not arrive"),
            "let the forge reach the address: a proxy with TLS in front of `listen`, an open port, a certificate that it trusts",
        ),
        401 => Finding::wrong(ABOUT, says, "the secret on the forge is none of those in `webhook.secrets`"),
        404 | 405 => Finding::wrong(ABOUT, says, "the address leads elsewhere: compare its path with `webhook.path`"),
        413 => Finding::warning(ABOUT, says, "raise `limits.webhookBytes`; a sweep found what it was about"),
        503 => Finding::warning(ABOUT, says, "too many came at once; a sweep finds what they were about"),
        _ => Finding::wrong(ABOUT, says, "look for what answers at that address: it is not `gradus serve`"),
    }
}

/// Judges what the forge says of the repository itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// As we call it.
    pub asked: String,
    /// As the forge calls it.
    pub name: String,
    /// Nobody may write to it any more.
    pub archived: bool,
    /// Its main branch.
    pub branch: String,
    /// Whether it takes issues.
    pub issues: bool,
    /// Whether everybody sees it.
    pub public: bool,
}

impl Repository {
    /// One finding, the worst thing first.
    pub fn judge(&self) -> Finding {
        const ABOUT: &str = "workspace";
        let kind = if self.public { "public" } else { "private" };
        if !self.name.eq_ignore_ascii_case(&self.asked) {
            let says = format!("{} is called {} now", self.asked, self.name);
            Finding::wrong(ABOUT, says, format!("write `repository: {}`", self.name))
        } else if self.archived {
            Finding::wrong(
                ABOUT,
                "it is archived: nothing can be posted",
                "unarchive it, or take it out of `workspaces`",
            )
        } else if self.branch != "main" {
            let says = format!("its default branch is `{}`: learners open pull requests against that one", self.branch);
            Finding::wrong(ABOUT, says, "make `main` the default branch, to which the course was published")
        } else if !self.issues {
            let says = format!("{kind}, without issues: a `/dispute` is noted in the gradebook only");
            Finding::warning(ABOUT, says, "switch issues on in its settings")
        } else {
            Finding::fine(ABOUT, format!("{kind}, default branch main"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(path: Option<&str>) -> Expected {
        Expected { webhook: path.map(str::to_owned), overlap: Duration::from_secs(120) }
    }

    fn hook() -> Hook {
        Hook {
            url: "https://gradus.example.org/webhooks/hub".into(),
            json: true,
            signed: Some(true),
            active: true,
            events: vec!["pull_request".into(), "issue_comment".into()],
        }
    }

    #[test]
    fn a_clock_is_judged_by_what_its_difference_costs() {
        let judged = |theirs| {
            let finding = clock(Some(Time(theirs)), Time(1_000_000), Time(1_000_500), Duration::from_secs(120));
            (finding.level, finding.says)
        };
        assert_eq!(judged(1_000_000), (Level::Fine, "the same as the forge's".into()));
        assert_eq!(judged(1_040_500), (Level::Warning, "this machine is 40 s behind the forge".into()));
        assert_eq!(judged(700_000).0, Level::Wrong);
        assert!(judged(700_000).1.starts_with("this machine is 300 s ahead of the forge"));
        assert_eq!(clock(None, Time(0), Time(0), Duration::ZERO).level, Level::Unknown);
    }

    #[test]
    fn a_webhook_is_held_to_what_is_configured() {
        let judged = |hooks: &[Hook]| webhook(hooks, &expected(Some("/webhooks/hub")), &["pull_request"]);
        assert_eq!(judged(&[hook()]).level, Level::Fine);
        for (broken, says) in [
            (vec![], "the forge has none"),
            (
                vec![Hook { url: "https://x.example/hook".into(), ..hook() }],
                "none leads to /webhooks/hub, but there is",
            ),
            (vec![Hook { active: false, ..hook() }], "is switched off"),
            (vec![Hook { json: false, ..hook() }], "sends a form"),
            (vec![Hook { signed: Some(false), ..hook() }], "has no secret"),
            (vec![Hook { events: vec![], ..hook() }], "does not tell of pull_request"),
        ] {
            let finding = judged(&broken);
            assert!(finding.level == Level::Wrong && finding.says.contains(says), "{finding:?}");
            assert!(finding.remedy.is_some(), "{finding:?}");
        }
        assert_eq!(webhook(&[], &expected(None), &["pull_request"]).level, Level::Fine);
    }

    #[test]
    fn a_delivery_that_failed_says_where_to_look() {
        for (newest, level, remedy) in [
            (None, Level::Unknown, "open a pull request"),
            (Some(("pull_request", 202)), Level::Fine, ""),
            (Some(("pull_request", 0)), Level::Wrong, "let the forge reach"),
            (Some(("ping", 401)), Level::Wrong, "the secret on the forge"),
            (Some(("ping", 404)), Level::Wrong, "webhook.path"),
            (Some(("ping", 503)), Level::Warning, "a sweep finds"),
            (Some(("ping", 500)), Level::Wrong, "is not `gradus serve`"),
        ] {
            let finding = delivery(newest);
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.remedy.unwrap_or_default().contains(remedy), "{newest:?}");
        }
    }

    #[test]
    fn a_repository_is_judged_by_what_learners_would_meet() {
        let fine = Repository {
            asked: "Acme/cnpe".into(),
            name: "acme/cnpe".into(),
            archived: false,
            branch: "main".into(),
            issues: true,
            public: true,
        };
        assert_eq!(fine.judge(), Finding::fine("workspace", "public, default branch main"));
        for (broken, level, says) in [
            (Repository { name: "acme/new".into(), ..fine.clone() }, Level::Wrong, "is called acme/new now"),
            (Repository { archived: true, ..fine.clone() }, Level::Wrong, "archived"),
            (Repository { branch: "master".into(), ..fine.clone() }, Level::Wrong, "`master`"),
            (Repository { issues: false, public: false, ..fine.clone() }, Level::Warning, "private, without issues"),
        ] {
            let finding = broken.judge();
            assert!(finding.level == level && finding.says.contains(says), "{finding:?}");
        }
    }
}
