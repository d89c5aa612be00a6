//! Secrets that stand in the configuration itself, where they do not belong: found before anything else is said, so that
//! no message and no excerpt repeats them.

use crate::course::diagnostic::Diagnostic;
use crate::course::source::{Content, Node};

/// Fields that hold secrets, or would in somebody's idea of this file. In lower case.
const FIELDS: [&str; 10] =
    ["auth", "token", "key", "keys", "privatekey", "secret", "secrets", "password", "apikey", "credentials"];

/// Fields below those that hold no secret.
const HARMLESS: [&str; 4] = ["file", "env", "id", "installation"];

/// What was found, and the text with those values blotted out.
pub struct Inline {
    /// One for each.
    pub problems: Vec<Diagnostic>,
    /// As long as before, line for line.
    pub text: String,
}

/// Looks for secrets in a file.
pub fn find(file: &str, text: &str, node: &Node) -> Inline {
    let mut found = Vec::new();
    walk(node, None, &mut found);
    let mut masked = text.as_bytes().to_vec();
    let mut problems = Vec::new();
    for (field, value) in found {
        for byte in masked.get_mut(value.bytes.clone()).into_iter().flatten() {
            if !byte.is_ascii_whitespace() {
                *byte = b'*';
            }
        }
        let problem = if field == "address" {
            Diagnostic::new(file, "an address holds a name or a password")
                .at(value.spot)
                .help("give a `token` beside it")
        } else {
            Diagnostic::new(file, format!("`{field}` holds the secret itself"))
                .at(value.spot)
                .help("put it into a file and write `{file: PATH}`, or write `{env: NAME}`; and change it: it was read by whoever reads this file")
        };
        problems.push(problem);
    }
    // Bytes of a character were replaced all or none.
    Inline { problems, text: String::from_utf8_lossy(&masked).into_owned() }
}

/// The same for a file that is no YAML, so that its fields cannot be told: what looks like it is blotted out.
pub fn blot(text: &str) -> String {
    let line = |line: &str| {
        let lower = line.to_lowercase();
        match line.split_once(':') {
            Some((field, _)) if FIELDS.iter().any(|name| lower.contains(name)) => format!("{field}: ***"),
            _ => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Collects scalars below a field for secrets, `field`, that are neither a path nor a name of a variable.
fn walk<'a>(node: &'a Node, field: Option<&'a str>, found: &mut Vec<(&'a str, &'a Node)>) {
    match &node.content {
        Content::Scalar(value) => match field {
            Some(field) if value.is_string() || value.is_number() => found.push((field, node)),
            _ if value.as_str().is_some_and(has_userinfo) => found.push(("address", node)),
            _ => {}
        },
        Content::List(items, _) => items.iter().for_each(|item| walk(item, field, found)),
        Content::Map(entries, _) => {
            for (key, value) in entries {
                let name = key.text.to_lowercase();
                let below = if FIELDS.contains(&name.as_str()) { Some(key.text.as_str()) } else { field };
                walk(value, below.filter(|_| !HARMLESS.contains(&name.as_str())), found);
            }
        }
    }
}

/// Whether an address has something before an `@` in its authority.
fn has_userinfo(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}
