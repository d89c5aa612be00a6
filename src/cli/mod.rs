//! The command line: one file per verb.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod address;
mod completions;
mod config;
mod diagnostics;
mod doctor;
mod ending;
mod explain;
mod grade;
mod gradebook;
mod grades;
mod lint;
mod live;
mod new;
mod output;
mod pause;
mod preview;
mod publish;
mod quarantine;
mod reconcile;
mod regrade;
mod schema;
mod serve;
mod snippet;
mod stack;
mod start;
mod subject;
mod target;
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

/// The configuration of a server unless another one is named.
const CONFIG: &str = "gradus.yaml";

/// What to type first, for each kind of user.
const FIRST_STEPS: &str = "\
First steps of everybody:
  gradus up                       a local forge, with the courses that are here

of a learner, in a clone of a workspace:
  gradus start TASK               branch, brief and files
  gradus grade                    what can be judged before you push

of an author:
  gradus new task courses/COURSE/DOMAIN/MODULE/TASK
  gradus watch TASK-DIRECTORY     grade on every save
  gradus test TASK                prove it: right answers pass, mistakes do not
  gradus explain TASK CHECKPOINT --on MUTANT
  gradus preview TASK --on MUTANT

of an operator:
  gradus config example > gradus.yaml
  gradus doctor, then gradus serve --dry-run, then gradus serve

Exit codes of grade and test: 0 all judged passed, 1 not, 2 the call or the
course is broken, 3 provisional.";

/// Courseware that lives in Git: learners work through pull requests, the grader answers with a review
#[derive(Debug, Parser)]
#[command(name = "gradus", version, after_help = FIRST_STEPS)]
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
    /// Show everybody's grades
    Grades(grades::Args),
    /// Stop trusting a checkpoint for a while, for everybody
    Quarantine(quarantine::Args),
    /// Show or apply what the courses as they are now would change
    Regrade(regrade::Args),
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
    /// Answer pull requests without a daemon, in a job of GitHub Actions
    Reconcile(reconcile::Args),
    /// Begin a task: branch, brief and files
    Start(start::Args),
    /// Show the values of a task for a learner
    Values(values::Args),
    /// Watch pull requests on GitHub, Gitea and Forgejo, grade every push and review it
    Serve(serve::Args),
    /// Run the real parts on this machine: API server, Argo CD, Gitea
    Stack(stack::Args),
    /// Find out whether `gradus serve` has what it needs: rights, budget, webhooks, clock
    Doctor(doctor::Args),
    /// Post nothing from now on; everything is graded all the same
    Pause(pause::Args),
    /// Post again, and what was held back first
    Resume(pause::Args),
    /// Print and check the configuration of `gradus serve`
    Config(config::Args),
    /// Print or write the JSON Schemas of all kinds
    Schema(schema::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// The whole command line, for completions.
fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments and runs the verb.
pub fn main() -> ExitCode {
    if let Some(code) = crate::sandbox::child::run_if_called() {
        return code;
    }
    match Cli::parse().verb {
        Verb::Up(args) => up::run(args),
        Verb::Grade(args) => grade::run(args),
        Verb::Grades(args) => grades::run(args),
        Verb::Quarantine(args) => quarantine::run(args),
        Verb::Regrade(args) => regrade::run(args),
        Verb::Watch(args) => watch::run(args),
        Verb::Test(args) => test::run(args),
        Verb::Lint(args) => lint::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Preview(args) => preview::run(args),
        Verb::New(args) => new::run(args),
        Verb::Publish(args) => publish::run(args),
        Verb::Reconcile(args) => reconcile::run(args),
        Verb::Start(args) => start::run(args),
        Verb::Values(args) => values::run(args),
        Verb::Serve(args) => serve::run(args),
        Verb::Stack(args) => stack::run(args),
        Verb::Doctor(args) => doctor::run(args),
        Verb::Pause(args) => pause::pause(args),
        Verb::Resume(args) => pause::resume(args),
        Verb::Config(args) => config::run(args),
        Verb::Schema(args) => schema::run(args),
        Verb::Completions(args) => completions::run(args),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_steps_fit_a_terminal_of_eighty_columns() {
        for line in super::FIRST_STEPS.lines() {
            assert!(line.chars().count() < 80, "{line}");
        }
    }

    #[test]
    fn the_command_line_is_consistent_and_completes_in_every_shell() {
        super::command().debug_assert();
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut super::command(), "gradus", &mut script);
            assert!(String::from_utf8_lossy(&script).contains("preview"), "{shell}");
        }
    }
}
