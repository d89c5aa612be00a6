//! Problems of a course as text: excerpt, caret, remedy.

use std::path::Path;

use super::snippet::{Colour, Snippet};
use crate::checkpoint::evidence::Place;
use crate::course::diagnostic::Diagnostic;
use crate::submission::tree::Tree;

/// Each problem with its line. `home` stands before the names of files, `tree` holds them.
pub fn render(level: &str, home: &Path, tree: &Tree, problems: &[Diagnostic], colour: Colour) -> String {
    problems.iter().map(|problem| render_one(level, home, tree, problem, colour)).collect::<Vec<_>>().join("\n")
}

fn render_one(level: &str, home: &Path, tree: &Tree, problem: &Diagnostic, colour: Colour) -> String {
    let place = Place { file: Some(shown(home, problem.file())), ..problem.place.clone() };
    let source = tree.file(problem.file()).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let snippet =
        Snippet { level, code: None, title: &problem.message, place: &place, source, label: None, help: &problem.help };
    snippet.render_in(colour)
}

/// A file of a course as one would type it from here.
pub fn shown(home: &Path, file: &str) -> String {
    let path = home.join(file);
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    path.strip_prefix(here).unwrap_or(&path).display().to_string()
}
