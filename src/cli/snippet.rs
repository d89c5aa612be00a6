//! Source excerpts with a caret, in the look of rustc's diagnostics.
//!
//! Learner text passes through here on its way to a terminal: everything that could move the cursor, hide or reorder
//! text is shown as `\u{…}`, and a long line is cut around the caret. Only a few lines reach the renderer, so a file of
//! megabytes costs no more than a small one.

use std::io::IsTerminal;

use annotate_snippets::renderer::{DecorStyle, Style};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet as Excerpt};

use crate::checkpoint::evidence::Place;

/// Characters of a source line shown on either side of the caret's start.
const WINDOW: usize = 60;

/// Characters of a title, label or help line: learner values in them have no length limit of their own.
const MAX_TEXT: usize = 600;

/// Columns that the renderer may use: more than the cut lines need, so that it cuts nothing itself.
const TERMINAL: usize = 1_000;

/// The renderer's own style of line numbers and arrows.
const ARROW: Style = annotate_snippets::renderer::DEFAULT_LINE_NUM_STYLE;

/// Spaces shown for a tab; its caret is moved accordingly.
const TAB: &str = "    ";

/// One message with its place in a source text.
#[derive(Debug, Clone)]
pub struct Snippet<'a> {
    /// `error`, `warning`, `fail`, …: the first word.
    pub level: &'a str,
    /// In brackets after the level, as in `fail[probes]`.
    pub code: Option<&'a str>,
    /// One sentence.
    pub title: &'a str,
    /// `place.file` names the file; line and column may be absent.
    pub place: &'a Place,
    /// The whole text of that file, if it is at hand and is text.
    pub source: Option<&'a str>,
    /// At the caret.
    pub label: Option<&'a str>,
    /// `help: …` lines: what to do next.
    pub help: &'a [String],
}

/// Whether output carries ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text: pipes, files, tests, `NO_COLOR`.
    Never,
    /// ANSI sequences, all of them ours.
    Ansi,
}

impl Colour {
    /// Colours only when `stream` is a terminal and `NO_COLOR` is unset or empty (<https://no-color.org>).
    pub fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !refused { Colour::Ansi } else { Colour::Never }
    }
}

impl Snippet<'_> {
    /// As text in colour or not, with a line end; control characters of the source made visible.
    pub fn render_in(&self, colour: Colour) -> String {
        let title = one_line(self.title);
        let label = self.label.map(one_line);
        let help: Vec<String> = self.help.iter().map(|text| one_line(text)).collect();

        let mut heading = level(self.level).primary_title(title);
        if let Some(code) = self.code {
            heading = heading.id(one_line(code));
        }
        let mut group = Group::with_title(heading);
        let view = self.source.and_then(|source| View::of(source, self.place));
        match (&view, label) {
            (Some(view), label) => {
                let caret = AnnotationKind::Primary.span(view.caret.clone()).label(label);
                let excerpt = Excerpt::source(&view.text).line_start(view.first_line).fold(false).annotation(caret);
                group = group.element(excerpt);
            }
            (None, Some(label)) => group = group.element(Level::NOTE.message(label)),
            (None, None) => {}
        }
        for text in &help {
            group = group.element(Level::HELP.message(text));
        }
        let renderer = match colour {
            Colour::Never => Renderer::plain(),
            Colour::Ansi => Renderer::styled(),
        };
        let mut text = renderer.decor_style(DecorStyle::Ascii).term_width(TERMINAL).render(&[group]);
        if let Some(position) = self.position() {
            // Put in by hand: the renderer counts columns in the excerpt, which may be cut or have its tabs expanded.
            let line = self.place.line.filter(|_| view.is_some());
            let pad = line.map_or(0, |line| line.to_string().len());
            let arrow = match colour {
                Colour::Never => format!("\n{:pad$}--> {position}", ""),
                Colour::Ansi => format!("\n{:pad$}{ARROW}-->{ARROW:#} {position}", ""),
            };
            let after_title = text.find('\n').unwrap_or(text.len());
            text.insert_str(after_title, &arrow);
        }
        text.push('\n');
        text
    }

    /// `file:line:column`, as far as they are known.
    fn position(&self) -> Option<String> {
        let mut position = one_line(self.place.file.as_deref()?);
        if let Some(line) = self.place.line {
            position.push_str(&format!(":{line}"));
            if let Some(column) = self.place.column {
                position.push_str(&format!(":{column}"));
            }
        }
        Some(position)
    }
}

fn level(word: &str) -> Level<'_> {
    match word {
        "error" => Level::ERROR,
        "warning" => Level::WARNING,
        "note" => Level::NOTE,
        "help" => Level::HELP,
        "pass" | "notRun" => Level::INFO.with_name(word),
        "inconclusive" | "blocked" => Level::WARNING.with_name(word),
        other => Level::ERROR.with_name(other),
    }
}

/// The caret's line with the one before it, safe to print.
#[derive(Debug, PartialEq, Eq)]
struct View {
    text: String,
    /// Number of the first line of `text`, from 1.
    first_line: usize,
    /// Bytes of `text` to underline; never empty but at the end of a line.
    caret: std::ops::Range<usize>,
}

impl View {
    /// None without a line, and when the file has no such line any more.
    fn of(source: &str, place: &Place) -> Option<Self> {
        let line = place.line? as usize;
        let first = line.checked_sub(1)?.saturating_sub(1);
        let mut lines = source.split('\n').skip(first).map(|text| text.strip_suffix('\r').unwrap_or(text));
        let before = (line >= 2).then(|| lines.next()).flatten();
        let current = lines.next()?;

        let length = current.chars().count();
        let blank = current.chars().take_while(|c| c.is_whitespace()).count();
        let start = place.column.map_or(blank, |column| column.saturating_sub(1) as usize).min(length);
        let one_line = place.end_line.is_none_or(|end| Some(end) == place.line);
        let end = match place.end_column {
            Some(end) if one_line => (end.saturating_sub(1) as usize).clamp(start, length),
            _ if place.column.is_some() && one_line => (start + 1).min(length),
            _ => current.trim_end().chars().count().max(start),
        };
        let window = start.saturating_sub(WINDOW)..(start + WINDOW).min(length);
        let mut text = String::new();
        if let Some(before) = before {
            let shown = window.start..window.start + 2 * WINDOW;
            text.push_str(&Cut::of(before, &shown, &(0..0)).text);
            text.push('\n');
        }
        let offset = text.len();
        let cut = Cut::of(current, &window, &(start..end));
        text.push_str(&cut.text);
        let caret = cut.marked.start + offset..cut.marked.end + offset;
        let first_line = if before.is_some() { line - 1 } else { line };
        Some(Self { text, first_line, caret })
    }
}

/// Part of a line, safe to print, and where the marked characters went.
struct Cut {
    text: String,
    marked: std::ops::Range<usize>,
}

impl Cut {
    /// Shows the characters in `window`; `marked` are characters too and come back as bytes of the result.
    fn of(line: &str, window: &std::ops::Range<usize>, marked: &std::ops::Range<usize>) -> Self {
        let mut text = String::new();
        if window.start > 0 {
            text.push_str("...");
        }
        let (mut from, mut to) = (None, None);
        let mut rest = line.chars().enumerate().skip(window.start);
        for (index, c) in rest.by_ref().take(window.len()) {
            if index == marked.start {
                from = Some(text.len());
            }
            if index == marked.end {
                to = Some(text.len());
            }
            push_visible(&mut text, c);
        }
        let shown = text.len();
        if rest.next().is_some() {
            text.push_str("...");
        }
        let from = from.unwrap_or(shown);
        Self { marked: from..to.unwrap_or(shown).max(from), text }
    }
}

/// Text on one line, safe to print, at most [`MAX_TEXT`] characters.
fn one_line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(MAX_TEXT) {
        if c == '\n' { shown.push(' ') } else { push_visible(&mut shown, c) }
    }
    if text.chars().nth(MAX_TEXT).is_some() {
        shown.push_str("...");
    }
    shown
}

fn push_visible(text: &mut String, c: char) {
    match c {
        '\t' => text.push_str(TAB),
        c if crate::review::safe::is_invisible(c) => text.extend(c.escape_unicode()),
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: u32, column: Option<u32>, end_column: Option<u32>) -> Place {
        Place {
            file: Some("tasks/t/a.yaml".to_owned()),
            line: Some(line),
            column,
            end_line: end_column.map(|_| line),
            end_column,
            pointer: None,
        }
    }

    fn render(source: Option<&str>, place: &Place, help: &[String]) -> String {
        Snippet {
            level: "fail",
            code: Some("probes"),
            title: "expected 3 replicas, found 1",
            place,
            source,
            label: Some("must be 3"),
            help,
        }
        .render_in(Colour::Never)
    }

    #[test]
    fn it_looks_like_rustc() {
        let source = "kind: Deployment\nspec:\n  replicas: 1\n";
        let text = render(Some(source), &place(3, Some(13), Some(14)), &["three, as the brief says".to_owned()]);
        insta::assert_snapshot!(text, @r"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:3:13
          |
        2 | spec:
        3 |   replicas: 1
          |             ^ must be 3
          |
          = help: three, as the brief says
        ");
    }

    #[test]
    fn the_caret_stands_right_under_unicode_and_tabs() {
        let text = render(Some("a: ok\nnäme:\t\"日本\" # x\n"), &place(2, Some(7), Some(11)), &[]);
        insta::assert_snapshot!(text, @r#"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:2:7
          |
        1 | a: ok
        2 | näme:    "日本" # x
          |          ^^^^^^ must be 3
        "#);
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let source = format!("{}needle{}\n", "x".repeat(500), "y".repeat(500));
        let text = render(Some(&source), &place(1, Some(501), Some(507)), &[]);
        insta::assert_snapshot!(text, @r"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:1:501
          |
        1 | ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxneedleyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...
          |                                                                ^^^^^^ must be 3
        ");
    }

    #[test]
    fn what_moves_the_cursor_or_reorders_text_is_shown() {
        let text = render(
            Some("a: \u{1b}[2J\u{202e}b\u{200b}\r\n"),
            &place(1, Some(4), None),
            &["\u{1b}]0;x\u{7}".to_owned()],
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\u{7}', '\r']), "{text:?}");
        insta::assert_snapshot!(text, @r"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:1:4
          |
        1 | a: \u{1b}[2J\u{202e}b\u{200b}
          |    ^^^^^^ must be 3
          |
          = help: \u{1b}]0;x\u{7}
        ");
    }

    #[test]
    fn without_a_column_the_whole_line_is_marked() {
        insta::assert_snapshot!(render(Some("a:\n  - b: 1  \n"), &place(2, None, None), &[]), @r"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:2
          |
        1 | a:
        2 |   - b: 1  
          |   ^^^^^^ must be 3
        ");
    }

    #[test]
    fn without_a_line_only_the_file_is_named() {
        let place = Place { file: Some("a.yaml".to_owned()), ..Place::default() };
        insta::assert_snapshot!(render(None, &place, &[]), @r"
        fail[probes]: expected 3 replicas, found 1
        --> a.yaml
         |
         = note: must be 3
        ");
    }

    #[test]
    fn a_place_outside_of_the_file_does_no_harm() {
        insta::assert_snapshot!(render(Some("a"), &place(9, Some(9), Some(2)), &[]), @r"
        fail[probes]: expected 3 replicas, found 1
        --> tasks/t/a.yaml:9:9
         |
         = note: must be 3
        ");
        insta::assert_snapshot!(render(Some("a"), &place(1, Some(9), Some(2)), &[]), @r"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:1:9
          |
        1 | a
          |  ^ must be 3
        ");
        render(Some(""), &place(1, Some(1), Some(2)), &[]);
        render(Some("a"), &place(0, Some(0), Some(0)), &[]);
        render(Some("a\n"), &place(2, Some(1), None), &[]);
    }

    #[test]
    fn a_span_of_several_lines_marks_the_first() {
        let place = Place { end_line: Some(3), ..place(1, Some(3), Some(4)) };
        insta::assert_snapshot!(render(Some("a: [1,\n  2,\n  3]\n"), &place, &[]), @r"
        fail[probes]: expected 3 replicas, found 1
         --> tasks/t/a.yaml:1:3
          |
        1 | a: [1,
          |   ^^^^ must be 3
        ");
    }

    #[test]
    fn colour_adds_only_sequences_of_ours() {
        let place = place(1, Some(1), Some(2));
        let snippet =
            Snippet { level: "fail", code: None, title: "t", place: &place, source: Some("a"), label: None, help: &[] };
        assert!(snippet.render_in(Colour::Ansi).contains("\u{1b}["));
    }
}
