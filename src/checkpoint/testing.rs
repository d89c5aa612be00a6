//! What unit tests of the kinds share: a tree from texts, and a judgement of it.

use std::collections::BTreeMap;

use super::observed::Observed;
use super::{Check, Context, Judgement, Trace};
use crate::submission::tree::Tree;
use crate::submission::yaml::{Dialect, YamlFiles};

/// A tree of text files.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.insert_file(*path, text.as_bytes().to_vec());
    }
    tree
}

/// Judges a working tree whose start was empty.
pub(crate) fn judge(check: &impl Check, files: &Tree) -> Judgement {
    judge_since(check, files, &Tree::default())
}

/// Judges a working tree that started as `base`.
pub(crate) fn judge_since(check: &impl Check, files: &Tree, base: &Tree) -> Judgement {
    judge_all(check, files, base, None)
}

/// Judges a working tree and what was seen in its environment.
pub(crate) fn judge_observed(check: &impl Check, files: &Tree, observed: &Observed) -> Judgement {
    judge_all(check, files, &Tree::default(), Some(observed))
}

fn judge_all(check: &impl Check, files: &Tree, base: &Tree, observed: Option<&Observed>) -> Judgement {
    let (yaml, params) = (YamlFiles::new(files), BTreeMap::new());
    let context = Context {
        files,
        base,
        yaml: &yaml,
        hidden: None,
        params: &params,
        history: None,
        observed,
        prefix: "tasks/t/",
        dialect: Dialect::Kubectl,
    };
    check.judge(&context, &mut Trace::off())
}
