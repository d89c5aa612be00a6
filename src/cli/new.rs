//! `gradus new`: start a course or a task from a skeleton that passes `gradus test`.

use std::process::ExitCode;

/// Start a course or a task from a skeleton that passes `gradus test`
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus new` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
