//! `gradus explain`: show how a checkpoint comes to its verdict.

use std::process::ExitCode;

/// Show how a checkpoint comes to its verdict
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus explain` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
