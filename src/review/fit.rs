//! Cutting a review to the length that a forge accepts, at a line's end and without leaving anything open.

use super::words::count;

/// Longest note that is put in place of what was cut, in characters, with room to spare.
const NOTE: usize = 400;

/// The text, or as many of its first lines as fit into `max` characters with everything closed and a note on the rest.
///
/// `where_else` ends the note: where the whole can be had.
pub fn fit(text: String, max: usize, where_else: &str) -> String {
    if text.chars().count() <= max {
        return text;
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut open = Open::default();
    let mut length = 0;
    let mut kept = 0;
    let mut closing = String::new();
    for (index, line) in lines.iter().enumerate() {
        length += line.chars().count();
        open.read(line);
        let close = open.closing();
        if length + close.chars().count() + NOTE > max {
            break;
        }
        kept = index + 1;
        closing = close;
    }
    let mut out: String = lines[..kept].concat();
    out.push_str(&closing);
    let rest = count(lines.len() - kept, "more line");
    out.push_str(&format!("\n_Cut here: {rest} did not fit. {where_else}_\n"));
    out
}

/// What is open at the end of a line.
#[derive(Debug, Default)]
struct Open {
    /// Indent and fence.
    fence: Option<(String, String)>,
    details: usize,
}

impl Open {
    fn read(&mut self, line: &str) {
        let text = line.trim();
        let run: String = text.chars().take_while(|c| *c == '`').collect();
        match &self.fence {
            Some((_, fence)) if run.len() >= fence.len() && run.len() == text.len() => self.fence = None,
            Some(_) => {}
            None if run.len() >= 3 && !text[run.len()..].contains('`') => {
                let indent = line[..line.len() - line.trim_start().len()].to_owned();
                self.fence = Some((indent, run));
            }
            // Ours and authors' stand at the start of a line; anywhere else it is text in a code span.
            None if text.starts_with("<details") => self.details += 1,
            None if text.starts_with("</details>") => self.details = self.details.saturating_sub(1),
            None => {}
        }
    }

    fn closing(&self) -> String {
        let mut text = String::new();
        if let Some((indent, fence)) = &self.fence {
            text.push_str(&format!("{indent}{fence}\n"));
        }
        if self.details > 0 {
            text.push('\n');
            text.push_str(&"</details>\n".repeat(self.details));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(fit("a\nb\n".to_owned(), 4, ""), "a\nb\n");
    }

    #[test]
    fn everything_open_is_closed_before_the_note() {
        let text = format!("first\n<details><summary>x</summary>\n\n- y\n  ````yaml\n{}", "  line\n".repeat(200));
        let cut = fit(text, 800, "The page has it all.");
        assert!(cut.chars().count() <= 800);
        assert!(cut.contains("\n  line\n  ````\n\n</details>\n\n_Cut here: "), "{cut}");
        assert!(cut.ends_with(" more lines did not fit. The page has it all._\n"), "{cut}");
    }

    #[test]
    fn a_line_too_long_by_itself_is_dropped_whole() {
        let cut = fit(format!("ok\n{}\n", "é".repeat(5_000)), 1_000, "See the page.");
        assert_eq!(cut, "ok\n\n_Cut here: 1 more line did not fit. See the page._\n");
    }
}
