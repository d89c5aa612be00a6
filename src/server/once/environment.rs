//! What the environment of a job of GitHub Actions says.

use std::path::PathBuf;

use serde_json::Value;

use super::event::{self, Event, EventError};
use crate::config::secret::{Env, Secret};
use crate::forge::hint::{InvalidRepository, RepositoryName};
use crate::forge::http::base::{Base, InvalidBase, Plain};
use crate::forge::seal::{InvalidKeys, Seal};

/// Largest payload of an event in bytes: GitHub caps them at 25 MB.
const MAX_EVENT: u64 = 32 << 20;

/// A job of GitHub Actions.
#[derive(Debug, Clone)]
pub struct Job {
    /// `GITHUB_API_URL`.
    pub api: Base,
    /// `GITHUB_SERVER_URL`: where people and Git find the workspace.
    pub server: Base,
    /// `GITHUB_REPOSITORY`: the workspace.
    pub repository: RepositoryName,
    /// `GITHUB_TOKEN`.
    pub token: Secret,
    /// `GRADUS_KEY`.
    pub seal: Seal,
    /// `RUNNER_TEMP`: emptied after the job; else the system's directory for temporary files.
    pub temp: PathBuf,
}

/// The environment is not that of a job that can grade.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A variable is missing or empty.
    #[error("the environment variable {name} is not set: {remedy}")]
    NotSet {
        /// Which.
        name: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An address is none.
    #[error("{name}: {source}")]
    Address {
        /// Which variable.
        name: &'static str,
        /// Why.
        source: InvalidBase,
    },
    /// The repository is none.
    #[error("GITHUB_REPOSITORY: {0}")]
    Repository(#[from] InvalidRepository),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] InvalidKeys),
    /// The payload cannot be read.
    #[error("cannot read the event in {}: {why}", path.display())]
    Payload {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The event asks for nothing.
    #[error(transparent)]
    Event(#[from] EventError),
}

/// A variable that every job of GitHub Actions has.
const OUTSIDE: &str = "run this in a job of GitHub Actions, or set it as such a job has it";

impl Job {
    /// Reads the environment.
    pub fn read(env: Env<'_>) -> Result<Self, JobError> {
        let address = |name| {
            let text = given(env, name, OUTSIDE)?;
            Base::parse(&text, Plain::Loopback).map_err(|source| JobError::Address { name, source })
        };
        Ok(Self {
            api: address("GITHUB_API_URL")?,
            server: address("GITHUB_SERVER_URL")?,
            repository: given(env, "GITHUB_REPOSITORY", OUTSIDE)?.parse()?,
            token: Secret::new(given(env, "GITHUB_TOKEN", "give the step `GITHUB_TOKEN: ${{ github.token }}`")?),
            seal: Seal::with_keys(&env("GRADUS_KEY").unwrap_or_default())?,
            temp: env("RUNNER_TEMP").filter(|dir| !dir.is_empty()).map_or_else(std::env::temp_dir, PathBuf::from),
        })
    }

    /// Where the pages of pull requests are, without the number.
    pub fn pulls(&self) -> String {
        self.server.at(&[self.repository.owner(), self.repository.name(), "pull"]).to_string()
    }

    /// What `git clone` takes.
    pub fn clone_address(&self) -> String {
        self.server.at(&[self.repository.owner(), &format!("{}.git", self.repository.name())]).to_string()
    }
}

/// What started the job: `GITHUB_EVENT_NAME` and the payload at `GITHUB_EVENT_PATH`.
pub fn event(env: Env<'_>) -> Result<Event, JobError> {
    const REMEDY: &str = "run this in a job of GitHub Actions, or name a pull request by `--pull N`";
    let name = given(env, "GITHUB_EVENT_NAME", REMEDY)?;
    let path = PathBuf::from(given(env, "GITHUB_EVENT_PATH", REMEDY)?);
    let failed = |why: String| JobError::Payload { path: path.clone(), why };
    let length = path.metadata().map_err(|error| failed(error.to_string()))?.len();
    if length > MAX_EVENT {
        return Err(failed(format!("it has {length} bytes; GitHub sends fewer than {MAX_EVENT}")));
    }
    let text = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
    let payload: Value = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
    Ok(event::read(&name, &payload)?)
}

fn given(env: Env<'_>, name: &'static str, remedy: &'static str) -> Result<String, JobError> {
    env(name).filter(|text| !text.is_empty()).ok_or(JobError::NotSet { name, remedy })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::server::once::event::Target;

    const KEY: &str = "canary-key-0123456789abcdef0123";

    fn environment() -> BTreeMap<&'static str, String> {
        [
            ("GITHUB_API_URL", "https://git.example.org/api/v3"),
            ("GITHUB_SERVER_URL", "https://git.example.org"),
            ("GITHUB_REPOSITORY", "acme/cnpe"),
            ("GITHUB_TOKEN", "canary-token"),
            ("GRADUS_KEY", KEY),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    fn job(environment: &BTreeMap<&'static str, String>) -> Result<Job, JobError> {
        Job::read(&|name| environment.get(name).cloned())
    }

    #[test]
    fn a_job_says_where_it_is_and_never_shows_its_secrets() {
        let job = job(&environment()).unwrap();
        assert_eq!(job.pulls(), "https://git.example.org/acme/cnpe/pull");
        assert_eq!(job.clone_address(), "https://git.example.org/acme/cnpe.git");
        assert!(!format!("{job:?}").contains("canary"));
    }

    #[test]
    fn whatever_is_missing_is_named_with_a_remedy() {
        for name in environment().into_keys() {
            let mut without = environment();
            without.insert(name, String::new());
            let error = job(&without).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(": "), "{error}");
        }
        for (name, wrong) in [
            ("GITHUB_API_URL", "http://git.example.org/api/v3"),
            ("GITHUB_REPOSITORY", "cnpe"),
            ("GRADUS_KEY", "canary-key"),
        ] {
            let mut environment = environment();
            environment.insert(name, wrong.to_owned());
            let error = job(&environment).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_event_is_read_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("event.json");
        let read = || {
            let path = path.clone();
            event(&move |name| match name {
                "GITHUB_EVENT_NAME" => Some("pull_request_target".to_owned()),
                "GITHUB_EVENT_PATH" => Some(path.display().to_string()),
                _ => None,
            })
        };
        assert!(matches!(read(), Err(JobError::Payload { .. })));
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(read(), Err(JobError::Payload { .. })));
        std::fs::write(&path, r#"{"pull_request": {"number": 4}}"#).unwrap();
        assert!(matches!(read().unwrap().target, Target::One(number) if number.0 == 4));
        assert!(event(&|_| None).unwrap_err().to_string().contains("--pull N"));
    }
}
