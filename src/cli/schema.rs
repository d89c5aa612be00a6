//! `gradus schema`: print or write the JSON Schemas of all kinds.

use std::process::ExitCode;

/// Print or write the JSON Schemas of all kinds
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: Args) -> ExitCode {
    eprintln!("error: `gradus schema` is not built yet");
    ExitCode::from(super::EXIT_USAGE)
}
