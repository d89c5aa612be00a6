//! `gradus serve`: watch pull requests on forges that are not ours.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::trouble;
use crate::config::Loaded;
use crate::config::reload::Pace;
use crate::sandbox::{Sandbox, Strictness};
use crate::server::serve::connect::Dialects;
use crate::server::serve::daemon::{Daemon, Options};
use crate::server::serve::engine::FirstSync;
use crate::store::time::SystemClock;

/// Watch pull requests on GitHub, Gitea and Forgejo, grade every push and review it
///
/// Prints its address alone on the first line once it is ready; the log goes to standard error. Changes of the configuration, of secrets and of learners' files
/// are taken over while it runs. Several daemons may share a store. See docs/github.md.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration; `gradus config example` prints one to begin with
    #[arg(long, value_name = "FILE", default_value = super::CONFIG, env = "GRADUS_CONFIG")]
    config: PathBuf,
    /// Grade everything and print what would be written, and write nothing; store and gradebook are copied
    #[arg(long)]
    dry_run: bool,
    /// Begin although the store knows nothing of a workspace that has many open pull requests
    #[arg(long)]
    first_sync: bool,
    /// How the log is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "GRADUS_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    log(args.log_format);
    let loaded = match super::config::read(&args.config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(serve(args, loaded)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trouble::fail(&*error),
    }
}

fn log(format: LogFormat) {
    let filter =
        || tracing_subscriber::EnvFilter::try_from_env("GRADUS_LOG").unwrap_or_else(|_| "warn,gradus=info".into());
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter());
    match format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn serve(args: Args, loaded: Loaded) -> Result<(), Failure> {
    let dry_run = args.dry_run || loaded.config.dry_run;
    let options = Options {
        path: args.config,
        loaded,
        env: Arc::new(super::config::environment),
        pace: Pace::default(),
        first_sync: if args.first_sync { FirstSync::Meant } else { FirstSync::Ask },
        dry_run: dry_run.then(|| Arc::new(tell) as _),
        // Other people's work: walled in, or not at all.
        sandbox: Sandbox::this_program(Strictness::Required)?,
    };
    let daemon = Daemon::open(options, Dialects::new(Arc::new(SystemClock))?).await?;
    // Before the first line: whoever reads it may send a signal at once.
    let stop = super::ending::asked()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening http://{}", daemon.address())?;
    out.flush()?;
    drop(out);
    daemon.serve(stop).await;
    Ok(())
}

/// Prints what a dry run would write; whoever reads it may have seen enough.
fn tell(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
