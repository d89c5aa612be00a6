//! `gradus up`: start everything on this machine: local forge, grader and pages.

use std::process::ExitCode;

/// Start everything on this machine: local forge, grader and pages
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus up` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
