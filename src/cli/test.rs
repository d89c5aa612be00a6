//! `gradus test`: prove the checkpoints of courses or tasks: solutions pass, mutants fail where they must.

use std::process::ExitCode;

/// Prove the checkpoints of courses or tasks: solutions pass, mutants fail where they must
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus test` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
