//! A course from its directory: everything that can be said about it without drawing values is checked here, the rest
//! in [`super::lint`].

mod checks;
mod environment;
mod files;
mod lesson;
mod names;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, nearest};
use super::id::{CourseId, DomainId, ModuleId, TaskId};
use super::kinds::{CourseFile, ModuleFile};
use super::source::{Node, join};
use super::strict;
use super::{Course, CourseTask, Domain, Module};
use crate::submission::tree::{Entry, Tree};
use crate::submission::tree_id;

pub(super) use files::{check_path, is_template};
pub(super) use lesson::lesson_of;

/// A course and what does not stand in its way.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Valid.
    pub course: Course,
    /// Sums of a draft, for example.
    pub warnings: Vec<Diagnostic>,
}

/// A course that does not load, as far as it was read: enough to say more about it than what is in its way.
#[derive(Debug, Clone)]
pub struct Unloaded {
    /// With the tasks that are sound.
    pub course: Option<Course>,
    /// Tasks that could be read and are not sound.
    pub unsound: Vec<CourseTask>,
    /// In the order of files and lines; never none.
    pub problems: Vec<Diagnostic>,
}

/// Loads a course. `dir_name` is the name of its directory, which must be its id.
pub fn load(tree: &Tree, dir_name: &str) -> Result<Loaded, Vec<Diagnostic>> {
    read(tree, dir_name).map_err(|unloaded| unloaded.problems)
}

/// Loads a course, or as much as there is of it.
pub fn read(tree: &Tree, dir_name: &str) -> Result<Loaded, Box<Unloaded>> {
    let mut loader = Loader { tree, problems: Vec::new(), warnings: Vec::new(), unsound: Vec::new() };
    match loader.course(dir_name) {
        Some(course) if loader.problems.is_empty() => Ok(Loaded { course, warnings: loader.warnings }),
        course => {
            let Loader { mut problems, unsound, .. } = loader;
            in_order(&mut problems);
            Err(Box::new(Unloaded { course, unsound, problems }))
        }
    }
}

/// Sorts problems by file and line, each once.
pub fn in_order(problems: &mut Vec<Diagnostic>) {
    problems.sort_by(|a, b| (a.file(), a.place.line).cmp(&(b.file(), b.place.line)));
    problems.dedup();
}

/// What every draw of a course depends on.
struct Identity {
    id: CourseId,
    salt: String,
}

struct Loader<'a> {
    tree: &'a Tree,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    unsound: Vec<CourseTask>,
}

impl Loader<'_> {
    fn say(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// The text of a file that must be there.
    fn text(&mut self, path: &str, what: &str) -> Option<String> {
        let Some(bytes) = self.tree.file(path) else {
            self.say(Diagnostic::new(path, "the file is missing").help(format!("add {what}")));
            return None;
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
            Err(error) => {
                let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                let at = super::diagnostic::Spot::point(line, 0);
                self.say(Diagnostic::new(path, "not UTF-8 text").at(at).help("save the file as UTF-8"));
                None
            }
        }
    }

    fn document(&mut self, path: &str, what: &str) -> Option<Node> {
        let text = self.text(path, what)?;
        strict::document(path, &text).map_err(|problem| self.say(problem)).ok()
    }

    fn course(&mut self, dir_name: &str) -> Option<Course> {
        const FILE: &str = "course.yaml";
        for (path, entry) in self.tree.iter() {
            if !matches!(entry, Entry::File { .. }) {
                self.problems.push(
                    Diagnostic::new(path, "a course holds regular files only")
                        .help("replace the link by the file itself"),
                );
            }
        }
        let node =
            self.document(FILE, "the course's title, domains and modules (`gradus new course NAME` writes one)")?;
        let file: CourseFile = strict::typed(FILE, &node, node.to_value(), &mut self.problems)?;
        let CourseFile { metadata, spec, .. } = file;
        if metadata.id.as_str() != dir_name {
            self.say(
                Diagnostic::new(FILE, format!("the id `{}` is not the directory's name `{dir_name}`", metadata.id))
                    .at(node.locate("/metadata/id"))
                    .help("rename one of the two"),
            );
        }
        if spec.salt.contains('\0') {
            self.say(Diagnostic::new(FILE, "the salt holds a NUL character").at(node.locate("/spec/salt")));
        }
        let domains: Vec<Domain> = spec
            .domains
            .into_iter()
            .map(|domain| Domain { id: domain.id, title: domain.title, points: domain.points })
            .collect();
        self.unique(FILE, &node, "/spec/domains", "/id", domains.iter().map(|domain| domain.id.as_str()));
        self.unique(FILE, &node, "/spec/modules", "", spec.modules.iter().map(ModuleId::as_str));

        let identity = Identity { id: metadata.id, salt: spec.salt };
        let homes = self.homes(&domains);
        let mut modules = Vec::new();
        let mut tasks = BTreeMap::new();
        for (index, id) in spec.modules.iter().enumerate() {
            let Some((domain, dir)) = homes.get(id.as_str()) else {
                let at = node.locate(&format!("/spec/modules/{index}"));
                let near = nearest(id.as_str(), homes.keys().map(String::as_str));
                let help = near.map_or_else(
                    || format!("add DOMAIN/{id}/module.yaml, or take the module out of the list"),
                    |near| format!("did you mean `{near}`?"),
                );
                self.say(Diagnostic::new(FILE, format!("the module `{id}` has no directory")).at(at).help(help));
                continue;
            };
            if let Some(module) = self.module(&identity, id, domain, dir, &mut tasks) {
                modules.push(module);
            }
        }
        for (name, (_, dir)) in &homes {
            if !spec.modules.iter().any(|id| id.as_str() == name) {
                let problem = Diagnostic::new(format!("{dir}/module.yaml"), "course.yaml does not list this module");
                self.say(problem.help(format!("add `{name}` to `spec.modules` of course.yaml")));
            }
        }
        let course = Course {
            id: identity.id,
            title: metadata.title,
            description: spec.description,
            revision: tree_id(self.tree),
            salt: identity.salt,
            draft: spec.draft,
            domains,
            modules,
            tasks,
            files: self.tree.clone(),
        };
        if self.problems.is_empty() {
            self.sums(&course, &node);
        }
        Some(course)
    }

    /// Directories of modules by name, with their domain.
    fn homes(&mut self, domains: &[Domain]) -> BTreeMap<String, (DomainId, String)> {
        let mut homes: BTreeMap<String, (DomainId, String)> = BTreeMap::new();
        let mut strays = BTreeSet::new();
        for path in self.tree.paths() {
            let mut parts = path.split('/');
            let (Some(top), Some(name), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let dir = format!("{top}/{name}");
            match domains.iter().find(|domain| domain.id.as_str() == top) {
                Some(domain) => {
                    if let Some((_, other)) = homes.get(name)
                        && *other != dir
                    {
                        strays.insert((
                            dir,
                            format!("the module `{name}` is already in {other}"),
                            "rename one of the two".to_owned(),
                        ));
                        continue;
                    }
                    homes.insert(name.to_owned(), (domain.id.clone(), dir));
                }
                None if path == format!("{dir}/module.yaml") => {
                    let help = format!("add `{top}` to `spec.domains` of course.yaml");
                    strays.insert((path.to_owned(), format!("the domain `{top}` is not in course.yaml"), help));
                }
                None => {}
            }
        }
        for (path, message, help) in strays {
            self.say(Diagnostic::new(path, message).help(help));
        }
        homes
    }

    fn module(
        &mut self,
        course: &Identity,
        id: &ModuleId,
        domain: &DomainId,
        dir: &str,
        tasks: &mut BTreeMap<TaskId, CourseTask>,
    ) -> Option<Module> {
        let file = format!("{dir}/module.yaml");
        let node = self.document(&file, "the module's title and tasks")?;
        let ModuleFile { metadata, spec, .. } = strict::typed(&file, &node, node.to_value(), &mut self.problems)?;
        if metadata.id != *id {
            self.say(
                Diagnostic::new(&file, format!("the id `{}` is not the directory's name `{id}`", metadata.id))
                    .at(node.locate("/metadata/id"))
                    .help("rename one of the two"),
            );
        }
        self.unique(&file, &node, "/spec/tasks", "", spec.tasks.iter().map(TaskId::as_str));
        let prefix = format!("{dir}/tasks/");
        let found: BTreeSet<String> = self
            .tree
            .paths()
            .filter_map(|path| Some(path.strip_prefix(&prefix)?.split_once('/')?.0.to_owned()))
            .collect();
        for (index, task) in spec.tasks.iter().enumerate() {
            let at = node.locate(&join("/spec/tasks", &index.to_string()));
            if !found.contains(task.as_str()) {
                let near = nearest(task.as_str(), found.iter().map(String::as_str));
                let help = near.map_or_else(
                    || format!("add {prefix}{task}/task.yaml, or take the task out of the list"),
                    |near| format!("did you mean `{near}`?"),
                );
                self.say(Diagnostic::new(&file, format!("the task `{task}` has no directory")).at(at).help(help));
            } else if let Some(other) = tasks.get(task) {
                let message = format!("the task id `{task}` is used in {} already", other.dir);
                self.say(Diagnostic::new(&file, message).at(at).help("task ids are unique in the course: rename one"));
            } else if let Some(read) = self.task(course, task, id, &format!("{prefix}{task}")) {
                tasks.insert(task.clone(), read);
            }
        }
        for name in found.iter().filter(|name| !spec.tasks.iter().any(|task| task.as_str() == *name)) {
            let problem = Diagnostic::new(format!("{prefix}{name}"), "module.yaml does not list this task");
            self.say(problem.help(format!("add `{name}` to `spec.tasks` of {file}")));
        }
        Some(Module {
            id: metadata.id,
            title: metadata.title,
            domain: domain.clone(),
            lessons: self.lessons(dir),
            tasks: spec.tasks,
        })
    }

    /// Reports the second of two equal words of a list.
    fn unique<'w>(&mut self, file: &str, node: &Node, list: &str, below: &str, words: impl Iterator<Item = &'w str>) {
        let mut seen = BTreeSet::new();
        for (index, word) in words.enumerate() {
            if !seen.insert(word) {
                let at = node.locate(&format!("{list}/{index}{below}"));
                self.say(
                    Diagnostic::new(file, format!("`{word}` is listed twice")).at(at).help("remove one of the two"),
                );
            }
        }
    }

    /// Tasks sum to their domain's points; a draft only hears of it.
    fn sums(&mut self, course: &Course, node: &Node) {
        for (index, domain) in course.domains.iter().enumerate() {
            let of_domain = course.modules.iter().filter(|module| module.domain == domain.id);
            let tasks = of_domain.flat_map(|module| &module.tasks).filter_map(|id| course.tasks.get(id));
            let sum: u32 = tasks.map(|task| task.task.points).sum();
            if sum != domain.points {
                let message = format!("the tasks of `{}` sum to {sum} points, not {}", domain.id, domain.points);
                let help = if course.draft {
                    "nothing to do while tasks are missing: a draft's sums are only reported"
                } else {
                    "correct the points, or say `draft: true` while tasks are missing"
                };
                let at = node.locate(&format!("/spec/domains/{index}/points"));
                let problem = Diagnostic::new("course.yaml", message).at(at).help(help);
                if course.draft { self.warnings.push(problem) } else { self.say(problem) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
