//! `gradus up`: start everything on this machine: local forge, grader and pages.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::address::Named;
use super::trouble::Trouble;
use crate::config;
use crate::course::id::{Learner, MAX_ID};
use crate::reconcile::courses::OpenError;
use crate::sandbox::{Launcher, Limits, Sandbox, Strictness};
use crate::server::App;
use crate::server::daemon::{Config, Daemon, DaemonError, Environing};

/// Where `up` listens unless told otherwise: fixed, so that clones keep working after a restart.
pub const ADDRESS: &str = "127.0.0.1:7421";

/// Start everything on this machine: local forge, grader and pages
///
/// Prints its address alone on the first line, then what to clone and the first task to try. Push a branch and the
/// result stands in the push's own output; the page it names has the whole review.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Course directories; without any, all of `./courses`
    #[arg(long, value_name = "DIR", num_args = 1..)]
    course: Vec<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = ADDRESS, env = "GRADUS_LISTEN", value_parser = address)]
    listen: SocketAddr,
    /// Listen on an address that other machines reach: whoever can connect can push in any name
    #[arg(long, env = "GRADUS_ALLOW_REMOTE")]
    allow_remote: bool,
    /// Where forks, reviews and the gradebook are kept; by default `gradus` in your data directory
    #[arg(long, value_name = "DIR", env = "GRADUS_DATA")]
    data: Option<PathBuf>,
    /// Your name in addresses and in the gradebook; by default your name on this machine
    #[arg(long, value_name = "NAME", env = "GRADUS_LEARNER")]
    learner: Option<Learner>,
    /// Somebody else's name who may also comment on every pull request and decides there, by `/waive`, `/extend` and
    /// `/override`
    #[arg(long, value_name = "NAME", env = "GRADUS_INSTRUCTOR")]
    instructor: Option<Learner>,
    /// Run learners' commits: with an API server and an Argo CD of its own on this machine, which are built at the first
    /// time; tasks without an environment can be worked on meanwhile
    #[arg(long)]
    live: bool,
    /// With `--live`: so many API servers of learners' own at once, for tasks that need one; each takes 500 MB
    #[arg(long, value_name = "N", requires = "live", default_value = "2")]
    control_planes: std::num::NonZeroUsize,
    /// With `--live`: an existing cluster with an Argo CD instead, which must reach the address that `--listen` names
    #[arg(long, value_name = "FILE", requires = "live")]
    kubeconfig: Option<PathBuf>,
    /// With `--live`: a server that tasks may ask by this name, as a Prometheus that watches the environments
    #[arg(long, value_name = "NAME=URL", requires = "live")]
    address: Vec<Named>,
    /// So many seconds a push waits for its reviews; for tests, on machines that are slower than a learner is patient
    #[arg(long, value_name = "SECONDS", hide = true, default_value = "10")]
    push_waits: u64,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("GRADUS_LOG").unwrap_or_else(|_| "warn".into()))
        .init();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(up(args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => tell(error),
    }
}

/// A broken course is shown with its lines, anything else is a sentence.
fn tell(error: Failure) -> ExitCode {
    let error = match error.downcast::<DaemonError>() {
        Ok(error) => match *error {
            DaemonError::Course(OpenError::Locate(error)) => return Trouble::from(error).tell(),
            other => other.into(),
        },
        Err(error) => error,
    };
    eprintln!("error: {error}");
    ExitCode::from(super::EXIT_USAGE)
}

pub(in crate::cli) type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn up(args: Args) -> Result<(), Failure> {
    reachable(args.listen, args.allow_remote)?;
    let learner = args.learner.unwrap_or_else(user);
    deciding(args.instructor.as_ref(), &learner, args.listen)?;
    let data =
        args.data.or_else(data_home).ok_or("there is no home directory: name a data directory with `--data DIR`")?;
    let program = std::env::current_exe()?;
    // One's own machine and one's own files: where the kernel offers less, the limits on processes stay.
    let launcher = Launcher::new(program, Strictness::BestEffort, Limits::default());
    if let Some(gap) = launcher.check()?.gap() {
        eprintln!("note: {gap}");
    }
    let live = args.live.then(|| super::live::Place::new(args.kubeconfig, &data, args.control_planes));
    let daemon = Daemon::open(Config {
        courses: course_dirs(args.course)?,
        listen: args.listen,
        data,
        learner,
        instructor: args.instructor,
        sandbox: Sandbox::Child(launcher),
        live: if live.is_some() { Environing::Later } else { Environing::No },
        patience: Duration::from_secs(args.push_waits),
    })
    .await?;
    // Before the first line: whoever reads it may send a signal at once.
    let stop = super::ending::asked()?;
    greet(daemon.app())?;
    let cluster = match (live, daemon.environments()) {
        (Some(place), Some(environments)) => {
            Some(place.begin(environments.clone(), args.address, daemon.app().stopping.clone()))
        }
        _ => None,
    };
    daemon.serve(stop).await;
    if let Some(cluster) = cluster {
        cluster.end().await;
    }
    Ok(())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    config::address::address(text, ADDRESS.parse().expect("written above"))
}

/// Single-user means that nobody is asked who they are: only this machine may connect, unless told otherwise.
fn reachable(listen: SocketAddr, allow_remote: bool) -> Result<(), Failure> {
    if listen.ip().is_loopback() || allow_remote {
        return Ok(());
    }
    let port = listen.port();
    Err(format!(
        "`--listen {listen}` lets other machines connect, and whoever can connect can push in any name: use \
         `--listen 127.0.0.1:{port}`, or add `--allow-remote` if all who can reach this machine may do that"
    )
    .into())
}

/// Nobody is asked who they are: an instructor is there for one person to try both sides, and for nothing else.
fn deciding(instructor: Option<&Learner>, learner: &Learner, listen: SocketAddr) -> Result<(), Failure> {
    let Some(instructor) = instructor else { return Ok(()) };
    if instructor == learner {
        return Err(format!(
            "`--instructor {instructor}` is the learner at this machine, who would decide about their own work: give the \
             instructor another name, or the learner one by `--learner NAME`"
        )
        .into());
    }
    if !listen.ip().is_loopback() {
        return Err(format!(
            "`--instructor {instructor}` on `--listen {listen}`: whoever can connect could decide in that name; listen on \
             127.0.0.1, or leave it out"
        )
        .into());
    }
    Ok(())
}

/// The address alone on its line, what to clone, and what to do first.
fn greet(app: &App) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening {}", app.address)?;
    for course in &app.order {
        writeln!(out, "git clone {}/git/{}/{course}.git", app.address, app.learner)?;
    }
    let first = app.courses().find_map(|course| Some((&course.course.id, &course.tasks().next()?.task)));
    if let Some((course, task)) = first {
        writeln!(out, "first task: {}, {}/courses/{course}/tasks/{}", task.title, app.address, task.id)?;
    }
    out.flush()?;
    if let Some(instructor) = app.forge.instructor() {
        eprintln!("note: {instructor} is the instructor here: comment as {instructor} on the page of a pull request");
    }
    eprintln!("note: single-user: whoever can reach this address can push in any name; stop with Ctrl-C");
    Ok(())
}

pub(super) fn course_dirs(named: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    if !named.is_empty() {
        return Ok(named);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("courses")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    found.retain(|dir| dir.join("course.yaml").is_file());
    // The course for newcomers stands first.
    found.sort_by_key(|dir| (!dir.ends_with("hello"), dir.clone()));
    if found.is_empty() {
        return Err("there is no course in `./courses`: name course directories with `--course DIR`".into());
    }
    Ok(found)
}

/// The user's name on this machine as a learner's name, else `you`.
fn user() -> Learner {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    learner_from(&name)
}

fn learner_from(name: &str) -> Learner {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(plain).take(MAX_ID).collect();
    name.trim_matches('-').parse().unwrap_or_else(|_| "you".parse().expect("`you` is a name"))
}

/// `gradus` in the user's data directory (XDG).
pub(super) fn data_home() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(home.join("gradus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_connect_only_when_it_is_said_aloud() {
        for local in ["127.0.0.1:7421", "127.8.8.8:0", "[::1]:7421"] {
            assert!(reachable(local.parse().unwrap(), false).is_ok(), "{local}");
        }
        for open in ["0.0.0.0:7421", "192.168.1.7:80", "[::]:7421", "[2001:db8::1]:7421"] {
            let error = reachable(open.parse().unwrap(), false).unwrap_err().to_string();
            assert!(error.contains("--allow-remote") && error.contains("127.0.0.1:"), "{error}");
            assert!(reachable(open.parse().unwrap(), true).is_ok(), "{open}");
        }
    }

    #[test]
    fn an_instructor_is_somebody_else_on_a_machine_that_nobody_else_reaches() {
        let (grace, ada): (Learner, Learner) = ("grace".parse().unwrap(), "ada".parse().unwrap());
        let says = |who: Option<&Learner>, listen: &str| {
            deciding(who, &ada, listen.parse().unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(says(Some(&grace), "127.0.0.1:7421"), Ok(()));
        assert_eq!(says(None, "0.0.0.0:7421"), Ok(()));
        assert!(says(Some(&ada), "127.0.0.1:7421").unwrap_err().contains("about their own work"));
        assert!(says(Some(&grace), "0.0.0.0:7421").unwrap_err().contains("decide in that name"));
    }

    #[test]
    fn every_user_name_becomes_a_learner() {
        for (user, learner) in [
            ("ada", "ada"),
            ("Ada.Lovelace", "ada-lovelace"),
            ("", "you"),
            ("_", "you"),
            ("日本", "you"),
            ("_www", "www"),
        ] {
            assert_eq!(learner_from(user).as_str(), learner);
        }
        assert_eq!(learner_from(&"x".repeat(80)).as_str().len(), 63);
    }
}
