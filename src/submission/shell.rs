//! Words of commands that learners paste.

use super::names::{is_invisible, refusal};

/// A path as one word of a POSIX shell, none when it cannot be shown as it is. Learners paste these commands, and an
/// attacker can choose the path of another learner's copy: nothing in it may be run.
pub fn quoted(path: &str) -> Option<String> {
    let shows = !path.chars().any(|c| c.is_control() || is_invisible(c) || c == '\u{fffd}');
    if !shows || path.is_empty() || path.split('/').any(|name| refusal(name).is_some()) {
        return None;
    }
    // A word that starts with a dash would be an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    Some(if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) })
}

/// Any text as one word of a POSIX shell, as an address. What does not show is left out.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,~".contains(c);
    let shown: String = text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    if !shown.is_empty() && shown.chars().all(plain) { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_path_is_one_word_that_runs_nothing() {
        assert_eq!(quoted("tasks/a/x.yaml").as_deref(), Some("tasks/a/x.yaml"));
        assert_eq!(quoted("a b/$(x)").as_deref(), Some("'a b/$(x)'"));
        assert_eq!(quoted("it's").as_deref(), Some(r"'it'\''s'"));
        assert_eq!(quoted("-rf x").as_deref(), Some("'./-rf x'"));
        for path in ["", "a\nb", "a/../b", "\u{202e}x", "a\\b"] {
            assert_eq!(quoted(path), None, "{path:?}");
        }
    }
}
