//! Learner text made safe to show.
//!
//! A review is Markdown that a forge renders with our name on it. Nothing a learner writes may notify anybody, link an
//! issue, close our fences, forge a marker, or read as something else than it is.

/// Characters that move the cursor, take no width or reorder their neighbours: never passed through.
///
/// Controls (but not line feed, which callers decide about), soft hyphen, Arabic letter mark, Mongolian vowel separator,
/// zero-width and bidi characters, line and paragraph separators, invisible operators, BOM, interlinear anchors, variation
/// selectors, tags and language tags; Hangul fillers, which look like nothing.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Most characters of one learner value inside a sentence; the rest is cut with `…`.
pub const MAX_INLINE: usize = 240;

/// Most characters of one sentence that holds learner text.
pub const MAX_SENTENCE: usize = 1_200;

/// Text as one line of Markdown prose that says just that text.
///
/// Code spans between balanced backticks stay code, since generated sentences use them; everything else that Markdown,
/// HTML or a forge would interpret is neutralised: markup, mentions, references to issues and pull requests, links.
pub fn md(text: &str) -> String {
    let text = cut(text, MAX_SENTENCE);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    while let Some(start) = rest.find('`') {
        prose(&mut out, &rest[..start]);
        let run = backticks(&rest[start..]);
        let after = &rest[start + run..];
        match closing(after, run) {
            Some(end) => {
                out.push_str(&code(&after[..end]));
                rest = &after[end + run..];
            }
            None => {
                // As entities, so that no backtick outside of a code span can ever pair with one inside.
                out.push_str(&"&#96;".repeat(run));
                rest = after;
            }
        }
    }
    prose(&mut out, rest);
    if out.starts_with(['#', '-', '+', '=', '.', ')', ':', '*']) || starts_like_a_list(&out) {
        out.insert_str(0, BREAK);
    }
    out
}

/// Text as a Markdown code span: exactly these characters, invisible ones shown.
pub fn code(text: &str) -> String {
    let text = visible(&cut(text, MAX_INLINE));
    if text.trim().is_empty() {
        return format!("(empty{})", if text.is_empty() { "" } else { ", only spaces" });
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // One space on either side is dropped by Markdown, and keeps a backtick at the edge apart from the fence.
    let edge = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if edge { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text as a fenced block, with a line end: exactly these lines, invisible characters shown.
pub fn block(text: &str, language: &str) -> String {
    let lines: Vec<String> = text.lines().map(visible).collect();
    let text = lines.join("\n");
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// Text for a terminal: one line, invisible characters shown, at most `max` characters.
pub fn plain(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in cut(text, max).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// At most `max` characters; what is cut off is marked with `…`.
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A zero-width space as an entity: breaks what a forge would link, and shows nothing.
const BREAK: &str = "&#8203;";

fn prose(out: &mut String, text: &str) {
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        let next = characters.peek().copied();
        match c {
            '\n' | '\t' => out.push(' '),
            '\r' if next == Some('\n') => {}
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '*' | '_' | '[' | ']' | '~' | '|' | '$' | '^' => out.extend(['\\', c]),
            // Mentions and addresses; `\@` and entities do not stop a forge, which looks at the rendered text.
            '@' => out.extend(["@", BREAK]),
            // `#12`, and `!12` of Gitea; `GH-12` and other trackers' keys.
            '#' | '!' => {
                out.push(c);
                if next.is_some_and(char::is_alphanumeric) {
                    out.push_str(BREAK);
                }
            }
            '-' if before.is_ascii_uppercase() && next.is_some_and(|c| c.is_ascii_digit()) => {
                out.extend([BREAK, "-"]);
            }
            // `https://…` and `www.…`, which link by themselves (and cross-reference on GitHub).
            ':' if next == Some('/') => out.extend([":", BREAK]),
            '.' if before.eq_ignore_ascii_case(&'w') => out.extend([BREAK, "."]),
            c if is_invisible(c) => out.extend(c.escape_unicode().map(|c| c.to_string())),
            c => out.push(c),
        }
        before = c;
    }
}

/// One line without invisible characters; a comment opener cannot be mistaken for a marker by who reads the raw text.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.replace("<!--", "\\u{3c}!--")
}

/// `1.` and `1)` begin a list.
fn starts_like_a_list(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && rest.starts_with(['.', ')'])
}

fn backticks(text: &str) -> usize {
    text.bytes().take_while(|b| *b == b'`').count()
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Where the next run of exactly `run` backticks begins.
fn closing(text: &str, run: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let length = backticks(&text[start..]);
        if length == run {
            return Some(start);
        }
        at = start + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_says_just_the_text() {
        assert_eq!(md("replicas is `1`, must be `3`"), "replicas is `1`, must be `3`");
        assert_eq!(md("<!-- gradus --> <b>*x*_y_"), "&lt;!-- gradus --&gt; &lt;b&gt;\\*x\\*\\_y\\_");
        assert_eq!(md("ask @octo/team, fixes #12, GH-7, a@b.c"), {
            "ask @&#8203;octo/team, fixes #&#8203;12, GH&#8203;-7, a@&#8203;b.c"
        });
        assert_eq!(md("see https://x.y and www.z.w"), "see https:&#8203;//x.y and www&#8203;.z.w");
        assert_eq!(md("[a](b) ![c](d)"), "\\[a\\](b) !\\[c\\](d)");
        assert_eq!(md("line\nbreak\u{202e}"), "line break\\u{202e}");
        assert_eq!(md("# not a heading"), "&#8203;# not a heading");
        assert_eq!(md("1. not a list"), "&#8203;1. not a list");
    }

    #[test]
    fn a_lone_backtick_is_no_backtick() {
        assert_eq!(md("a ` b"), "a &#96; b");
        assert_eq!(md("``` x"), "&#96;&#96;&#96; x");
    }

    #[test]
    fn a_code_span_holds_any_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(" a "), "`  a  `");
        assert_eq!(code(""), "(empty)");
        assert_eq!(code("a\nb\u{0}"), "`a b\\u{0}`");
        assert_eq!(code("<!-- gradus:1 -->"), "`\\u{3c}!-- gradus:1 -->`");
    }

    #[test]
    fn a_fence_is_longer_than_any_run_inside() {
        assert_eq!(block("a\n```\nb", "yaml"), "````yaml\na\n```\nb\n````\n");
        assert_eq!(block("x", ""), "```\nx\n```\n");
    }
}
