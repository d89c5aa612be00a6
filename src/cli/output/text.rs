//! Reports for people, in the look of rustc's diagnostics: differences first, verdict last, where the eye is.

use std::fmt::Write as _;

use super::Graded;
use crate::checkpoint::evidence::{Evidence, Place};
use crate::checkpoint::outcome::Outcome;
use crate::cli::snippet::{Colour, Snippet};
use crate::grade::report::{CheckpointResult, Report};
use crate::review::asked::{Asked, asked};
use crate::review::safe::plain;
use crate::review::words::{Verdict, count};
use crate::submission::advice::Advice;

/// Most differences of one checkpoint that are shown: the first few teach, the rest is in `--format json`.
const MAX_SHOWN: usize = 8;

/// Longest value in characters shown beside a caret.
const MAX_VALUE: usize = 120;

/// Longest title or sentence of the table in characters.
const MAX_LINE: usize = 160;

/// All reports; with a line over all when there are several.
pub fn render(graded: &[Graded<'_>], colour: Colour) -> String {
    let mut text = String::new();
    for one in graded {
        task(&mut text, one, colour);
    }
    if graded.len() > 1 {
        let sum = |part: fn(&Report) -> u32| graded.iter().map(|g| part(&g.report)).sum::<u32>();
        let points = count(sum(|r| r.points) as usize, "point");
        let _ = writeln!(text, "{}: {} of {points}", count(graded.len(), "task"), sum(|r| r.score));
    }
    text
}

fn task(text: &mut String, graded: &Graded<'_>, colour: Colour) {
    let report = &graded.report;
    for result in &report.checkpoints {
        if matches!(result.outcome, Outcome::Fail | Outcome::Inconclusive | Outcome::Error) {
            differences(text, result, graded, colour);
        }
    }
    for Advice { message, place } in &graded.advice {
        let (place, source) = located(graded, place);
        let snippet = Snippet {
            level: "note",
            code: Some("advice"),
            title: message,
            place: &place,
            source,
            label: None,
            help: &[],
        };
        text.push_str(&snippet.render_in(colour));
        text.push('\n');
    }
    let _ = writeln!(text, "{} ({})", plain(&report.title, MAX_LINE), report.task);
    let width = report.checkpoints.iter().map(|c| c.id.as_str().len()).max().unwrap_or(0);
    for result in &report.checkpoints {
        let outcome = result.outcome.word();
        let points = match result.outcome {
            Outcome::NotRun => format!("-/{}", result.points),
            _ => format!("{}/{}", result.score, result.points),
        };
        let id = result.id.as_str();
        let _ = writeln!(
            text,
            "  {outcome:<12} {id:<width$} {points:>5}  {}{}",
            plain(&result.title, MAX_LINE),
            why(result)
        );
    }
    let verdict = Verdict::of(report);
    let stop = if verdict.rest.is_empty() { String::new() } else { format!(" {}.", verdict.rest) };
    let _ = writeln!(text, "{}.{stop}\n", verdict.headline);
}

/// What stands in the way of a checkpoint that was not judged; how many cases it got right.
fn why(result: &CheckpointResult) -> String {
    let first = || result.evidence.first().map(|e| format!(" ({})", plain(&e.message, MAX_LINE))).unwrap_or_default();
    match (result.outcome, result.cases) {
        (Outcome::Blocked, _) => {
            let ids: Vec<_> = result.blocked_by.iter().map(ToString::to_string).collect();
            format!(" (waits for {})", ids.join(", "))
        }
        (Outcome::NotRun, _) => first(),
        (Outcome::Fail, Some((passed, total))) => format!(" ({passed} of {total} cases right)"),
        _ => String::new(),
    }
}

fn differences(text: &mut String, result: &CheckpointResult, graded: &Graded<'_>, colour: Colour) {
    for evidence in result.evidence.iter().take(MAX_SHOWN) {
        let (place, source) = located(graded, &evidence.place);
        let label = values(evidence);
        let snippet = Snippet {
            level: result.outcome.word(),
            code: Some(result.id.as_str()),
            title: &headline(evidence),
            place: &place,
            source,
            label: label.as_deref(),
            help: &[],
        };
        text.push_str(&snippet.render_in(colour));
        text.push('\n');
    }
    if let Some(more @ 1..) = result.evidence.len().checked_sub(MAX_SHOWN) {
        let _ = writeln!(text, "and {} of `{}`\n", count(more, "more difference"), result.id);
    }
}

/// The place as the reader would type it, with the text of its file.
fn located<'a>(graded: &Graded<'a>, place: &Place) -> (Place, Option<&'a str>) {
    let prefix = format!("{}/", graded.report.task.dir());
    let below = place.file.as_deref().map(|file| file.strip_prefix(&prefix).unwrap_or(file));
    let source = below.and_then(|path| graded.files.file(path)).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let file = below.map(|path| format!("{}{path}", graded.shown_as));
    (Place { file, ..place.clone() }, source)
}

/// The message, led by its subject unless it says it itself.
fn headline(evidence: &Evidence) -> String {
    match &evidence.subject {
        Some(subject) if !evidence.message.contains(subject.as_str()) => format!("{subject}: {}", evidence.message),
        _ => evidence.message.clone(),
    }
}

/// What was expected and found, unless the message says it itself.
fn values(evidence: &Evidence) -> Option<String> {
    let shown = |value: &serde_json::Value| {
        let text = value.to_string();
        let bare = text.trim_matches('"');
        let told = says(&evidence.message, bare);
        (!told).then(|| match text.char_indices().nth(MAX_VALUE) {
            Some((end, _)) => format!("`{}…`", &text[..end]),
            None => format!("`{text}`"),
        })
    };
    let expected = asked(evidence).and_then(|asked| match asked {
        Asked::Value(value) => shown(value).map(|value| format!("expected {value}")),
        Asked::Rule(rule) => (!evidence.message.contains(&rule)).then(|| format!("must {rule}")),
    });
    let actual = evidence.actual.as_ref().and_then(shown).map(|value| format!("found {value}"));
    let told: Vec<String> = expected.into_iter().chain(actual).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Whether the message holds the value as a whole word.
fn says(message: &str, value: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '.';
    !value.is_empty()
        && message
            .match_indices(value)
            .any(|(at, _)| !message[..at].ends_with(inner) && !message[at + value.len()..].starts_with(inner))
}

/// A difference in one sentence.
pub fn sentence(evidence: &Evidence) -> String {
    match values(evidence) {
        Some(values) => format!("{}; {values}", headline(evidence)),
        None => headline(evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::grade::testing::{self, checkpoint};
    use crate::submission::tree::Tree;

    #[test]
    fn differences_come_with_their_line_then_the_table_then_the_verdict() {
        let task = testing::task(vec![
            checkpoint("replicas", 2, &[]),
            checkpoint("guard", 1, &["replicas"]),
            checkpoint("history", 1, &[]),
            checkpoint("name", 3, &[]),
        ]);
        let place = Place {
            file: Some("web.yaml".to_owned()),
            line: Some(2),
            column: Some(11),
            end_line: Some(2),
            end_column: Some(12),
            pointer: None,
        };
        let evidence = Evidence {
            message: "`replicas` is too low".to_owned(),
            place,
            expected: Some(3.into()),
            actual: Some(1.into()),
            subject: Some("Deployment web".to_owned()),
            ..Evidence::default()
        };
        let report = testing::report(
            &task,
            vec![
                ("replicas", Judgement::fail(vec![evidence])),
                ("history", Judgement::not_run("commit first")),
                ("name", Judgement::pass()),
            ],
        );
        let mut files = Tree::default();
        files.insert_file("web.yaml", *b"spec:\n  replicas: 1\n");
        let graded = Graded { report, files: &files, shown_as: "work/".to_owned(), advice: Vec::new() };
        let text = render(&[graded], Colour::Never);
        insta::assert_snapshot!(text, @r"
        fail[replicas]: Deployment web: `replicas` is too low
         --> work/web.yaml:2:11
          |
        1 | spec:
        2 |   replicas: 1
          |           ^ expected `3`, found `1`

        First steps (first-steps)
          fail         replicas   0/2  title of replicas
          blocked      guard      0/1  title of guard (waits for replicas)
          notRun       history    -/1  title of history (commit first)
          pass         name       3/3  title of name
        Not yet: 3 of 6 points. 1 checkpoint to fix, 1 waits for it, 1 not judged here.
        ");
    }
}
