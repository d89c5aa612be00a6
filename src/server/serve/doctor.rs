//! Whether everything is there that `gradus serve` needs: on this machine, and on each forge. Starts nothing and writes
//! nothing that stays.

mod argocd;
mod external;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::connect::{Connect, Dialects, name as workspace_name};
use super::courses;
use super::data::Data;
use super::plan::{Plan, Served, plans};
use crate::checkpoint::Checkpoint;
use crate::config::Loaded;
use crate::config::kinds::{ArgocdConfig, Config, CourseSource};
use crate::course::Course;
use crate::forge::examine::{Expected, Finding, Level};
use crate::forge::forks::Forks;
use crate::sandbox::Sandbox;
use crate::store::Store;

/// Less free space than this is told, in bytes: mirrors and the database grow.
const LITTLE: u64 = 1 << 30;

/// Longest wait for one forge.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was found about one thing: this machine, a course or a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// As in `github.com/acme/cnpe`.
    pub name: String,
    /// What was looked at, in the order in which it matters.
    pub findings: Vec<Finding>,
}

/// Looks at everything that a configuration names, and hands on each subject as soon as it is known. Fails only when this
/// machine has no room for temporary files.
pub async fn examine(
    loaded: &Loaded,
    sandbox: &Sandbox,
    dialects: &Dialects,
    mut tell: impl FnMut(Subject),
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let config = &loaded.config;
    let room = tempfile::tempdir()?;
    tell(Subject { name: "this machine".to_owned(), findings: machine(config, sandbox, dialects).await });

    let data = Arc::new(Data::open(room.path())?);
    for course in &config.courses {
        let token = match &course.source {
            CourseSource::Git(git) => git.token.as_ref().and_then(|source| loaded.secrets.get(source)).cloned(),
            CourseSource::Dir(_) => None,
        };
        let (course, data) = (course.clone(), data.clone());
        let name = format!("course {}", course.id);
        let read = tokio::task::spawn_blocking(move || courses::load(&course, token.as_ref(), &data)).await?;
        let findings = match read {
            Ok(course) => {
                let says = format!("{} tasks, revision {}", course.tasks.len(), course.revision);
                let source = Finding::fine("source", says);
                std::iter::once(source)
                    .chain(config.argocd.as_ref().and_then(|argocd| unknown(argocd, &course)))
                    .collect()
            }
            Err(error) => vec![Finding::wrong(
                "source",
                error.to_string(),
                "mend it; `gradus lint DIR` shows every place with its line",
            )],
        };
        tell(Subject { name, findings });
    }

    // Of its own: the daemon's is the daemon's, and may be one of another version.
    let store = Store::open(&room.path().join("gradus.db")).await?;
    for plan in plans(loaded, 1).values() {
        tell(workspace(config, plan, dialects, &data, &store).await);
        if plan.forks == Served::Yes {
            tell(forks(plan, dialects, &data, &store).await);
        }
    }
    store.close().await;
    if let Some(subject) = argocd::argocd(loaded).await {
        tell(subject);
    }
    Ok(())
}

/// Servers that a course's tasks ask and that are not configured.
fn unknown(argocd: &ArgocdConfig, course: &Course) -> Option<Finding> {
    let mut all: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for task in course.tasks_in_order().map(|task| &task.task) {
        for name in task.checkpoints.iter().flat_map(Checkpoint::addresses) {
            if !argocd.addresses.iter().any(|known| known.name.as_str() == name) {
                all.entry(name).or_default().insert(task.id.as_str());
            }
        }
    }
    let words = |(name, tasks): (&String, &BTreeSet<&str>)| {
        format!("`{name}` ({})", tasks.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let says = format!(
        "tasks ask servers of yours that are not configured: {}",
        all.iter().map(words).collect::<Vec<_>>().join("; ")
    );
    let remedy = "name each below `argocd.addresses`; until then the files are judged instead, where the task says how";
    (!all.is_empty()).then(|| Finding::warning("addresses", says, remedy))
}

async fn workspace(config: &Config, plan: &Plan, dialects: &Dialects, data: &Data, store: &Store) -> Subject {
    let works = &plan.works;
    let address = |error: &dyn std::fmt::Display| {
        vec![Finding::wrong("configuration", error.to_string(), "correct it in the configuration")]
    };
    let name = match workspace_name(works) {
        Ok(name) => name,
        Err(error) => return Subject { name: works.repository.to_string(), findings: address(&error) },
    };
    let of_forge = config.forges.iter().find(|forge| forge.name == works.forge.name);
    let expected =
        Expected { webhook: of_forge.and_then(|forge| forge.webhook_path()), overlap: config.sweep.overlap.0 };
    let findings = match dialects.connect(works, data.mirror(&name), store.clone()) {
        Ok(forge) => match tokio::time::timeout(PATIENCE, forge.examine(&expected)).await {
            Ok(findings) => findings,
            Err(_) => {
                let says = format!("the forge did not answer everything within {} s", PATIENCE.as_secs());
                vec![Finding::wrong("server", says, "try again; look at its status page")]
            }
        },
        Err(error) => address(&error),
    };
    Subject { name: name.0, findings }
}

/// Learners' forks of a workspace: into how many we are let, and what is missing where.
async fn forks(plan: &Plan, dialects: &Dialects, data: &Data, store: &Store) -> Subject {
    const ABOUT: &str = "forks";
    let name = format!("forks of {}", plan.works.repository);
    let connect = |plan: &Plan| {
        let workspace = workspace_name(&plan.works)?;
        dialects.connect(&plan.works, data.mirror(&workspace), store.clone())
    };
    let listed = match connect(plan) {
        Ok(forge) => forge.forks().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let finding = Finding::wrong(ABOUT, error, "let us see the workspace; then its forks can be listed");
            return Subject { name, findings: vec![finding] };
        }
    };
    let (mut usable, mut findings) = (0, Vec::new());
    for fork in &listed {
        let mut finding = match connect(&plan.of_fork(fork)) {
            Ok(forge) => match tokio::time::timeout(PATIENCE, forge.examine_rights()).await {
                Ok(finding) => finding,
                Err(_) => Finding::unknown(ABOUT, "the forge did not answer in time", "try again"),
            },
            Err(error) => Finding::wrong(ABOUT, error.to_string(), "correct it in the configuration"),
        };
        if finding.level == Level::Wrong {
            finding.says = format!("{}: {}", fork.repository, finding.says);
            // A learner's business, and no fault of the daemon's.
            finding.level = Level::Warning;
            findings.push(finding);
        } else {
            usable += 1;
        }
    }
    findings.insert(0, Finding::fine(ABOUT, format!("we may write to {usable} of {} forks", listed.len())));
    Subject { name, findings }
}

async fn machine(config: &Config, sandbox: &Sandbox, dialects: &Dialects) -> Vec<Finding> {
    let asked = sandbox.clone();
    let walls = match tokio::task::spawn_blocking(move || asked.check()).await {
        Ok(Ok(())) => Finding::fine("sandbox", "it starts and holds"),
        Ok(Err(error)) => {
            Finding::wrong("sandbox", error.to_string(), "docs/sandbox.md says what the kernel must offer")
        }
        Err(error) => Finding::wrong("sandbox", error.to_string(), "report this: it is a mistake of ours"),
    };
    vec![walls, room(&config.data), daemon(config, dialects).await]
}

/// Whether a directory can be written to, or made, and how much fits.
fn room(dir: &Path) -> Finding {
    const ABOUT: &str = "data";
    let there = dir.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    if let Err(error) = tempfile::tempfile_in(there) {
        let says = format!("cannot write to {}: {error}", there.display());
        return Finding::wrong(ABOUT, says, "name a directory as `data` that this user may write to");
    }
    let free =
        rustix::fs::statvfs(there).map(|there| there.f_bavail.saturating_mul(there.f_frsize)).unwrap_or_default();
    let says = format!("{}: {:.1} GiB are free", dir.display(), free as f64 / (1 << 30) as f64);
    if free < LITTLE { Finding::warning(ABOUT, says, "make room there") } else { Finding::fine(ABOUT, says) }
}

/// Whether a daemon answers where one is to listen.
async fn daemon(config: &Config, dialects: &Dialects) -> Finding {
    const ABOUT: &str = "daemon";
    let address = config.listen;
    if address.port() == 0 {
        return Finding::fine(ABOUT, "listens on a port that the system chooses");
    }
    let request = http::Request::get(format!("http://{address}/healthz")).body(Bytes::new());
    let answer = match request {
        Ok(request) => dialects.transport().send(request).await,
        Err(error) => return Finding::unknown(ABOUT, error.to_string(), "correct `listen`"),
    };
    let Ok(answer) = answer else {
        return Finding::fine(ABOUT, format!("none runs at {address}; `gradus serve` starts one"));
    };
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let says =
        format!("runs at {address}: {}", crate::review::safe::plain(&text.lines().collect::<Vec<_>>().join("; "), 500));
    match text.lines().next() {
        Some("ok") => Finding::fine(ABOUT, says),
        Some("degraded") => Finding::warning(ABOUT, says, "its log says why"),
        _ => {
            let says = format!("something else answers at {address}");
            Finding::wrong(ABOUT, says, "end it, or name another address as `listen`")
        }
    }
}
