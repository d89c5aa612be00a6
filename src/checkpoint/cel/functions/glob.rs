//! Argo CD's globs: those of `gobwas/glob` without separators, so that `*` also matches `/`.
//! (argo-cd `util/glob/glob.go`; it calls the library without separators for projects and sync windows.)

use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::value::Val;

/// Longest pattern in bytes.
const LONGEST: usize = 1000;

/// Deepest nesting of `{…}`.
const DEEPEST: usize = 10;

/// A parsed pattern: it becomes a regular expression, so that matching is linear.
#[derive(Debug)]
pub struct Glob {
    /// The regular expression that matches the same texts.
    pub expression: String,
}

impl Glob {
    /// Reads a pattern: `*` and `**` any text, `?` one character, `[a-z]` and `[!a-z]` classes, `{a,b}` alternatives,
    /// `\` escapes.
    pub fn parse(pattern: &str) -> Result<Self, Fault> {
        let invalid = |why: &str| Fault::invalid(format!("{} is not a glob: {why}", Val::text(pattern).show()));
        if pattern.len() > LONGEST {
            return Err(invalid("it is too long"));
        }
        let mut expression = String::from(r"(?s)\A");
        let mut depth = 0_usize;
        let mut characters = pattern.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '*' => {
                    while characters.next_if_eq(&'*').is_some() {}
                    expression.push_str(".*");
                }
                '?' => expression.push('.'),
                '\\' => match characters.next() {
                    Some(escaped) => push_literal(&mut expression, escaped),
                    None => return Err(invalid("nothing follows the `\\` at its end")),
                },
                '{' if depth == DEEPEST => return Err(invalid("`{` is nested too deep")),
                '{' => {
                    depth += 1;
                    expression.push_str("(?:");
                }
                ',' if depth > 0 => expression.push('|'),
                '}' if depth > 0 => {
                    depth -= 1;
                    expression.push(')');
                }
                '[' => push_class(&mut expression, &mut characters).map_err(invalid)?,
                other => push_literal(&mut expression, other),
            }
        }
        if depth > 0 {
            return Err(invalid("a `{` is not closed"));
        }
        expression.push_str(r"\z");
        Ok(Self { expression })
    }
}

fn push_literal(expression: &mut String, c: char) {
    expression.push_str(&regex::escape(&c.to_string()));
}

fn push_class(
    expression: &mut String,
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<(), &'static str> {
    expression.push('[');
    if characters.next_if_eq(&'!').is_some() {
        expression.push('^');
    }
    let mut members = Vec::new();
    loop {
        match characters.next() {
            None => return Err("a `[` is not closed"),
            Some(']') => break,
            Some('\\') => members.push(characters.next().ok_or("a `[` is not closed")?),
            Some(c) => members.push(c),
        }
    }
    if members.is_empty() {
        return Err("a `[]` is empty");
    }
    if let [low, '-', high] = members.as_slice() {
        if low > high {
            return Err("the range in a `[…]` goes downwards");
        }
        push_literal(expression, *low);
        expression.push('-');
        push_literal(expression, *high);
    } else {
        members.iter().for_each(|c| push_literal(expression, *c));
    }
    expression.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let glob = Glob::parse(pattern).expect(pattern);
        crate::checkpoint::cel::machine::compile_pattern(&glob.expression).expect(pattern).is_match(text)
    }

    #[test]
    fn a_star_crosses_slashes_as_in_argo_cd() {
        assert!(matches("*", ""));
        assert!(matches("https://*/team-*", "https://git.example/a/b/team-x"));
        assert!(!matches("team-?", "team-12"));
        assert!(matches("{web,api}-[0-9]", "api-7"));
        assert!(!matches("{web,api}-[!0-9]", "api-7"));
        assert!(matches("[abc]x", "bx"));
        assert!(matches(r"a\*b", "a*b") && !matches(r"a\*b", "axb"));
        assert!(matches("a.b", "a.b") && !matches("a.b", "axb"));
        assert!(matches("a*\nb", "ax\nb"));
    }

    #[test]
    fn a_broken_glob_says_what_is_wrong() {
        for pattern in ["[a", "{a", "[]", "a\\", "[z-a]"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }
}
