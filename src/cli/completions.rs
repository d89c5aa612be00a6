//! `gradus completions`: print completions for a shell.

use std::process::ExitCode;

use clap_complete::Shell;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Try it in this shell:\n  source <(gradus completions bash)")]
pub struct Args {
    /// Which shell
    shell: Shell,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    clap_complete::generate(args.shell, &mut super::command(), "gradus", &mut std::io::stdout());
    ExitCode::from(super::EXIT_PASS)
}
