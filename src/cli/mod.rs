//! The command line: one file per verb.

use std::process::ExitCode;

use clap::Parser;

mod diagnostics;
mod explain;
mod grade;
mod lint;
mod new;
mod output;
mod preview;
mod publish;
mod schema;
mod snippet;
mod start;
mod subject;
mod test;
mod trouble;
mod up;
mod values;
mod watch;

/// Everything judged passed.
pub const EXIT_PASS: u8 = 0;
/// Something judged did not pass.
pub const EXIT_FAIL: u8 = 1;
/// The call or the course is broken.
pub const EXIT_USAGE: u8 = 2;
/// The result is provisional.
pub const EXIT_PROVISIONAL: u8 = 3;

/// Courseware that lives in Git: learners work through pull requests, the grader answers with a review
#[derive(Debug, Parser)]
#[command(name = "gradus", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Start everything on this machine: local forge, grader and pages
    Up(up::Args),
    /// Grade a working tree, a commit or a task directory
    Grade(grade::Args),
    /// Grade again whenever a file changes
    Watch(watch::Args),
    /// Prove the checkpoints of courses or tasks: solutions pass, mutants fail where they must
    Test(test::Args),
    /// Check courses or tasks without grading anything
    Lint(lint::Args),
    /// Show how a checkpoint comes to its verdict
    Explain(explain::Args),
    /// Show the review that a learner would get
    Preview(preview::Args),
    /// Start a course or a task from a skeleton that passes `gradus test`
    New(new::Args),
    /// Write the workspace that learners fork
    Publish(publish::Args),
    /// Begin a task: branch, brief and files
    Start(start::Args),
    /// Show the values of a task for a learner
    Values(values::Args),
    /// Print or write the JSON Schemas of all kinds
    Schema(schema::Args),
}

/// Parses the arguments and runs the verb.
pub fn main() -> ExitCode {
    if let Some(code) = crate::sandbox::child::run_if_called() {
        return code;
    }
    // Git calls this program under its hooks' names.
    if let Some(code) = crate::forge::local::hook::main_if_hook() {
        return code;
    }
    match Cli::parse().verb {
        Verb::Up(args) => up::run(args),
        Verb::Grade(args) => grade::run(args),
        Verb::Watch(args) => watch::run(args),
        Verb::Test(args) => test::run(args),
        Verb::Lint(args) => lint::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Preview(args) => preview::run(args),
        Verb::New(args) => new::run(args),
        Verb::Publish(args) => publish::run(args),
        Verb::Start(args) => start::run(args),
        Verb::Values(args) => values::run(args),
        Verb::Schema(args) => schema::run(args),
    }
}
