//! What is wrong with a course, with its place and the remedy.

use std::fmt;

use serde::Serialize;

use crate::checkpoint::evidence::Place;

/// One problem of a course. `place.file` is relative to the course's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// One sentence, without a full stop.
    pub message: String,
    /// Where: a file always, line and column where they are known.
    #[serde(flatten)]
    pub place: Place,
    /// What to do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A problem of a whole file or directory.
    pub fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        let place = Place { file: Some(file.into()), ..Place::default() };
        Self { message: message.into(), place, help: Vec::new() }
    }

    /// At a place in the file.
    pub fn at(mut self, spot: Spot) -> Self {
        self.place.line = Some(spot.line);
        self.place.end_line = Some(spot.line);
        self.place.column = Some(spot.column);
        self.place.end_column = Some(spot.end);
        self
    }

    /// With a remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The file it is about.
    pub fn file(&self) -> &str {
        self.place.file.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file())?;
        if let (Some(line), Some(column)) = (self.place.line, self.place.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

/// Part of one line. All numbers start at 1 and count characters; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Column after the last character.
    pub end: u32,
}

impl Spot {
    /// From a parser that counts lines from 1 and columns from 0.
    pub fn line(line: usize, column: usize, end: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: number(line.max(1)), column: number(column + 1), end: number(end + 1) }
    }

    /// One character.
    pub fn point(line: usize, column: usize) -> Self {
        Self::line(line, column, column + 1)
    }
}

/// The nearest of `known` to a word that is not among them, when it is near enough to be a slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance (insert, delete, replace).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["dependsOn", "points", "title"];
        assert_eq!(nearest("depends_on", known), Some("dependsOn"));
        assert_eq!(nearest("point", known), Some("points"));
        assert_eq!(nearest("flavour", known), None);
    }
}
