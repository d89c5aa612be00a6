//! `gradus publish`: write the workspace that learners fork.

use std::process::ExitCode;

/// Write the workspace that learners fork
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus publish` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
