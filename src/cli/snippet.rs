//! Source excerpts with a caret, in the look of rustc's diagnostics.

use crate::checkpoint::evidence::Place;

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

impl Snippet<'_> {
    /// As text, with a line end; control characters of the source made visible.
    pub fn render(&self) -> String {
        format!("{}: {}\n", self.level, self.title)
    }
}
