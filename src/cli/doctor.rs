//! `gradus doctor`: is everything there that `gradus serve` needs?

mod before;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::trouble;
use crate::config::Loaded;
use crate::forge::examine::Level;
use crate::sandbox::{Sandbox, Strictness};
use crate::server::serve::connect::Dialects;
use crate::server::serve::doctor::{Subject, examine};
use crate::store::time::SystemClock;

/// Find out whether `gradus serve` has what it needs: rights, budget, webhooks, clock
///
/// Reads the configuration with its secrets, then asks this machine and each forge. Nothing is changed anywhere; it may run beside a daemon. Of a Gitea, whose
/// tokens do not tell what they may, two changes of a pull request 0 are asked for, which cannot be there.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong, 1 something is, 2 the configuration cannot be used.",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    about: Option<About>,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = super::CONFIG, env = "GRADUS_CONFIG")]
    config: PathBuf,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum About {
    Argocd(before::Args),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line for each thing that was looked at, and what to do below
    Text,
    /// A list of what was looked at
    Json,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    if let Some(About::Argocd(args)) = args.about {
        return before::run(&args);
    }
    let loaded = match super::config::read(&args.config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(look(&loaded, args.format)));
    let subjects = match result {
        Ok(subjects) => subjects,
        Err(error) => return trouble::fail(&*error),
    };
    let wrong = count(&subjects, Level::Wrong);
    match args.format {
        Format::Text => println!("{}", summary(&subjects)),
        Format::Json => match serde_json::to_string_pretty(&subjects) {
            Ok(text) => println!("{text}"),
            Err(error) => return trouble::fail(&error),
        },
    }
    ExitCode::from(if wrong == 0 { super::EXIT_PASS } else { super::EXIT_FAIL })
}

async fn look(loaded: &Loaded, format: Format) -> Result<Vec<Subject>, Box<dyn std::error::Error + Send + Sync>> {
    let dialects = Dialects::new(Arc::new(SystemClock))?;
    let sandbox = Sandbox::this_program(Strictness::Required)?;
    let mut subjects = Vec::new();
    let tell = |subject: Subject| {
        // At once: a forge may take its time.
        if format == Format::Text {
            print!("{}", text(&subject));
        }
        subjects.push(subject);
    };
    examine(loaded, &sandbox, &dialects, tell).await?;
    Ok(subjects)
}

fn count(subjects: &[Subject], level: Level) -> usize {
    subjects.iter().flat_map(|subject| &subject.findings).filter(|finding| finding.level == level).count()
}

fn text(subject: &Subject) -> String {
    let mut text = format!("{}\n", subject.name);
    for finding in &subject.findings {
        let word = match finding.level {
            Level::Fine => "ok",
            Level::Unknown => "unknown",
            Level::Warning => "warning",
            Level::Wrong => "WRONG",
        };
        let _ = writeln!(text, "  {word:<8} {}: {}", finding.about, finding.says);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "           → {remedy}");
        }
    }
    text + "\n"
}

fn summary(subjects: &[Subject]) -> String {
    let number = |count, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    match (count(subjects, Level::Wrong), count(subjects, Level::Warning), count(subjects, Level::Unknown)) {
        (0, 0, 0) => "everything is as it has to be".to_owned(),
        (wrong, warnings, unknown) => format!(
            "{} wrong, {}, {unknown} unknown",
            number(wrong, "thing", "things"),
            number(warnings, "warning", "warnings")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::examine::Finding;

    #[test]
    fn a_finding_is_one_line_and_what_to_do_below_it() {
        let findings =
            vec![Finding::fine("clock", "the same"), Finding::wrong("rights", "the App lacks x", "give them")];
        let subject = Subject { name: "github.com/acme/cnpe".into(), findings };
        assert_eq!(
            text(&subject),
            "github.com/acme/cnpe\n  ok       clock: the same\n  WRONG    rights: the App lacks x\n           → give them\n\n"
        );
        assert_eq!(summary(&[subject]), "1 thing wrong, 0 warnings, 0 unknown");
        assert_eq!(summary(&[]), "everything is as it has to be");
    }
}
