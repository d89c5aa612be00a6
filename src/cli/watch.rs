//! `gradus watch`: grade again whenever a file changes.

use std::process::ExitCode;

/// Grade again whenever a file changes
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus watch` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
