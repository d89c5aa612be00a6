//! Is this a template? Braces of Helm, Jinja and their kin make a file that is not yet YAML; one clear sentence about it
//! beats a syntax error in the middle of a tag. Braces inside quotes, block texts and after `$` are YAML, and stay it.

use super::tree::Span;
use super::{Problem, ProblemKind};
use crate::checkpoint::evidence::Place;

/// Places where a tag of a template stands where YAML would start a value: (line, column), from 1, ascending.
pub(super) struct Suspects {
    places: Vec<(u32, u32)>,
    /// Those before this index lie inside scalars that were read, and are none.
    cleared: usize,
}

/// Places kept; a template shows itself in the first few.
const MOST: usize = 10_000;

impl Suspects {
    pub fn new(text: &str) -> Self {
        let mut places = Vec::new();
        if text.contains("{{") || text.contains("{%") {
            places.extend(text.lines().zip(1..).filter_map(|(line, number)| Some((number, column(line)?))).take(MOST));
        }
        Suspects { places, cleared: 0 }
    }

    /// A scalar was read up to here: suspects before its end were part of it, or of what came before.
    pub fn read_past(&mut self, span: Span) {
        let end = (span.end_line, span.end_column);
        while self.places.get(self.cleared).is_some_and(|place| *place < end && *place >= (span.line, span.column)) {
            self.cleared += 1;
        }
    }

    /// The problem to report in place of one at `place`, when a template's tag is the likely cause.
    pub fn explains(&self, place: &Place) -> Option<Problem> {
        let (line, column) = *self.places.get(self.cleared)?;
        // The parser notices a tag at once, or on the line after it.
        if line > place.line? + 1 {
            return None;
        }
        Some(Problem {
            kind: ProblemKind::Template,
            message: "this is a template (`{{ … }}` or `{% … %}` outside quotes), not yet YAML: render it first, or quote the value"
                .to_owned(),
            place: Place {
                line: Some(line),
                column: Some(column),
                end_line: Some(line),
                end_column: Some(column + 2),
                ..Place::default()
            },
        })
    }
}

/// The column of the first `{{` or `{%` that stands where a value starts: at the line's start, after `- `, `: ` or an
/// opening bracket.
fn column(line: &str) -> Option<u32> {
    let mut from = 0;
    while let Some(offset) = line[from..].find('{') {
        let at = from + offset;
        let before = line[..at].trim_end();
        let starts_value = before.is_empty() || before.ends_with([':', '-', '[', ',', '{']);
        if starts_value && (line[at..].starts_with("{{") || line[at..].starts_with("{%")) {
            return Some(line[..at].chars().count() as u32 + 1);
        }
        from = at + 1;
    }
    None
}
