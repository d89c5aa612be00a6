//! The edits of mutants: what they say, and doing it to a tree.

use serde_json::Value;

use super::kinds::EditFile;
use super::patch;
use crate::submission::tree::{Entry, Tree};

/// What one edit does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action<'a> {
    /// Sets a value in a YAML document.
    Set {
        /// Which file.
        file: &'a str,
        /// Which document of it.
        document: usize,
        /// JSON pointer.
        pointer: &'a str,
        /// The value.
        to: &'a Value,
    },
    /// Deletes a field or list item of a YAML document.
    Delete {
        /// Which file.
        file: &'a str,
        /// Which document of it.
        document: usize,
        /// JSON pointer.
        pointer: &'a str,
    },
    /// Replaces text that occurs exactly so often.
    Replace {
        /// Which file.
        file: &'a str,
        /// The text that is there.
        old: &'a str,
        /// The text instead.
        new: &'a str,
        /// How often it must occur.
        times: usize,
    },
    /// Adds a file that was not there.
    Add {
        /// Its path.
        path: &'a str,
        /// Its text.
        text: &'a str,
    },
    /// Removes a file.
    Remove {
        /// Its path.
        path: &'a str,
    },
}

impl EditFile {
    /// What it does, or why that cannot be told.
    pub fn action(&self) -> Result<Action<'_>, String> {
        let document = self.document.unwrap_or(0);
        let file = || self.file.as_deref().ok_or_else(|| "`file` is missing: which file does this edit?".to_owned());
        let action = match (&self.set, &self.delete, &self.replace, &self.add, &self.remove) {
            (Some(pointer), None, None, None, None) => {
                let to = self.to.as_ref().ok_or_else(|| "`set` needs `to`".to_owned())?;
                Action::Set { file: file()?, document, pointer, to }
            }
            (None, Some(pointer), None, None, None) => Action::Delete { file: file()?, document, pointer },
            (None, None, Some(old), None, None) => {
                let new = self.with.as_deref().ok_or_else(|| "`replace` needs `with`".to_owned())?;
                Action::Replace { file: file()?, old, new, times: self.times.unwrap_or(1) }
            }
            (None, None, None, Some(path), None) => {
                let text = self.text.as_deref().ok_or_else(|| "`add` needs `text`".to_owned())?;
                Action::Add { path, text }
            }
            (None, None, None, None, Some(path)) => Action::Remove { path },
            _ => return Err("an edit does exactly one thing".to_owned()),
        };
        let pointer = match &action {
            Action::Set { pointer, .. } | Action::Delete { pointer, .. } => Some(*pointer),
            _ => None,
        };
        if let Some(pointer) = pointer
            && !pointer.starts_with('/')
        {
            return Err(format!("`{pointer}` is not a JSON pointer: it begins with `/`, as in `/spec/replicas`"));
        }
        let stray = [
            ("to", self.to.is_some(), self.set.is_some()),
            ("with", self.with.is_some(), self.replace.is_some()),
            ("times", self.times.is_some(), self.replace.is_some()),
            ("text", self.text.is_some(), self.add.is_some()),
            ("document", self.document.is_some(), self.set.is_some() || self.delete.is_some()),
            ("file", self.file.is_some(), self.add.is_none() && self.remove.is_none()),
        ];
        match stray.into_iter().find(|(_, given, wanted)| *given && !*wanted) {
            Some((field, ..)) => Err(format!("`{field}` does not belong to this edit")),
            None => Ok(action),
        }
    }
}

/// Does one edit. An edit that changes nothing is an error.
pub fn apply(tree: &mut Tree, action: &Action<'_>) -> Result<(), String> {
    match *action {
        Action::Set { file, document, pointer, to } => {
            let text = read(tree, file)?;
            write(tree, file, &text, &patch::set(&text, document, pointer, to)?)
        }
        Action::Delete { file, document, pointer } => {
            let text = read(tree, file)?;
            write(tree, file, &text, &patch::delete(&text, document, pointer)?)
        }
        Action::Replace { file, old, new, times } => {
            let text = read(tree, file)?;
            if old.is_empty() {
                return Err("`replace` is empty".to_owned());
            }
            let found = text.matches(old).count();
            if found != times {
                let wanted = if times == 1 { "once".to_owned() } else { format!("{times} times") };
                return Err(format!("`{}` occurs {found} times in `{file}`, not {wanted}", old.escape_debug()));
            }
            write(tree, file, &text, &text.replace(old, new))
        }
        Action::Add { path, text } => {
            if tree.get(path).is_some() {
                return Err(format!("`{path}` is there already: use `replace` or `set`"));
            }
            let bytes: &[u8] = text.as_bytes();
            tree.insert_file(path, bytes);
            Ok(())
        }
        Action::Remove { path } => match tree.remove(path) {
            Some(_) => Ok(()),
            None => Err(missing(tree, path)),
        },
    }
}

fn read(tree: &Tree, path: &str) -> Result<String, String> {
    let bytes = tree.file(path).ok_or_else(|| missing(tree, path))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("`{path}` is not UTF-8 text"))
}

fn write(tree: &mut Tree, path: &str, before: &str, after: &str) -> Result<(), String> {
    if before == after {
        return Err("this edit changes nothing".to_owned());
    }
    let executable = matches!(tree.get(path), Some(Entry::File { executable: true, .. }));
    tree.insert(path, Entry::File { bytes: after.as_bytes().into(), executable });
    Ok(())
}

fn missing(tree: &Tree, path: &str) -> String {
    match super::diagnostic::nearest(path, tree.paths()) {
        Some(near) => format!("the solution has no file `{path}`: did you mean `{near}`?"),
        None => format!("the solution has no file `{path}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.insert_file("a.yaml", *b"x: 1 # one\ny: 1\n");
        tree
    }

    fn edit(value: Value) -> EditFile {
        serde_json::from_value(value).expect("an edit")
    }

    fn result(value: Value) -> Result<String, String> {
        let mut tree = tree();
        apply(&mut tree, &edit(value).action()?)?;
        Ok(tree.iter().map(|(path, _)| format!("{path}: {}", read(&tree, path).unwrap_or_default())).collect())
    }

    #[test]
    fn each_edit_does_one_thing() {
        assert_eq!(result(json!({"file": "a.yaml", "set": "/x", "to": 2})).expect("set"), "a.yaml: x: 2 # one\ny: 1\n");
        assert_eq!(
            result(json!({"file": "a.yaml", "set": "/x", "to": null})).expect("set"),
            "a.yaml: x: null # one\ny: 1\n"
        );
        assert_eq!(result(json!({"file": "a.yaml", "delete": "/x"})).expect("delete"), "a.yaml: y: 1\n");
        assert_eq!(
            result(json!({"file": "a.yaml", "replace": "one", "with": "two"})).expect("replace"),
            "a.yaml: x: 1 # two\ny: 1\n"
        );
        assert_eq!(
            result(json!({"file": "a.yaml", "replace": ": 1", "with": ": 3", "times": 2})).expect("replace"),
            "a.yaml: x: 3 # one\ny: 3\n"
        );
        assert!(result(json!({"add": "b", "text": "t"})).expect("add").ends_with("b: t"));
        assert_eq!(result(json!({"remove": "a.yaml"})).expect("remove"), "");
    }

    #[test]
    fn an_edit_that_changes_nothing_is_an_error() {
        for value in [
            json!({"file": "a.yaml", "set": "/x", "to": 1}),
            json!({"file": "a.yaml", "replace": "one", "with": "one"}),
            json!({"file": "a.yaml", "replace": "none", "with": "two"}),
            json!({"file": "a.yaml", "replace": "1", "with": "2"}),
            json!({"file": "a.yaml", "delete": "/z"}),
            json!({"file": "b.yaml", "set": "/x", "to": 2}),
            json!({"add": "a.yaml", "text": "t"}),
            json!({"remove": "b.yaml"}),
        ] {
            assert!(result(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn an_edit_that_does_not_say_what_it_does_is_refused() {
        for value in [
            json!({}),
            json!({"file": "a.yaml"}),
            json!({"file": "a.yaml", "set": "/x"}),
            json!({"set": "/x", "to": 1}),
            json!({"file": "a.yaml", "set": "x", "to": 1}),
            json!({"file": "a.yaml", "replace": "x"}),
            json!({"add": "b"}),
            json!({"remove": "a.yaml", "text": "t"}),
            json!({"file": "a.yaml", "delete": "/x", "replace": "x", "with": "y"}),
        ] {
            assert!(edit(value.clone()).action().is_err(), "{value}");
        }
    }
}
