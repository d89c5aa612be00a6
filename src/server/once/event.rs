//! What an event of GitHub Actions asks for: which pull requests to look at. Pure.
//!
//! The payload is a hint as a webhook is: a number is taken from it, and what the run may do. Everything else is asked of
//! the forge.

use serde_json::Value;

use crate::forge::hint::RepositoryName;
use crate::forge::pull::PullNumber;

/// Which pull requests a run looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This one.
    One(PullNumber),
    /// All open ones that something happened to lately.
    Recent,
    /// None, and why.
    Nothing(&'static str),
}

/// Whose repository the run is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The workspace: its workflows are the course's.
    Workspace,
    /// A fork of it: its workflows are the learner's.
    Fork,
}

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What to look at.
    pub target: Target,
    /// Where the run is.
    pub ground: Ground,
}

/// An event that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not one of ours.
    #[error(
        "the event `{0}` asks for nothing that is graded: run on `pull_request_target`, `issue_comment`, `schedule` or \
         `workflow_dispatch`, or name a pull request by `--pull N`"
    )]
    Unknown(String),
    /// It comes with a token that may not write, and without secrets.
    #[error(
        "GitHub gives a workflow on `pull_request` from a fork neither secrets nor the right to write: run on \
         `pull_request_target`, which uses the workflow of the base branch"
    )]
    Unprivileged,
    /// The payload is not what GitHub sends.
    #[error("the payload of `{event}` has no {what}: name a pull request by `--pull N`")]
    Malformed {
        /// Its name.
        event: String,
        /// What is missing.
        what: &'static str,
    },
    /// The number that somebody typed is none.
    #[error("`{}` is not the number of a pull request: type it as in `12`, or nothing for all recent ones", .0.escape_debug())]
    NotANumber(String),
}

/// Reads an event: its name (`GITHUB_EVENT_NAME`) and payload (`GITHUB_EVENT_PATH`).
pub fn read(name: &str, payload: &Value) -> Result<Event, EventError> {
    let ground = match payload.pointer("/repository/fork").and_then(Value::as_bool) {
        Some(true) => Ground::Fork,
        _ => Ground::Workspace,
    };
    Ok(Event { target: target(name, payload)?, ground })
}

fn target(name: &str, payload: &Value) -> Result<Target, EventError> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    let number = |pointer: &str, what| {
        let number = payload.pointer(pointer).and_then(Value::as_u64);
        let number = number.and_then(|number| number.to_string().parse().ok());
        number.map(Target::One).ok_or_else(|| EventError::Malformed { event: name.to_owned(), what })
    };
    match name {
        "pull_request_target" | "pull_request_review" => number("/pull_request/number", "number of a pull request"),
        "pull_request" => {
            let repository = |pointer| text(pointer).and_then(|name| name.parse::<RepositoryName>().ok());
            let head = repository("/pull_request/head/repo/full_name");
            // A deleted fork has no repository any more: not ours either.
            if head.is_none() || head != repository("/repository/full_name") {
                return Err(EventError::Unprivileged);
            }
            number("/pull_request/number", "number of a pull request")
        }
        "issue_comment" => match () {
            () if payload.pointer("/issue/pull_request").is_none() => {
                Ok(Target::Nothing("the comment is on an issue, not on a pull request"))
            }
            () if text("/comment/user/type") == Some("Bot") => Ok(Target::Nothing("the comment is a program's")),
            () if text("/action") != Some("created") => Ok(Target::Nothing("only new comments are answered")),
            () => number("/issue/number", "number of an issue"),
        },
        "workflow_dispatch" => match text("/inputs/pull").map_or("", str::trim) {
            "" => Ok(Target::Recent),
            typed => match typed.parse() {
                Ok(number) => Ok(Target::One(number)),
                Err(_) => Err(EventError::NotANumber(typed.chars().take(40).collect())),
            },
        },
        "schedule" => Ok(Target::Recent),
        other => Err(EventError::Unknown(other.chars().take(40).collect())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target_of(name: &str, payload: Value) -> Result<Target, EventError> {
        read(name, &payload).map(|event| event.target)
    }

    fn one(number: i64) -> Result<Target, EventError> {
        Ok(Target::One(PullNumber(number)))
    }

    #[test]
    fn a_push_and_a_comment_name_their_pull_request() {
        let push = json!({"action": "synchronize", "pull_request": {"number": 12}});
        assert_eq!(target_of("pull_request_target", push), one(12));
        let comment = json!({
            "action": "created",
            "issue": {"number": 7, "pull_request": {}},
            "comment": {"user": {"type": "User"}}
        });
        assert_eq!(target_of("issue_comment", comment), one(7));
    }

    #[test]
    fn a_comment_that_asks_for_nothing_starts_nothing() {
        let comment = |pull: bool, who: &str, action: &str| {
            let mut issue = json!({"number": 7});
            if pull {
                issue["pull_request"] = json!({});
            }
            target_of("issue_comment", json!({"action": action, "issue": issue, "comment": {"user": {"type": who}}}))
        };
        for (pull, who, action) in [(false, "User", "created"), (true, "Bot", "created"), (true, "User", "edited")] {
            assert!(matches!(comment(pull, who, action), Ok(Target::Nothing(_))), "{pull} {who} {action}");
        }
    }

    #[test]
    fn the_timer_and_an_empty_form_ask_for_all_recent_ones() {
        assert_eq!(target_of("schedule", json!({"schedule": "17 * * * *"})), Ok(Target::Recent));
        assert_eq!(target_of("workflow_dispatch", json!({"inputs": null})), Ok(Target::Recent));
        assert_eq!(target_of("workflow_dispatch", json!({"inputs": {"pull": " "}})), Ok(Target::Recent));
        assert_eq!(target_of("workflow_dispatch", json!({"inputs": {"pull": "12"}})), one(12));
        let typed = target_of("workflow_dispatch", json!({"inputs": {"pull": "#12"}}));
        assert_eq!(typed, Err(EventError::NotANumber("#12".to_owned())));
    }

    #[test]
    fn a_run_that_may_not_write_says_so_at_once() {
        let pull = |head: Value| {
            let payload = json!({
                "repository": {"full_name": "acme/cnpe"},
                "pull_request": {"number": 3, "head": {"repo": head}}
            });
            target_of("pull_request", payload)
        };
        assert_eq!(pull(json!({"full_name": "ada/cnpe"})), Err(EventError::Unprivileged));
        assert_eq!(pull(Value::Null), Err(EventError::Unprivileged));
        assert_eq!(pull(json!({"full_name": "Acme/CNPE"})), one(3));
    }

    #[test]
    fn a_fork_is_told_from_the_workspace() {
        for (fork, ground) in
            [(json!(true), Ground::Fork), (json!(false), Ground::Workspace), (Value::Null, Ground::Workspace)]
        {
            assert_eq!(read("schedule", &json!({"repository": {"fork": fork}})).unwrap().ground, ground);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_a_remedy() {
        for (name, payload) in [
            ("push", json!({})),
            ("pull_request_target", json!({})),
            ("pull_request_target", json!({"pull_request": {"number": 0}})),
            ("pull_request_target", json!({"pull_request": {"number": -4}})),
            ("pull_request_target", json!({"pull_request": {"number": "12"}})),
        ] {
            let error = target_of(name, payload).unwrap_err();
            assert!(error.to_string().contains("--pull N"), "{error}");
        }
    }
}
