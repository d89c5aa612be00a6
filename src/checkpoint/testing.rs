//! What unit tests of the kinds share: a tree from texts, and a judgement of it.

use std::collections::BTreeMap;

use super::observed::{Environs, Said, Sample, Seen};
use super::screen::screen;
use super::{Check, Checkpoint, Context, Judgement, NOWHERE, Sight, Trace};
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
    judge_all(check, files, base, None, Sight::Absent(NOWHERE))
}

/// Judges a working tree and objects of its environment.
pub(crate) fn judge_seen(check: &impl Check, files: &Tree, objects: Vec<Seen>) -> Judgement {
    let sample = Sample { objects, ..Sample::default() };
    judge_all(check, files, &Tree::default(), None, Sight::Seen(&sample))
}

/// Judges a working tree and what an API server says to what the kind wants to know, in its order.
pub(crate) fn judge_said(check: &impl Check, files: &Tree, hidden: Option<&Tree>, said: &[Said]) -> Judgement {
    let wants = check.wants(hidden);
    assert_eq!(wants.len(), said.len(), "{wants:?}");
    let sample = Sample { answers: wants.into_iter().zip(said.iter().cloned()).collect(), ..Sample::default() };
    judge_all(check, files, &Tree::default(), hidden, Sight::Seen(&sample))
}

/// Judges a working tree and what is known of its environment, with the checkpoint's time words.
pub(crate) fn judge_checkpoint(checkpoint: &Checkpoint, files: &Tree, environs: &Environs) -> Judgement {
    let judge = |context: &Context<'_>| checkpoint.judge(context, Some(environs), &mut Trace::off());
    in_context(files, judge)
}

/// Judges a working tree and whatever is known of its environment.
pub(crate) fn judge_sight(check: &impl Check, files: &Tree, environment: Sight<'_>) -> Judgement {
    judge_all(check, files, &Tree::default(), None, environment)
}

fn judge_all(
    check: &impl Check,
    files: &Tree,
    base: &Tree,
    hidden: Option<&Tree>,
    environment: Sight<'_>,
) -> Judgement {
    in_context(files, |context| judge_both_ways(check, &Context { base, hidden, environment, ..*context }))
}

/// Judges with and without screening: the verdict has to be the same.
pub(crate) fn judge_both_ways(check: &impl Check, context: &Context<'_>) -> Judgement {
    let judgement = check.judge(context, &mut Trace::off());
    let screened = screen(std::iter::once(check as &dyn Check), context).remove(0);
    let again = check.judge(&Context { screened: screened.as_ref(), ..*context }, &mut Trace::off());
    assert_eq!(again, judgement, "screening changes a verdict");
    judgement
}

/// Runs with what a working tree offers that started empty.
pub(crate) fn in_context<T>(files: &Tree, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let (base, yaml, params) = (Tree::default(), YamlFiles::new(files), BTreeMap::new());
    run(&Context {
        files,
        base: &base,
        yaml: &yaml,
        hidden: None,
        params: &params,
        history: None,
        environment: Sight::Absent(NOWHERE),
        prefix: "tasks/t/",
        dialect: Dialect::Kubectl,
        screened: None,
    })
}
