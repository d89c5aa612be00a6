//! `gradus up`: start everything on this machine: local forge, grader and pages.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};

use crate::course::id::{CourseId, Learner};
use crate::forge::local::LocalForge;
use crate::forge::local::data::DataDir;
use crate::forge::local::fork::Fork;
use crate::forge::local::git::Git;
use crate::reconcile::pulse::Pulse;
use crate::server::{App, Shared, hooks, router, upstream};
use crate::store::Store;
use crate::store::time::SystemClock;
use crate::submission::tree::Tree;

/// Where `up` listens unless told otherwise: fixed, so that clones keep working after a restart.
pub const ADDRESS: &str = "127.0.0.1:7421";

/// Start everything on this machine: local forge, grader and pages
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Course directories; without any, all of `./courses`
    #[arg(long, value_name = "DIR", num_args = 1..)]
    course: Vec<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = ADDRESS, env = "GRADUS_LISTEN")]
    listen: SocketAddr,
    /// Where forks, reviews and the gradebook are kept; by default `gradus` in your data directory
    #[arg(long, value_name = "DIR", env = "GRADUS_DATA")]
    data: Option<PathBuf>,
    /// Your name in addresses and in the gradebook; by default your name on this machine
    #[arg(long, value_name = "NAME", env = "GRADUS_LEARNER")]
    learner: Option<Learner>,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("GRADUS_LOG").unwrap_or_else(|_| "warn".into()))
        .init();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(up(args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(super::EXIT_USAGE)
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn up(args: Args) -> Result<(), Failure> {
    let learner = args.learner.unwrap_or_else(user);
    let data =
        args.data.or_else(data_home).ok_or("there is no home directory: name a data directory with `--data DIR`")?;
    let data = Arc::new(DataDir::open(&data, &std::env::current_exe()?)?);
    let git = Git::find(&data.hooks(), data.socket())?;
    let store = Store::open(&data.database()).await?;
    store.break_leases().await?;

    let mut courses: Vec<CourseId> = Vec::new();
    for dir in course_dirs(args.course)? {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let course: CourseId = name.parse()?;
        upstream::publish(&starters(&dir)?, &data.upstream(&course))?;
        courses.push(course);
    }
    let set: BTreeSet<_> = courses.iter().cloned().collect();
    for (learner, course) in data.forks()? {
        if set.contains(&course) {
            Fork { data: &data, learner: &learner, course: &course }.fast_forward()?;
        }
    }

    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}; is another `gradus up` running? `--listen 127.0.0.1:0` takes a free port",
            args.listen
        )
    })?;
    let address = format!("http://{}", listener.local_addr()?);
    let socket = UnixListener::bind(data.socket())?;
    let forge = LocalForge::new(data.clone(), store.clone(), Arc::new(SystemClock), set);
    let app = App::new(Shared {
        forge,
        git,
        store: store.clone(),
        pulse: Pulse::default(),
        learner: learner.clone(),
        address: address.clone(),
        courses: courses.clone(),
    });
    let hooks = tokio::spawn(hooks::serve(app.clone(), socket));

    let mut out = std::io::stdout().lock();
    writeln!(out, "listening {address}")?;
    for course in &courses {
        writeln!(out, "git clone {address}/git/{learner}/{course}.git")?;
    }
    out.flush()?;
    drop(out);

    axum::serve(listener, router(app)).with_graceful_shutdown(stop()).await?;
    hooks.abort();
    store.close().await;
    Ok(())
}

async fn stop() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn course_dirs(named: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    if !named.is_empty() {
        return Ok(named);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("courses")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    found.retain(|dir| dir.join("course.yaml").is_file());
    found.sort();
    if found.is_empty() {
        return Err("there is no course in `./courses`: name course directories with `--course DIR`".into());
    }
    Ok(found)
}

fn starters(course: &std::path::Path) -> Result<Tree, Failure> {
    let mut tree = Tree::default();
    tree.insert_file("README.md", *b"# Workspace\n");
    let mut dirs = vec![course.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if let Ok(inner) = path.strip_prefix(course)
                && let Some((before, after)) = inner.to_string_lossy().split_once("/starter/")
                && let Some((_, task)) = before.rsplit_once('/')
            {
                tree.insert_file(format!("tasks/{task}/{after}"), std::fs::read(&path)?);
            }
        }
    }
    Ok(tree)
}

/// The user's name on this machine as a learner's name, else `you`.
fn user() -> Learner {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    learner_from(&name)
}

fn learner_from(name: &str) -> Learner {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(plain).take(crate::course::id::MAX_ID).collect();
    name.trim_matches('-').parse().unwrap_or_else(|_| "you".parse().expect("`you` is a name"))
}

/// `gradus` in the user's data directory (XDG).
fn data_home() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(home.join("gradus"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
