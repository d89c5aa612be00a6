//! `gradus grade`: grade a working tree, a commit or a task directory.

use std::process::ExitCode;

/// Grade a working tree, a commit or a task directory
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus grade` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
