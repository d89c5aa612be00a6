//! A task for one learner: all its texts and trees with the values filled in.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::fill::{fill, shown};
use super::id::CheckpointId;
use super::kinds::{CommitFile, MutantFile};
use super::load::is_template;
use super::overlay::{COMMITS, overlay};
use super::publish::own_value;
use super::task::{Origin, Task};
use super::values::{Scope, Values};
use super::{Course, CourseTask, edit, strict, template};
use crate::environment::seed::Seeds;
use crate::submission::tree::{Entry, Tree};

/// A task with the values filled in.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// `${name}` replaced in all parsed strings.
    pub task: Task,
    /// The values.
    pub values: Values,
    /// Rendered Markdown.
    pub brief: String,
    /// Rendered Markdown, shown after a pass. Empty when drawn in a workspace.
    pub debrief: String,
    /// What the workspace ships below `tasks/TASK-ID/`. Empty when drawn in a workspace.
    pub starter: Tree,
    /// Starter with the solution's overlay applied. Empty where drawn for a learner.
    pub solution: Tree,
    /// Starter with each alternative's overlay applied; as `solution`.
    pub alternatives: BTreeMap<String, Tree>,
    /// Wrong submissions and what each must lose; as `solution`.
    pub mutants: BTreeMap<String, Mutant>,
    /// How `solution` and `alternatives/NAME` were committed, by directory, where their authors say so.
    pub commits: BTreeMap<String, Vec<CommitFile>>,
    /// Fixtures the learner never sees. Empty when drawn in a workspace: see [`CourseTask::has_hidden`].
    pub hidden: Tree,
}

/// A wrong submission: the solution with edits applied, and the checkpoints they must make `fail`.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The solution with the edits applied.
    pub files: Tree,
    /// Exactly these fail; exactly their dependants are blocked.
    pub fails: Vec<CheckpointId>,
    /// The mistake, in one sentence.
    pub why: String,
    /// How it was committed; else as the solution.
    pub commits: Option<Vec<CommitFile>>,
}

impl CourseTask {
    /// The values that a scope gets.
    pub fn values(&self, course: &Course, scope: &Scope) -> Values {
        self.source.values(&course.id, &self.task.id, &course.salt, scope)
    }

    /// The task with the values of a scope filled in.
    pub fn draw(&self, course: &Course, scope: &Scope) -> Result<Drawn, Vec<Diagnostic>> {
        // A mistake in a proof is the author's and must not stand between a learner and a grade.
        self.draw_anyhow(course, scope, !matches!(scope, Scope::Learner(_)))
    }

    /// The same with solution, alternatives and mutants, also for a learner's scope: for whoever plays learners.
    pub fn draw_with_answers(&self, course: &Course, scope: &Scope) -> Result<Drawn, Vec<Diagnostic>> {
        self.draw_anyhow(course, scope, true)
    }

    fn draw_anyhow(&self, course: &Course, scope: &Scope, answers: bool) -> Result<Drawn, Vec<Diagnostic>> {
        let values = self.values(course, scope);
        let mut problems = Vec::new();
        let task = self.source.task(&self.file(), &values, &mut problems);
        let mut drawing = Drawing { task: self, values: &values, problems };
        let brief = drawing.text("brief.md");
        let debrief = drawing.text("debrief.md");
        let starter = drawing.tree("starter");
        let hidden = drawing.tree("hidden");
        let task = task.map(|task| drawing.seeded(task));
        let mut drawn = Drawn {
            task: self.task.clone(),
            values: Values::new(),
            brief,
            debrief,
            starter,
            solution: Tree::default(),
            alternatives: BTreeMap::new(),
            mutants: BTreeMap::new(),
            commits: BTreeMap::new(),
            hidden,
        };
        if answers && self.source.origin == Origin::Course {
            drawing.proofs(&mut drawn);
        }
        let problems = drawing.problems;
        match task {
            Some(task) if problems.is_empty() => Ok(Drawn { task, values, ..drawn }),
            _ => Err(problems),
        }
    }

    /// Whether hidden fixtures are here: in a course they are, in a workspace they are not.
    pub fn has_hidden(&self) -> bool {
        self.source.origin == Origin::Course
    }

    /// Paths in the task's directory and names of its mutants.
    pub(super) fn mutant_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.paths().filter_map(|path| {
            let name = path.strip_prefix("mutants/")?.strip_suffix(".yaml")?;
            (!name.contains('/')).then_some((path, name))
        })
    }

    /// Names of its alternatives, in order.
    pub(super) fn alternative_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .files
            .paths()
            .filter_map(|path| Some(path.strip_prefix("alternatives/")?.split_once('/')?.0.to_owned()))
            .collect();
        names.dedup();
        names
    }
}

/// A directory of a task with its templates rendered.
pub(super) fn rendered(task: &CourseTask, dir: &str, values: &Values, problems: &mut Vec<Diagnostic>) -> Tree {
    let mut drawing = Drawing { task, values, problems: Vec::new() };
    let tree = drawing.tree(dir);
    problems.append(&mut drawing.problems);
    tree
}

struct Drawing<'a> {
    task: &'a CourseTask,
    values: &'a Values,
    problems: Vec<Diagnostic>,
}

impl Drawing<'_> {
    fn full(&self, path: &str) -> String {
        format!("{}/{path}", self.task.dir)
    }

    fn read(&mut self, path: &str) -> Option<String> {
        let bytes = self.task.files.file(path)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
            Err(_) => {
                self.problems.push(Diagnostic::new(self.full(path), "not UTF-8 text").help("save the file as UTF-8"));
                None
            }
        }
    }

    /// A rendered text; of a workspace it was rendered when it was published.
    fn text(&mut self, path: &str) -> String {
        let Some(text) = self.read(path) else { return String::new() };
        if self.task.source.origin == Origin::Workspace {
            let own = self.task.own_parameters().into_iter().filter_map(|name| Some((name, self.values.get(name)?)));
            return own.fold(text, |text, (name, value)| text.replace(&own_value(name), &shown(value)));
        }
        self.render(path, &text)
    }

    fn render(&mut self, path: &str, text: &str) -> String {
        match template::render(text, self.values) {
            Ok(text) => text,
            Err(problem) => {
                self.problems.push(problem.diagnostic(&self.full(path)));
                String::new()
            }
        }
    }

    /// A directory of the task with its templates rendered.
    fn tree(&mut self, dir: &str) -> Tree {
        let below = self.task.files.below(dir);
        let mut tree = Tree::default();
        for (path, entry) in below.iter() {
            let full = format!("{dir}/{path}");
            match entry {
                Entry::File { executable, .. } if is_template(path) => {
                    let Some(text) = self.read(&full) else { continue };
                    let bytes = self.render(&full, &text).into_bytes().into();
                    let path = path.trim_end_matches(".hbs");
                    if below.get(path).is_some() {
                        let problem = Diagnostic::new(self.full(&full), format!("`{path}` is there too"));
                        self.problems.push(problem.help("remove one of the two"));
                    }
                    tree.insert(path, Entry::File { bytes, executable: *executable });
                }
                entry => tree.insert(path, entry.clone()),
            }
        }
        tree
    }

    /// With the course's objects in its environment.
    fn seeded(&mut self, mut task: Task) -> Task {
        if let Some(environment) = &mut task.environment {
            let (files, dir) = (self.tree("seed"), format!("{}/seed", self.task.dir));
            let name = |path: &str| {
                let template = format!("seed/{path}.hbs");
                if self.task.files.get(&template).is_some() {
                    format!("{dir}/{path}.hbs")
                } else {
                    format!("{dir}/{path}")
                }
            };
            environment.seeds = Seeds::read(&files, name, environment, &mut self.problems);
        }
        task
    }

    fn proofs(&mut self, drawn: &mut Drawn) {
        let over = self.tree("solution");
        if over.is_empty() {
            let problem = Diagnostic::new(self.full("solution"), "the task has no solution");
            self.problems.push(problem.help("add what differs from the starter"));
        }
        drawn.solution = overlay(&drawn.starter, &over, &self.full("solution"), &mut self.problems);
        self.commits("solution", drawn);
        for name in self.task.alternative_names() {
            let dir = format!("alternatives/{name}");
            let over = self.tree(&dir);
            let files = overlay(&drawn.starter, &over, &self.full(&dir), &mut self.problems);
            drawn.alternatives.insert(name, files);
            self.commits(&dir, drawn);
        }
        let mutants: Vec<(String, String)> =
            self.task.mutant_files().map(|(path, name)| (path.to_owned(), name.to_owned())).collect();
        for (path, name) in mutants {
            if let Some(mutant) = self.mutant(&path, &drawn.solution) {
                drawn.mutants.insert(name, mutant);
            }
        }
    }

    /// How an overlay was committed.
    fn commits(&mut self, dir: &str, drawn: &mut Drawn) {
        let path = format!("{dir}/{COMMITS}");
        let Some(text) = self.read(&path) else { return };
        let full = self.full(&path);
        let node = strict::document(&full, &text).map_err(|problem| self.problems.push(problem));
        let Ok(node) = node else { return };
        let value = fill(&node.to_value(), self.values);
        if let Some(commits) = strict::typed(&full, &node, value, &mut self.problems) {
            drawn.commits.insert(dir.to_owned(), commits);
        }
    }

    fn mutant(&mut self, path: &str, solution: &Tree) -> Option<Mutant> {
        let full = self.full(path);
        let text = self.read(path)?;
        let node = strict::document(&full, &text).map_err(|problem| self.problems.push(problem)).ok()?;
        let value = fill(&node.to_value(), self.values);
        let mutant: MutantFile = strict::typed(&full, &node, value, &mut self.problems)?;
        let mut files = solution.clone();
        for (index, edit) in mutant.edits.iter().enumerate() {
            let done = edit.action().and_then(|action| edit::apply(&mut files, &action));
            if let Err(message) = done {
                let at = node.locate(&format!("/edits/{index}"));
                self.problems.push(Diagnostic::new(&full, message).at(at));
            }
        }
        Some(Mutant { files, fails: mutant.fails, why: mutant.why, commits: mutant.commits })
    }
}
