//! Lessons and headings.

use super::Loader;
use crate::course::Lesson;
use crate::course::diagnostic::{Diagnostic, Spot};
use crate::submission::tree::Entry;

impl Loader<'_> {
    /// The lessons of a module, in order of their file names `NN-slug.md`.
    pub(super) fn lessons(&mut self, module: &str) -> Vec<Lesson> {
        let prefix = format!("{module}/lessons/");
        let paths: Vec<&str> = self.tree.paths().filter(|path| path.starts_with(&prefix)).collect();
        let mut lessons = Vec::new();
        for path in paths {
            let name = &path[prefix.len()..];
            let Some(slug) = slug(name) else {
                // Pictures and the like may lie in directories beside the lessons.
                if !name.contains('/') {
                    self.say(
                        Diagnostic::new(path, "not the name of a lesson")
                            .help("name lessons NN-slug.md, as in 01-health-checks.md; put pictures into a directory"),
                    );
                }
                continue;
            };
            let Some(text) = self.text(path, "the lesson") else { continue };
            match heading(&text) {
                Some(title) => {
                    lessons.push(Lesson { file: name.to_owned(), slug: slug.to_owned(), title: title.to_owned(), text })
                }
                None => self.say(no_heading(path, "the lesson")),
            }
        }
        lessons
    }
}

/// A lesson of a published workspace; none when the file is none.
pub(crate) fn lesson_of(name: &str, entry: &Entry) -> Option<Lesson> {
    let Entry::File { bytes, .. } = entry else { return None };
    let text = std::str::from_utf8(bytes).ok()?;
    let (slug, title) = (slug(name)?.to_owned(), heading(text)?.to_owned());
    Some(Lesson { file: name.to_owned(), slug, title, text: text.to_owned() })
}

/// `health-checks` of `01-health-checks.md`.
fn slug(name: &str) -> Option<&str> {
    let (number, slug) = name.strip_suffix(".md")?.split_once('-')?;
    let numbered = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    let plain = slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (numbered && plain && !slug.is_empty()).then_some(slug)
}

/// The text of a first heading `# …`, which must be the first line that is not empty.
pub(super) fn heading(text: &str) -> Option<&str> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    Some(first.strip_prefix("# ")?.trim()).filter(|title| !title.is_empty())
}

pub(super) fn no_heading(path: &str, what: &str) -> Diagnostic {
    Diagnostic::new(path, format!("{what} has no title"))
        .at(Spot::point(1, 0))
        .help("begin it with a heading: `# Title`")
}
