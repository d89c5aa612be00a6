//! Which names of files are refused: tricks against Git, against file systems and against the reader's eyes.

use unicode_normalization::UnicodeNormalization;

/// Why a single name (one segment of a path) is refused, as the rest of a sentence that starts with the path; none when
/// it is fine. The rules cover what Git itself refuses on any system (`core.protectHFS`, `core.protectNTFS`), so that
/// every learner can clone every workspace.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("has an empty name in it");
    }
    if name == "." || name == ".." {
        return Some("steps out of its directory");
    }
    if name.contains('/') {
        return Some("has a slash inside a name");
    }
    if name.contains('\\') {
        return Some("has a backslash in it, which separates directories on Windows");
    }
    if is_dot_git(name) {
        return Some("is read as `.git` by some file system");
    }
    if name.chars().any(char::is_control) {
        return Some("has a control character in it");
    }
    if name.chars().any(is_invisible) {
        return Some("has an invisible or direction-changing character in it");
    }
    if name.contains(':') {
        return Some("has a colon in it, which opens another stream of a file on Windows");
    }
    if name.ends_with(['.', ' ']) {
        return Some("ends in a dot or a space, which Windows drops");
    }
    if is_device(name) {
        return Some("is the name of a device on Windows");
    }
    None
}

/// Characters that show nothing or change how their neighbours are shown: bidi controls, zero-width characters, and
/// those that HFS+ ignores in names.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What two names have in common when a file system that ignores case and normalisation takes them for one.
pub(super) fn folded(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

fn is_dot_git(name: &str) -> bool {
    // HFS+ ignores some characters, NTFS drops trailing dots and spaces and everything from a colon on, and has the
    // short name `GIT~1` for it.
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    let stem = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']).to_lowercase();
    stem == ".git" || stem.strip_prefix("git~").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |port: &str| stem.strip_prefix(port).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_fine() {
        for name in ["a", "kustomization.yaml", ".gitignore", ".gitattributes", ".github", "git", "gitx~1", "日本.yaml"]
        {
            assert_eq!(refusal(name), None, "{name}");
        }
        for name in ["Ü.md", "_helpers.tpl", "console.yaml", "com10", "auxiliary", "a b.txt", ".removed", "..."] {
            assert_eq!(refusal(name).is_some(), name == "...", "{name}");
        }
    }

    #[test]
    fn names_that_trick_git_file_systems_or_readers_are_refused() {
        let git =
            [".git", ".GIT", ".Git ", ".git.", ".git . .", "git~1", "GIT~2", ".g\u{200c}it", ".git::$INDEX_ALLOCATION"];
        let paths = ["", ".", "..", "a\\b", "..\\..\\x", "a/b"];
        let eyes = ["a\u{202e}lmay.yaml", "a\u{0}", "a\nb", "a\u{1b}[2J", "zero\u{200b}width"];
        let windows = ["con", "NUL.yaml", "aux.tar.gz", "Com1.txt", "lpt9", "a.", "a ", "a:b"];
        for name in git.iter().chain(&paths).chain(&eyes).chain(&windows) {
            assert!(refusal(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn names_fold_together_as_case_insensitive_file_systems_do() {
        assert_eq!(folded("README.md"), folded("Readme.MD"));
        assert_eq!(folded("caf\u{e9}"), folded("CAFE\u{301}"));
        assert_ne!(folded("a.yaml"), folded("a.yml"));
    }
}
