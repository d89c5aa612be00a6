//! `gradus lint`: check courses or tasks without grading anything.

use std::process::ExitCode;

/// Check courses or tasks without grading anything
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus lint` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
