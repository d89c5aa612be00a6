//! What is YAML and not the same YAML to everybody: anchors, tags, merge keys, directives, and characters that end a line
//! for one reader only. Where two programs have to see the same objects in a file, it may hold none of them.

use granit_parser::{Event, Parser, ScalarStyle};

use super::parse::place;
use super::tree::Span;
use super::{Problem, ProblemKind, syntax};
use crate::checkpoint::evidence::Place;

/// The first thing in a file that readers of YAML take differently; none in a file that all read alike. What is no YAML
/// at all is not looked at: parsing says so.
pub fn uncommon(bytes: &[u8]) -> Option<Problem> {
    let text = syntax::text(bytes).ok()?;
    lines(text).or_else(|| nodes(text))
}

/// By the line, as programs do that take a file apart before they parse it.
fn lines(text: &str) -> Option<Problem> {
    for (line, content) in (1_u32..).zip(text.split('\n')) {
        let at = |column: usize, message: &str| Some(uncommon_at(line, column as u32, message));
        let content = content.strip_suffix('\r').unwrap_or(content);
        // Line breaks in YAML 1.1, which Kubernetes reads, and none in 1.2; the last is one in YAML and not for whoever
        // looks for `---`.
        if let Some((column, _)) =
            content.chars().enumerate().find(|(_, c)| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\r'))
        {
            return at(column + 1, "here is a line break that not every program takes for one: press Enter instead");
        }
        if content.chars().skip(usize::from(line == 1)).any(|c| c == '\u{feff}') {
            return at(1, "this line holds an invisible byte order mark: type the line again");
        }
        if content.starts_with('%') {
            return at(1, "this is a directive to the YAML parser: delete the line");
        }
        if content.starts_with("...") {
            return at(1, "what follows `...` is read by some programs only: separate documents by `---`");
        }
        if let Some(rest) = content.strip_prefix("---")
            && !rest.trim_start().is_empty()
            && !(rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
        {
            return at(1, "what follows `---` in its line is read by some programs only: put it on a line of its own");
        }
    }
    None
}

/// By the parser's events.
fn nodes(text: &str) -> Option<Problem> {
    const ANCHOR: &str = "here is an anchor or an alias: write the value out";
    const TAG: &str = "here is a tag: drop it, and quote the value if it is to be text";
    for next in Parser::new_from_str(text) {
        let Ok((event, span)) = next else { return None };
        let message = match event {
            Event::Alias(..) | Event::UnresolvedAlias(..) => ANCHOR,
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _)
                if anchor != 0 =>
            {
                ANCHOR
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => TAG,
            Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                "`<<` merges another map, and not every program does so alike: write the keys out"
            }
            _ => continue,
        };
        return Some(uncommon_at(span.start.line() as u32, span.start.col() as u32 + 1, message));
    }
    None
}

fn uncommon_at(line: u32, column: u32, message: &str) -> Problem {
    let place: Place = place(Span { line, column, end_line: line, end_column: column + 1 });
    Problem { kind: ProblemKind::Ambiguous, message: message.to_owned(), place }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_of_yaml_take_differently_is_found_with_its_place() {
        let cases = [
            ("a: 1\nb: &x 2\n", 2, "anchor"),
            ("a: &x {b: 1}\n", 1, "anchor"),
            ("a: &x 1\nb: *x\n", 1, "anchor"),
            ("a: !!str 1\n", 1, "tag"),
            ("a: !Secret {b: 1}\n", 1, "tag"),
            ("--- \na: 1\nb: {<<: {c: 1}}\n", 3, "merges"),
            ("a: 1 # x\u{85}kind: Secret\n", 1, "line break"),
            ("a: 1 # x\u{2028}kind: Secret\n", 1, "line break"),
            ("a: 1\rb: 2\n", 1, "line break"),
            ("%YAML 1.1\n---\na: 1\n", 1, "directive"),
            ("a: 1\n...\nb: 2\n", 2, "`...`"),
            ("a: 1\n--- {b: 2}\n", 2, "`---`"),
            ("a: 1\n--- !!map\nb: 2\n", 2, "`---`"),
            ("a: 1\n---b: 2\n", 2, "`---`"),
            ("a: 1\n\u{feff}b: 2\n", 2, "byte order"),
        ];
        for (text, line, words) in cases {
            let problem = uncommon(text.as_bytes()).unwrap_or_else(|| panic!("{text:?}"));
            assert!(problem.message.contains(words), "{text:?}: {}", problem.message);
            assert_eq!(problem.place.line, Some(line), "{text:?}");
        }
    }

    #[test]
    fn what_people_write_is_common() {
        for text in [
            "",
            "a: 1\r\n---\r\nb: '<<'\r\n",
            "\u{feff}a: 1\n",
            "--- # first\na: \"&x *y !z\"\n---\nb: |\n  %x\n  ...\n  --- y\nc: {d: [1, 2]}\n",
            "{\"a\": [1, 2]}\n",
        ] {
            assert_eq!(uncommon(text.as_bytes()), None, "{text:?}");
        }
    }
}
