//! Reports on standard output: `--format text`, `json` and `github`.

pub mod annotation;
mod github;
pub mod once;
mod text;

pub use text::sentence;

use clap::ValueEnum;

use super::snippet::Colour;
use super::{EXIT_FAIL, EXIT_PASS, EXIT_PROVISIONAL, EXIT_USAGE};
use crate::checkpoint::outcome::Outcome;
use crate::course::task::API_VERSION;
use crate::grade::report::{Report, ReportList, ReportListKind};
use crate::sandbox::Advising;
use crate::submission::advice::Advice;
use crate::submission::tree::Tree;

/// How reports are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: each difference with its line and a caret, then a table, then the verdict
    #[default]
    Text,
    /// One `Report`, or a `ReportList` when there are several
    Json,
    /// Workflow commands of GitHub Actions, shown on the lines of the pull request
    Github,
}

impl Format {
    /// A person reads advice; a program asks for the report.
    pub fn advising(self) -> Advising {
        match self {
            Format::Text | Format::Github => Advising::On,
            Format::Json => Advising::Off,
        }
    }
}

/// A report with what it takes to show it.
#[derive(Debug)]
pub struct Graded<'a> {
    /// In the learner's view.
    pub report: Report,
    /// The files of the task's directory.
    pub files: &'a Tree,
    /// Where that directory is for the reader of text, with a slash at its end; JSON and GitHub always say `tasks/ID/`.
    pub shown_as: String,
    /// Where it was wanted; places as in the report.
    pub advice: Vec<Advice>,
}

/// The reports as text with a line end.
pub fn render(graded: &[Graded<'_>], format: Format, colour: Colour) -> String {
    match format {
        Format::Text => text::render(graded, colour),
        Format::Json => json(graded),
        Format::Github => github::render(graded),
    }
}

fn json(graded: &[Graded<'_>]) -> String {
    let text = match graded {
        [one] => serde_json::to_string_pretty(&one.report),
        several => serde_json::to_string_pretty(&ReportList {
            api_version: API_VERSION.to_owned(),
            kind: ReportListKind::ReportList,
            items: several.iter().map(|g| g.report.clone()).collect(),
        }),
    };
    text.expect("plain data without maps keyed by anything but text") + "\n"
}

/// The exit code of some reports; the worst wins.
pub fn exit_code<'a>(reports: impl IntoIterator<Item = &'a Report>) -> u8 {
    worst(reports.into_iter().map(|report| match report.outcome {
        Outcome::Pass | Outcome::NotRun => EXIT_PASS,
        Outcome::Fail | Outcome::Blocked => EXIT_FAIL,
        Outcome::Inconclusive | Outcome::Error => EXIT_PROVISIONAL,
    }))
}

/// The worst of some exit codes: 2, then 3, then 1, then 0.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let badness = |code: &u8| [EXIT_PASS, EXIT_FAIL, EXIT_PROVISIONAL, EXIT_USAGE].iter().position(|c| c == code);
    codes.into_iter().max_by_key(badness).unwrap_or(EXIT_PASS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_exit_code_wins_in_the_order_2_3_1_0() {
        assert_eq!(worst([0, 1, 3, 2, 0]), 2);
        assert_eq!(worst([0, 3, 1]), 3);
        assert_eq!(worst([0, 1]), 1);
        assert_eq!(worst([]), 0);
    }
}
