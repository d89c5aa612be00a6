//! Proves tasks where their live checkpoints look: every submission that comes with a task is pushed to a local forge by a learner
//! of its own, and judged by what its environment runs.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, oneshot};

use crate::checkpoint::outcome::Outcome;
use crate::cli::address::Named;
use crate::cli::ending;
use crate::cli::live::{Cluster, Place};
use crate::cli::up::Failure;
use crate::course::draw::Drawn;
use crate::course::id::Learner;
use crate::course::values::Scope;
use crate::course::{Course, CourseTask};
use crate::environment::Tier;
use crate::forge::Forge;
use crate::forge::pull::PullKey;
use crate::grade::proof::{self, Entry, Proof, Trial};
use crate::grade::report::Report;
use crate::reconcile::grader::Grading;
use crate::sandbox::{Launcher, Limits, Sandbox, Strictness};
use crate::server::App;
use crate::server::daemon::{Config, Daemon, Environing};
use crate::submission::sha::CommitId;
use crate::submission::tree::{Entry as File, Tree};

/// Namespaces that are filled at the same time.
const NAMESPACES: usize = 4;

/// How long one submission may take until it is judged for good, from its push on.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often one looks whether it is.
const PAUSE: Duration = Duration::from_millis(250);

/// Proves these tasks of the courses in `dirs`, with at most so many API servers of learners' own at once, and these servers
/// to ask.
pub(super) fn prove(
    dirs: Vec<PathBuf>,
    tasks: &[(&Course, &CourseTask)],
    planes: NonZeroUsize,
    addresses: Vec<Named>,
) -> Result<Vec<Proof>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let dir = tempfile::Builder::new().prefix("gradus-proof-").tempdir()?;
        let launcher = Launcher::new(std::env::current_exe()?, Strictness::BestEffort, Limits::default());
        launcher.check()?;
        let daemon = Daemon::open(Config {
            courses: dirs,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: dir.path().join("data"),
            learner: "proof".parse()?,
            instructor: None,
            sandbox: Sandbox::Child(launcher),
            live: Environing::Later,
            patience: Duration::from_secs(10),
        })
        .await?;
        let asked = ending::asked()?;
        let app = daemon.app().clone();
        let environments = daemon.environments().cloned().ok_or("this daemon has no environments")?;
        // In the same directory, which goes with all that is in it.
        let place = Place::stack(dir.path().join("s"), dir.path(), planes);
        let mut cluster = place.begin(environments, addresses, app.stopping.clone());
        let (end, ended) = oneshot::channel::<()>();
        let until = async move { drop(ended.await) };
        let work = async {
            let proofs = tokio::select! {
                proofs = every(&app, &mut cluster, dir.path(), tasks, planes) => proofs,
                () = asked => Err("stopped before everything was judged".into()),
            };
            drop(end);
            proofs
        };
        let (proofs, ()) = tokio::join!(work, daemon.serve(until));
        cluster.end().await;
        proofs
    })
}

async fn every(
    app: &App,
    cluster: &mut Cluster,
    dir: &Path,
    tasks: &[(&Course, &CourseTask)],
    planes: NonZeroUsize,
) -> Result<Vec<Proof>, Failure> {
    if !cluster.ready().await {
        return Err("there are no environments, so nothing can be proven in them: see above".into());
    }
    let mut proofs = Vec::new();
    for (course, task) in tasks {
        let shared = task.task.environment.as_ref().is_none_or(|environment| environment.tier == Tier::Namespace);
        let places = Semaphore::new(if shared { NAMESPACES } else { planes.get() });
        let drawn = draw(course, task, &learner(0)?)?;
        let reports = (0..proof::submissions(&drawn).count()).map(|number| {
            let places = &places;
            async move {
                let _place = places.acquire().await?;
                judged(app, dir, course, task, number).await
            }
        });
        let reports: BTreeMap<Entry, Report> = try_join_all(reports).await?.into_iter().collect();
        let fails =
            drawn.mutants.iter().map(|(name, mutant)| (name.clone(), mutant.fails.iter().cloned().collect())).collect();
        let trial = Trial { number: 0, values: drawn.values, checkpoints: drawn.task.checkpoints, fails, reports };
        proofs.push(proof::judge(&task.task, &[Ok(trial)]));
    }
    Ok(proofs)
}

fn learner(number: usize) -> Result<Learner, Failure> {
    Ok(format!("proof-{number}").parse()?)
}

fn draw(course: &Course, task: &CourseTask, learner: &Learner) -> Result<Drawn, Failure> {
    let words = |problems: Vec<_>| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!("the task `{}` cannot be drawn: {}", task.task.id, all.join("; "))
    };
    Ok(task.draw_with_answers(course, &Scope::Learner(learner.clone())).map_err(words)?)
}

/// Pushes the submission of this number and waits for its report.
async fn judged(
    app: &App,
    dir: &Path,
    course: &Course,
    task: &CourseTask,
    number: usize,
) -> Result<(Entry, Report), Failure> {
    let (learner, begun) = (learner(number)?, Instant::now());
    let drawn = draw(course, task, &learner)?;
    let own = proof::submissions(&drawn).nth(number).ok_or("the task has fewer submissions with other values")?;
    let mut files = own.files.clone();
    if own.entry == Entry::Starter {
        // A push has to bring something, if nothing that counts.
        files.insert_file("notes-of-the-proof.md", &b"Nothing.\n"[..]);
    }
    let subject = own.commits.and_then(<[_]>::first).map_or("Solve the task", |commit| commit.message.as_str());
    let clone = dir.join(format!("{}-{number}", task.task.id));
    let head = push(app, course, task, &learner, &clone, &files, subject).await?;
    let report = loop {
        if let Some(report) = report(app, &learner, &head, begun.elapsed() < PATIENCE).await? {
            break report;
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{} of `{}` was not judged within {PATIENCE:?}", own.entry, task.task.id).into());
        }
        tokio::time::sleep(PAUSE).await;
    };
    eprintln!("  {}: {} judged after {:.0} s", task.task.id, own.entry, begun.elapsed().as_secs_f32());
    for checkpoint in report.checkpoints.iter().filter(|checkpoint| checkpoint.outcome != Outcome::Pass) {
        let seen = checkpoint.evidence.first().map(|evidence| format!(": {}", evidence.message)).unwrap_or_default();
        eprintln!("    {}: {}{seen}", checkpoint.id, checkpoint.outcome.word());
    }
    Ok((own.entry, report))
}

/// The report of a head once there is one; while there is time, one that nothing is open in.
async fn report(app: &App, learner: &Learner, head: &CommitId, patient: bool) -> Result<Option<Report>, Failure> {
    let pulls = app.forge.pulls().await?;
    let Some(pull) = pulls.into_iter().find(|pull| pull.learner() == learner && pull.head == *head) else {
        return Ok(None);
    };
    let key = PullKey { workspace: app.forge.workspace().clone(), number: pull.number };
    let state = app.store.grading_state(&key, head).await?;
    if state.is_none_or(|state| state.provisional && patient) {
        return Ok(None);
    }
    let grading: Option<Grading> = app.store.grading(&key, head).await?;
    Ok(grading.and_then(|grading| grading.tasks.into_iter().next()).map(|graded| graded.report))
}

/// Commits the files as the task's and pushes them to a branch of the task's name.
async fn push(
    app: &App,
    course: &Course,
    task: &CourseTask,
    learner: &Learner,
    clone: &Path,
    files: &Tree,
    subject: &str,
) -> Result<CommitId, Failure> {
    let id = &task.task.id;
    let address = format!("{}/git/{learner}/{}.git", app.address, course.id);
    git(app, None, &["clone", "--quiet", &address, &clone.to_string_lossy()]).await?;
    let below = clone.join(id.dir());
    tokio::fs::remove_dir_all(&below).await?;
    for (path, entry) in files.iter() {
        let File::File { bytes, .. } = entry else { continue };
        let path = below.join(path);
        tokio::fs::create_dir_all(path.parent().unwrap_or(&below)).await?;
        tokio::fs::write(path, bytes).await?;
    }
    git(app, Some(clone), &["add", "--all"]).await?;
    let who = ["-c", "user.name=proof", "-c", "user.email=proof@localhost"];
    git(app, Some(clone), &[&who[..], &["commit", "--quiet", "-m", subject]].concat()).await?;
    let head = git(app, Some(clone), &["rev-parse", "HEAD"]).await?;
    git(app, Some(clone), &["push", "--quiet", "origin", &format!("HEAD:refs/heads/{id}")]).await?;
    Ok(head.trim().parse()?)
}

async fn git(app: &App, dir: Option<&Path>, args: &[&str]) -> Result<String, Failure> {
    let mut command = app.git.command();
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    let output = command.args(args).output().await?;
    if !output.status.success() {
        return Err(format!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
