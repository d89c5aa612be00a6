//! `gradus start`: begin a task: branch, brief and files.

use std::process::ExitCode;

/// Begin a task: branch, brief and files
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus start` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
