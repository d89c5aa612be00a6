//! What a well-formed task must obey besides: sums, references, paths.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Loader;
use super::files::check_path;
use crate::checkpoint::{Checkpoint, Kind};
use crate::course::CourseTask;
use crate::course::diagnostic::{Diagnostic, nearest};
use crate::course::id::CheckpointId;
use crate::course::kinds::MutantFile;
use crate::course::source::Node;

pub(super) type Mutants = BTreeMap<String, (Node, MutantFile)>;

impl Loader<'_> {
    pub(super) fn check_task(&mut self, task: &CourseTask, mutants: &Mutants) {
        self.check_environment(task);
        self.check_checkpoints(task);
        self.check_hidden(task);
        let checkpoints = &task.task.checkpoints;
        let ids: BTreeSet<&CheckpointId> = checkpoints.iter().map(|checkpoint| &checkpoint.id).collect();
        // Where an id is used twice, the rest speaks of one checkpoint and means the other.
        if ids.len() == checkpoints.len() {
            self.check_points(task);
            self.check_dependencies(task);
            self.check_mutants(task, mutants);
        }
    }

    fn check_points(&mut self, task: &CourseTask) {
        let sum: u32 = task.task.checkpoints.iter().map(|checkpoint| checkpoint.points).sum();
        if sum != task.task.points {
            let message = format!("the checkpoints sum to {sum} points, not {}", task.task.points);
            let at = task.source.node.locate("/spec/points");
            self.say(
                Diagnostic::new(task.file(), message)
                    .at(at)
                    .help(format!("write `points: {sum}`, or correct a checkpoint")),
            );
        }
        if task.task.checkpoints.is_empty() {
            let at = task.source.node.locate_key("/spec/checkpoints");
            self.say(
                Diagnostic::new(task.file(), "the task has no checkpoint")
                    .at(at)
                    .help("add one: see docs/authoring.md"),
            );
        }
    }

    fn check_checkpoints(&mut self, task: &CourseTask) {
        let mut seen = BTreeSet::new();
        for (index, checkpoint) in task.task.checkpoints.iter().enumerate() {
            let pointer = format!("/spec/checkpoints/{index}");
            let at = |below: &str| task.source.node.locate(&format!("{pointer}{below}"));
            if !seen.insert(&checkpoint.id) {
                let problem =
                    Diagnostic::new(task.file(), format!("the checkpoint id `{}` is used twice", checkpoint.id));
                self.say(problem.at(at("/id")).help("checkpoint ids are unique in the task: rename one"));
            }
            if matches!(checkpoint.kind, Kind::Withheld(_)) {
                let problem = Diagnostic::new(task.file(), "`withheld` is for published workspaces only");
                self.say(problem.at(at("/withheld")).help(format!("write one of {}", Kind::KEYS.join(", "))));
            }
            for (number, pair) in checkpoint.hints.windows(2).enumerate() {
                if pair[1].after < pair[0].after {
                    let problem = Diagnostic::new(task.file(), "this hint comes before the one above it");
                    let at = at(&format!("/hints/{}/after", number + 1));
                    self.say(problem.at(at).help("order hints by `after`"));
                }
            }
            if let Some(number) = checkpoint.hints.iter().position(|hint| hint.after == 0) {
                let problem = Diagnostic::new(task.file(), "a hint is for somebody who failed: `after` is 1 or more");
                self.say(problem.at(at(&format!("/hints/{number}/after"))));
            }
            let key = checkpoint.kind.key();
            let kind = task.source.raw.pointer(&format!("{pointer}/{key}")).cloned().unwrap_or_default();
            for (below, path) in author_paths(&kind) {
                if let Some(problem) = check_path(&path) {
                    self.say(
                        Diagnostic::new(task.file(), problem)
                            .at(at(&format!("/{key}{below}")))
                            .help("paths are relative to the task's directory, `/` between names"),
                    );
                }
            }
        }
    }

    fn check_dependencies(&mut self, task: &CourseTask) {
        let checkpoints = &task.task.checkpoints;
        let known: BTreeSet<&CheckpointId> = checkpoints.iter().map(|checkpoint| &checkpoint.id).collect();
        for (index, checkpoint) in checkpoints.iter().enumerate() {
            for (number, needed) in checkpoint.depends_on.iter().enumerate() {
                if known.contains(needed) {
                    continue;
                }
                let at = task.source.node.locate(&format!("/spec/checkpoints/{index}/dependsOn/{number}"));
                let problem = Diagnostic::new(task.file(), format!("no checkpoint is called `{needed}`")).at(at);
                self.say(problem.help(one_of(needed.as_str(), &known)));
            }
        }
        if let Some(cycle) = cycle(checkpoints) {
            let first = checkpoints.iter().position(|checkpoint| checkpoint.id == cycle[0]).unwrap_or(0);
            let at = task.source.node.locate_key(&format!("/spec/checkpoints/{first}/dependsOn"));
            let shown = cycle.iter().map(CheckpointId::as_str).collect::<Vec<_>>().join(" → ");
            let problem = Diagnostic::new(task.file(), format!("checkpoints depend on each other: {shown}")).at(at);
            self.say(problem.help("remove one of these `dependsOn`"));
        }
    }

    /// Fixtures that a checkpoint names are there.
    fn check_hidden(&mut self, task: &CourseTask) {
        for (pointer, path) in task.hidden_paths() {
            let there = task.files.file(&path).is_some() || task.files.file(&format!("{path}.hbs")).is_some();
            if !there && check_path(&path).is_none() {
                let hidden = task.files.paths().filter(|path| path.starts_with("hidden/"));
                let help = nearest(&path, hidden)
                    .map_or_else(|| format!("add {}/{path}", task.dir), |near| format!("did you mean `{near}`?"));
                let at = task.source.node.locate(&pointer);
                self.say(Diagnostic::new(task.file(), format!("the file `{path}` is missing")).at(at).help(help));
            }
        }
    }

    fn check_mutants(&mut self, task: &CourseTask, mutants: &Mutants) {
        let known: BTreeSet<&CheckpointId> = task.task.checkpoints.iter().map(|checkpoint| &checkpoint.id).collect();
        for (name, (node, mutant)) in mutants {
            let file = format!("{}/mutants/{name}.yaml", task.dir);
            if mutant.fails.is_empty() {
                let problem = Diagnostic::new(&file, "a mutant makes at least one checkpoint fail");
                self.say(problem.at(node.locate_key("/fails")).help("a right answer belongs into alternatives/"));
            }
            for (index, id) in mutant.fails.iter().enumerate().filter(|(_, id)| !known.contains(id)) {
                let at = node.locate(&format!("/fails/{index}"));
                let problem = Diagnostic::new(&file, format!("no checkpoint is called `{id}`")).at(at);
                self.say(problem.help(one_of(id.as_str(), &known)));
            }
            if mutant.edits.is_empty() && mutant.commits.is_none() {
                let problem = Diagnostic::new(&file, "a mutant without edits is the solution");
                self.say(problem.at(node.locate_key("/edits")).help("add an edit: see docs/authoring.md"));
            }
            for (index, edit) in mutant.edits.iter().enumerate() {
                let at = |field: &str| node.locate(&format!("/edits/{index}{field}"));
                if let Err(problem) = edit.action() {
                    self.say(Diagnostic::new(&file, problem).at(at("")).help(
                        "an edit is one of: file + set + to, file + delete, file + replace + with, add + text, remove",
                    ));
                }
                let paths = [("/file", &edit.file), ("/add", &edit.add), ("/remove", &edit.remove)];
                for (field, path) in paths {
                    if let Some(problem) = path.as_deref().and_then(check_path) {
                        let problem = Diagnostic::new(&file, problem).at(at(field));
                        self.say(problem.help("paths are relative to `tasks/TASK-ID/` of the workspace"));
                    }
                }
            }
        }
    }
}

/// Paths and globs of the submission that a kind names, with their pointers. `git` has its own rules.
fn author_paths(kind: &Value) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for key in ["path", "in", "cases"] {
        match kind.get(key) {
            Some(Value::String(path)) => paths.push((format!("/{key}"), path.clone())),
            Some(Value::Array(items)) if key == "in" => {
                let texts = items.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_str()?)));
                paths.extend(texts.map(|(index, path)| (format!("/{key}/{index}"), path.to_owned())));
            }
            _ => {}
        }
    }
    paths
}

fn one_of(word: &str, known: &BTreeSet<&CheckpointId>) -> String {
    match nearest(word, known.iter().map(|id| id.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("checkpoints: {}", known.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

/// The first cycle of dependencies, its first checkpoint repeated at the end.
fn cycle(checkpoints: &[Checkpoint]) -> Option<Vec<CheckpointId>> {
    let needs: BTreeMap<&CheckpointId, &[CheckpointId]> =
        checkpoints.iter().map(|checkpoint| (&checkpoint.id, checkpoint.depends_on.as_slice())).collect();
    let mut done = BTreeSet::new();
    checkpoints.iter().find_map(|checkpoint| walk(&checkpoint.id, &needs, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    id: &'a CheckpointId,
    needs: &BTreeMap<&'a CheckpointId, &'a [CheckpointId]>,
    path: &mut Vec<&'a CheckpointId>,
    done: &mut BTreeSet<&'a CheckpointId>,
) -> Option<Vec<CheckpointId>> {
    if let Some(start) = path.iter().position(|seen| *seen == id) {
        return Some(path[start..].iter().copied().chain([id]).cloned().collect());
    }
    if done.contains(id) {
        return None;
    }
    path.push(id);
    let found =
        needs.get(id).into_iter().flat_map(|needed| needed.iter()).find_map(|needed| walk(needed, needs, path, done));
    path.pop();
    done.insert(id);
    found
}
