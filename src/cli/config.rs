//! `gradus config`: print and check the configuration of `gradus serve`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::snippet::{Colour, Snippet};
use crate::checkpoint::evidence::Place;
use crate::config::{EXAMPLE, Invalid, Loaded, load};
use crate::course::diagnostic::Diagnostic;

/// Print and check the configuration of `gradus serve`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print a whole commented file with every default
    Example,
    /// Read a file as `gradus serve` would, secrets and learners' files included, and say what is wrong
    Check {
        /// The file
        #[arg(value_name = "FILE", default_value = super::CONFIG)]
        file: PathBuf,
    },
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    match args.what {
        What::Example => {
            print!("{EXAMPLE}");
            ExitCode::from(super::EXIT_PASS)
        }
        What::Check { file } => match read(&file) {
            Ok(loaded) => {
                let config = &loaded.config;
                let (forges, courses) = (config.forges.len(), config.courses.len());
                println!("fine: {} workspaces, {forges} forges, {courses} courses", config.workspaces.len());
                ExitCode::from(super::EXIT_PASS)
            }
            Err(code) => code,
        },
    }
}

/// Reads a configuration for a verb; says warnings, and what is wrong with one that cannot be used.
pub fn read(file: &Path) -> Result<Loaded, ExitCode> {
    match load(file, &environment) {
        Ok(loaded) => {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            eprint!("{}", excerpts("warning", &loaded.warnings, &text));
            Ok(loaded)
        }
        Err(invalid) => Err(refuse(file, &invalid)),
    }
}

/// Says what is wrong with a configuration.
pub fn refuse(file: &Path, invalid: &Invalid) -> ExitCode {
    eprint!("{}", told(invalid));
    eprintln!("error: {} cannot be used", file.display());
    ExitCode::from(super::EXIT_USAGE)
}

/// The environment of this process.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn told(invalid: &Invalid) -> String {
    excerpts("error", &invalid.problems, &invalid.text)
}

fn excerpts(level: &str, problems: &[Diagnostic], text: &str) -> String {
    let excerpt = |problem: &Diagnostic| {
        let place: &Place = &problem.place;
        let source = (!text.is_empty()).then_some(text);
        Snippet { level, code: None, title: &problem.message, place, source, label: None, help: &problem.help }
            .render_in(Colour::of(&std::io::stderr()))
    };
    problems.iter().map(excerpt).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_line_and_a_caret() {
        let text = "apiVersion: gradus.dev/v1alpha1\nkind: Cofig\n";
        let invalid = crate::config::parse("gradus.yaml", text, Path::new("/"), &|_| None).unwrap_err();
        let shown = told(&invalid);
        assert!(shown.contains("gradus.yaml:2:7"), "{shown}");
        assert!(shown.contains("2 | kind: Cofig") && shown.contains("^^^^^"), "{shown}");
    }
}
