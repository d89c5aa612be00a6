//! `gradus values`: show the values of a task for a learner.

use std::process::ExitCode;

/// Show the values of a task for a learner
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus values` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
