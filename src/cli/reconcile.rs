//! `gradus reconcile --once`: answer pull requests without a daemon, in a job of GitHub Actions.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::EXIT_USAGE;
use super::output::annotation::{Level, command};
use super::output::once::{annotations, left, lines, summary};
use crate::checkpoint::evidence::Place;
use crate::config::span::Span;
use crate::course::locate::LocateError;
use crate::forge::pull::PullNumber;
use crate::reconcile::courses::OpenError;
use crate::reconcile::once::Outcome;
use crate::sandbox::{Sandbox, Strictness};
use crate::server::once::environment::{Job, JobError, event};
use crate::server::once::event::{Event, Ground, Target};
use crate::server::once::run::{OnceError, Order, run as work};

/// Answer pull requests without a daemon, in a job of GitHub Actions
///
/// The daemon's own work on a store that lives as long as the job: earlier attempts are read back from our own reviews.
/// Reads GITHUB_API_URL, GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_TOKEN, GITHUB_EVENT_NAME, GITHUB_EVENT_PATH,
/// GITHUB_STEP_SUMMARY, RUNNER_TEMP, and GRADUS_KEY, which seals the markers of reviews.
///
/// Exit code: 0 everything is answered, 1 something is left and the log says what, 2 the call, the course or the
/// environment is broken.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Once, then end; `gradus serve` goes on for ever
    #[arg(long, required = true)]
    once: bool,
    /// Directory of the course, or of a checkout of the published workspace for what everybody may see
    #[arg(long, value_name = "DIR")]
    course: PathBuf,
    /// Look at this pull request, whatever started the job
    #[arg(long, value_name = "N")]
    pull: Option<PullNumber>,
    /// How far back all recent pull requests reach
    #[arg(long, value_name = "DURATION", default_value = "4d")]
    since: Span,
    /// After this time nothing more is begun
    #[arg(long, value_name = "DURATION", default_value = "8m")]
    within: Span,
    /// Where pull requests are: in the workspace, or in a repository of the learner's own
    #[arg(long, value_enum, default_value_t = Where::Upstream)]
    pull_requests: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    Upstream,
    Fork,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let hush = Hush::begin();
    // One stream, so that nothing gets before or behind the lines that hush it.
    tracing_subscriber::fmt()
        .with_writer(std::io::stdout)
        .with_ansi(false)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("GRADUS_LOG").unwrap_or_else(|_| "warn".into()))
        .init();
    let began = Instant::now();
    let result = reconcile(args);
    let took = began.elapsed();
    match result {
        Ok(Answer::Nothing(why)) => {
            println!("nothing to do: {why}");
            ExitCode::SUCCESS
        }
        Ok(Answer::Done { outcomes, pulls }) => {
            print!("{}", lines(&outcomes, took));
            hush.end();
            if in_actions() {
                print!("{}", annotations(&outcomes));
            }
            if let Err(error) = summarise(&summary(&outcomes, &pulls, took)) {
                println!("note: cannot write the step's summary: {error}");
            }
            if outcomes.iter().any(|outcome| left(outcome).is_some()) { EXIT_LEFT.into() } else { ExitCode::SUCCESS }
        }
        Err(failure) => {
            hush.end();
            let text = failure.to_string();
            match in_actions() {
                true => print!("{}", command(Level::Error, &Place::default(), "gradus", &text)),
                false => eprintln!("error: {text}"),
            }
            failure.code()
        }
    }
}

/// Something is left.
const EXIT_LEFT: u8 = super::EXIT_FAIL;

enum Answer {
    Nothing(&'static str),
    Done { outcomes: Vec<Outcome>, pulls: String },
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Once(#[from] OnceError),
    /// Nothing of a broken course is shown: everybody reads this log, and its files say what is hidden.
    #[error("the course in {} is broken: {problems} problems, which `gradus lint` shows there", dir.display())]
    Course { dir: PathBuf, problems: usize },
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Failure::Once(error) if !error.is_configuration() => EXIT_LEFT.into(),
            _ => EXIT_USAGE.into(),
        }
    }
}

fn reconcile(args: Args) -> Result<Answer, Failure> {
    let env = |name: &str| std::env::var(name).ok();
    let job = Job::read(&env)?;
    let asked = match args.pull {
        Some(number) => Event { target: Target::One(number), ground: Ground::Workspace },
        None => event(&env)?,
    };
    let pull = match asked.target {
        Target::One(number) => Some(number),
        Target::Recent => None,
        Target::Nothing(why) => return Ok(Answer::Nothing(why)),
    };
    let ground = if args.pull_requests == Where::Fork { Ground::Fork } else { asked.ground };
    let order = Order {
        course: args.course,
        pull,
        ground,
        since: args.since.0,
        within: args.within.0,
        sandbox: Sandbox::this_program(Strictness::Required)?,
    };
    let dir = order.course.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcomes = runtime.block_on(work(&job, order)).map_err(|error| discreet(error, dir))?;
    Ok(Answer::Done { outcomes, pulls: job.pulls() })
}

/// An error without anything that a course's files say.
fn discreet(error: OnceError, dir: PathBuf) -> Failure {
    let problems = match &error {
        OnceError::Course(OpenError::Locate(LocateError::Broken { problems, .. })) => problems.len(),
        OnceError::Course(OpenError::Broken(problems)) => problems.len(),
        _ => return error.into(),
    };
    Failure::Course { dir, problems }
}

fn in_actions() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Adds to the step's summary where there is one.
fn summarise(text: &str) -> std::io::Result<()> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    std::fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

/// While this is there, the runner takes no line for a command: what a forge answers may hold anything.
struct Hush(Option<String>);

impl Hush {
    fn begin() -> Self {
        let token = in_actions().then(|| {
            // Keyed by the system's randomness: nobody can write the line that ends it.
            let word = || RandomState::new().build_hasher().finish();
            format!("{:016x}{:016x}", word(), word())
        });
        if let Some(token) = &token {
            println!("::stop-commands::{token}");
        }
        Self(token)
    }

    fn end(self) {
        drop(self);
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        if let Some(token) = &self.0 {
            println!("::{token}::");
        }
    }
}
