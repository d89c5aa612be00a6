//! Reports as annotations on the lines of a pull request.

use super::Graded;
use super::annotation::{Level, command};
use crate::checkpoint::evidence::{Evidence, Place};
use crate::checkpoint::outcome::Outcome;
use crate::grade::report::CheckpointResult;
use crate::review::words::Verdict;
use crate::submission::advice::Advice;

/// One command per difference, one notice with the verdict per task, then one per piece of advice: GitHub shows only the
/// first few annotations of a step, and the verdicts are to be among them. Nothing else is printed: a line of learner text
/// that begins with `::` would be a command.
pub fn render(graded: &[Graded<'_>]) -> String {
    let mut text = String::new();
    for Graded { report, .. } in graded {
        for result in &report.checkpoints {
            let level = match result.outcome {
                Outcome::Fail => Level::Error,
                Outcome::Inconclusive | Outcome::Error => Level::Warning,
                Outcome::Pass | Outcome::Blocked | Outcome::NotRun => continue,
            };
            for evidence in &result.evidence {
                text.push_str(&annotation(level, result, evidence));
            }
        }
        let verdict = Verdict::of(report);
        let message = [verdict.headline, verdict.rest].join("; ");
        let message = message.trim_end_matches("; ");
        text.push_str(&command(Level::Notice, &Place::default(), &report.title, message));
    }
    for Advice { message, place } in graded.iter().flat_map(|graded| &graded.advice) {
        text.push_str(&command(Level::Notice, place, "advice", message));
    }
    text
}

fn annotation(level: Level, result: &CheckpointResult, evidence: &Evidence) -> String {
    let title = format!("{}: {}", result.id, result.title);
    command(level, &evidence.place, &title, &super::text::sentence(evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::grade::testing;
    use crate::submission::tree::Tree;

    fn rendered(message: &str, file: &str) -> String {
        let task = testing::task(vec![testing::checkpoint("a", 2, &[])]);
        let place = Place { file: Some(file.to_owned()), line: Some(3), column: Some(5), ..Place::default() };
        let evidence = Evidence { message: message.to_owned(), place, ..Evidence::default() };
        let report = testing::report(&task, vec![("a", Judgement::fail(vec![evidence]))]);
        render(&[Graded { report, files: &Tree::default(), shown_as: String::new(), advice: Vec::new() }])
    }

    #[test]
    fn a_difference_is_an_error_on_its_line() {
        let text = rendered("too few", "app/web.yaml");
        let first = text.lines().next().unwrap();
        assert_eq!(first, "::error file=tasks/first-steps/app/web.yaml,line=3,col=5,title=a%3A title of a::too few");
    }

    #[test]
    fn learner_text_cannot_become_a_command_or_a_property() {
        let text = rendered("x\n::add-mask::y\r\n100%", "a,line=9::b\n::stop-commands::z");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("x%0A::add-mask::y%0D%0A100%25"), "{text}");
        assert!(text.contains("file=tasks/first-steps/a%2Cline=9%3A%3Ab%0A%3A%3Astop-commands%3A%3Az,"), "{text}");
    }
}
