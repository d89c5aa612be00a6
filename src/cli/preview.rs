//! `gradus preview`: show the review that a learner would get.

use std::process::ExitCode;

/// Show the review that a learner would get
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus preview` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
