//! Workflow commands of GitHub Actions: lines that the runner takes out of a log and shows beside it.

use std::fmt::Write as _;

use crate::checkpoint::evidence::Place;

/// How loud an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something has to be done.
    Error,
    /// Something is not right.
    Warning,
    /// Good to know.
    Notice,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }
}

/// One annotation with its line end, on a line of a file where `place` says one. Texts are escaped: whatever is in
/// them, it stays one command.
pub fn command(level: Level, place: &Place, title: &str, message: &str) -> String {
    let mut text = format!("::{} ", level.word());
    if let Some(file) = &place.file {
        let _ = write!(text, "file={},", property(file));
    }
    for (name, number) in [("line", place.line), ("endLine", place.end_line)] {
        if let Some(number) = number {
            let _ = write!(text, "{name}={number},");
        }
    }
    // GitHub takes columns only within one line.
    if place.line == place.end_line.or(place.line) {
        for (name, number) in [("col", place.column), ("endColumn", place.end_column)] {
            if let Some(number) = number {
                let _ = write!(text, "{name}={number},");
            }
        }
    }
    let _ = writeln!(text, "title={}::{}", property(title), data(message));
    text
}

/// Escapes the text after `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
