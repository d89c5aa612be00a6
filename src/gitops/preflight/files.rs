//! What a tree holds besides manifests that Argo CD would follow, fetch, render or be told by.

use std::sync::Arc;

use super::{MAX_BYTES, Objections, Rule, at_file};
use crate::submission::read::is_lfs_pointer;
use crate::submission::tree::{Entry, Tree};

/// Names that make Argo CD render a directory, or read it otherwise; in lower case.
const GENERATORS: [&str; 6] = [
    "chart.yaml",
    "kustomization",
    "kustomization.yaml",
    "kustomization.yml",
    "plugin.yaml",
    ".argocd-allow-concurrency",
];

/// The files that Argo CD reads manifests from: by these endings, in lower case, whatever directory they are in.
pub(super) fn manifests<'t>(tree: &'t Tree, path: &str) -> impl Iterator<Item = (&'t str, &'t Arc<[u8]>)> {
    below(tree, path).filter_map(|(file, entry)| match entry {
        Entry::File { bytes, .. } if is_manifest(file) && !is_generator(name(file)) && !is_lfs_pointer(bytes) => {
            Some((file, bytes))
        }
        _ => None,
    })
}

/// Whether the manifests are more than is applied.
pub(super) fn is_too_much(tree: &Tree, path: &str) -> bool {
    size(tree, path) > MAX_BYTES
}

fn size(tree: &Tree, path: &str) -> usize {
    manifests(tree, path).map(|(_, bytes)| bytes.len()).sum()
}

fn is_manifest(file: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|ending| file.ends_with(ending))
}

/// The first or only file, and what is behind a link, is not looked at twice: each has one objection.
pub(super) fn examine(tree: &Tree, path: &str, against: &mut Objections) {
    if below(tree, path).next().is_none() && !on_the_way(path).any(|dir| is_link(tree, dir)) {
        let what = format!("the commit has no directory `{path}`");
        against.add(Rule::Nothing, at_file(path), what, "put it back: it holds what the environment runs");
    }
    for (file, entry) in tree.iter() {
        match entry {
            Entry::Submodule => {
                let remedy = "take it out with `git rm` and commit the files themselves";
                against.add(Rule::Submodule, at_file(file), "this is a submodule, which is not fetched", remedy);
            }
            Entry::Symlink(target) => {
                let matters = is_below(file, path) || on_the_way(path).any(|dir| dir == file) || leaves(file, target);
                if matters {
                    let remedy = "commit the file itself in its place";
                    against.add(Rule::Symlink, at_file(file), "this is a symbolic link, which is not followed", remedy);
                }
            }
            Entry::File { bytes, .. } => regular(file, bytes, path, against),
        }
    }
    if is_too_much(tree, path) {
        let total = size(tree, path);
        let what =
            format!("the manifests have {} KiB together, at most {} KiB are applied", total >> 10, MAX_BYTES >> 10);
        against.add(Rule::Size, at_file(path), what, "take large files out of this directory");
    }
}

fn regular(file: &str, bytes: &[u8], path: &str, against: &mut Objections) {
    if file == ".gitmodules" {
        let what = "`.gitmodules` names repositories to fetch, and none is";
        return against.add(Rule::Submodule, at_file(file), what, "take it out with `git rm .gitmodules`");
    }
    let dir = file.strip_suffix(".gitattributes").map(|dir| dir.trim_end_matches('/'));
    if let Some(dir) = dir
        && name(file) == ".gitattributes"
        && (dir.is_empty() || is_below(dir, path) || on_the_way(path).any(|on| on == dir))
        && let Some((line, word)) = changes_content(bytes)
    {
        let place = crate::checkpoint::evidence::Place { line: Some(line), ..at_file(file) };
        let what = format!("`{word}` makes another file of it when it is checked out");
        return against.add(Rule::Attributes, place, what, "take the attribute out");
    }
    if !is_below(file, path) {
        return;
    }
    let (lower, place) = (name(file).to_lowercase(), at_file(file));
    if is_generator(name(file)) {
        let what = format!("`{}` changes how Argo CD reads this directory, which takes plain manifests", name(file));
        against.add(Rule::Generator, place, what, "commit the rendered objects in its place");
    } else if is_lfs_pointer(bytes) {
        let what = "this is a Git LFS pointer, not the file";
        against.add(Rule::LfsPointer, place, what, "commit the file itself: `git lfs untrack`, then add it again");
    } else if !is_manifest(file) && is_manifest(&lower) {
        let what = "Argo CD does not read this file because of the capital letters in its ending";
        against.add(Rule::Extension, place, what, "rename it with the ending in small letters");
    }
}

fn is_generator(name: &str) -> bool {
    let lower = name.to_lowercase();
    GENERATORS.contains(&lower.as_str())
        || lower.starts_with(".argocd-source")
        || [".jsonnet", ".libsonnet", ".hbs"].iter().any(|ending| lower.ends_with(ending))
}

/// An attribute that changes the content on checkout, with its line. Line ends do not.
fn changes_content(attributes: &[u8]) -> Option<(u32, String)> {
    let text = String::from_utf8_lossy(attributes);
    let words =
        (1..).zip(text.lines()).flat_map(|(line, content)| content.split_whitespace().map(move |word| (line, word)));
    // Macros, too: `[attr]x` gives any of them another name.
    let harmful = |word: &str| {
        let bare = word.trim_start_matches(['-', '!']);
        let key = bare.split('=').next().unwrap_or_default();
        matches!(key, "working-tree-encoding" | "filter" | "ident" | "crlf") || bare.starts_with("[attr]")
    };
    words.filter(|(_, word)| harmful(word)).map(|(line, word)| (line, word.to_owned())).next()
}

/// Whether a link points out of the repository: Argo CD then takes nothing of it at all.
fn leaves(file: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut depth = file.matches('/').count() as i64;
    target.split('/').any(|step| {
        depth += match step {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

fn is_link(tree: &Tree, path: &str) -> bool {
    matches!(tree.get(path), Some(Entry::Symlink(_) | Entry::Submodule))
}

/// The path and all directories above it.
fn on_the_way(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path])
}

fn below<'t>(tree: &'t Tree, path: &str) -> impl Iterator<Item = (&'t str, &'t Entry)> {
    tree.iter().filter(move |(file, _)| is_below(file, path))
}

fn is_below(file: &str, path: &str) -> bool {
    path.is_empty() || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

fn name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}
