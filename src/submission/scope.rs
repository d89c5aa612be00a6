//! What a submission is about, and what it may have meant (design §1, promise 7).
//!
//! Pure: trees, history and the names of tasks in, tasks and near misses out.

use std::collections::BTreeMap;

use super::Submission;
use super::history::Change;
use super::limits::MAX_FETCH_BYTES;
use super::shell::quoted;
use super::tree::Tree;
use super::upstream::Upstream;
use crate::course::id::TaskId;

/// Most near misses that are told at once: a learner mends the first, and the rest often goes with it.
pub const MAX_NEAR_MISSES: usize = 10;

/// What a submission is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Tasks below whose `tasks/TASK-ID/` it changes something against its merge base, in the order asked.
    pub tasks: Vec<TaskId>,
    /// Changes that miss, with what was probably meant.
    pub near_misses: Vec<NearMiss>,
    /// It is on the branch that follows the workspace.
    pub on_main: Option<OnMain>,
}

/// Work on `main`, which is graded like any other, and how to get it off there: commands, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnMain {
    /// Moves the work to a branch, whether or not that is there already.
    pub aside: String,
    /// Puts `main` back to the workspace as it is published.
    pub back: String,
}

/// A change that no checkpoint will look at, with what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The path (or branch) as the learner wrote it.
    pub found: String,
    /// The path that is looked for.
    pub meant: String,
    /// What is wrong with it, as in "differs in upper and lower case".
    pub why: String,
    /// A command that mends it, copyable.
    pub remedy: String,
}

/// A task and the files it looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Which task.
    pub id: TaskId,
    /// Files of its starter and paths of its checkpoints, relative to its directory. Globs are passed over.
    pub paths: Vec<String>,
}

/// Finds what a submission is about. `branch` is the pushed one, where there is one.
pub fn scope(known: &[Known], submission: &Submission, branch: Option<&str>, upstream: &Upstream) -> Scope {
    let scope = found(known, submission, branch, upstream);
    let on_main = submission.commit.is_some() && branch == Some("main");
    let on_main = on_main.then(|| OnMain::of(scope.tasks.first(), upstream));
    Scope { on_main, ..scope }
}

fn found(known: &[Known], submission: &Submission, branch: Option<&str>, upstream: &Upstream) -> Scope {
    if let Some(history) = &submission.history
        && history.merge_base.is_none()
    {
        return Scope { near_misses: vec![unrelated(branch, upstream)], ..Scope::default() };
    }
    let changes = changes(submission);
    let known = &with_published(known, submission.base.as_ref());
    let look = Look { known, files: &submission.files, branch };
    let mut tasks: Vec<TaskId> =
        known.iter().map(|task| &task.id).filter(|id| changes.keys().any(|path| is_below(path, id))).cloned().collect();

    let of_all = submission.violations.iter().find(|violation| violation.path.is_empty());
    if let (Some(violation), true) = (of_all, tasks.is_empty()) {
        // What was read ends somewhere: the branch says best what the rest was about.
        tasks.extend(known.iter().map(|task| &task.id).find(|id| Some(id.as_str()) == branch).cloned());
        if tasks.is_empty() {
            let near_misses = vec![NearMiss {
                found: branch.unwrap_or("the submission").to_owned(),
                meant: "files below `tasks/TASK-ID/`".to_owned(),
                why: violation.what.clone(),
                remedy: violation.remedy.clone(),
            }];
            return Scope { tasks, near_misses, on_main: None };
        }
    }

    if submission.history.is_none() && submission.base.is_none() && !tasks.is_empty() {
        // Of a plain directory nobody can tell which files are the learner's.
        return Scope { tasks, ..Scope::default() };
    }
    let mut near_misses: Vec<NearMiss> = changes
        .iter()
        .filter(|(_, change)| **change != Change::Deleted)
        .filter_map(|(path, change)| look.near_miss(path, *change))
        .take(MAX_NEAR_MISSES)
        .collect();
    if tasks.is_empty() && near_misses.is_empty() {
        near_misses.push(nothing(submission, &changes, branch));
    }
    Scope { tasks, near_misses, on_main: None }
}

impl OnMain {
    fn of(task: Option<&TaskId>, upstream: &Upstream) -> Self {
        let name = task.map_or("work", TaskId::as_str);
        Self {
            // A branch that is there keeps what it has.
            aside: format!(
                "git switch -c {name} || git switch {name}\ngit merge --no-edit main && git push -u origin {name}"
            ),
            back: format!(
                "{} && git push -f origin FETCH_HEAD:main && git branch -f main FETCH_HEAD",
                upstream.fetch()
            ),
        }
    }

    /// All commands in their order.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.aside.lines().chain(self.back.lines())
    }
}

/// With the files that the merge base has below each task's directory: a fork knows no other starter.
fn with_published(known: &[Known], base: Option<&Tree>) -> Vec<Known> {
    let mut known = known.to_vec();
    for task in &mut known {
        let published = base.map(|base| base.below(&task.id.dir())).unwrap_or_default();
        task.paths.extend(published.paths().map(str::to_owned));
        task.paths.sort();
        task.paths.dedup();
    }
    known
}

/// Every path that differs from the merge base. Without a base (a plain directory) all of them.
fn changes(submission: &Submission) -> BTreeMap<&str, Change> {
    let mut changes = BTreeMap::new();
    let unread = submission.history.as_ref().is_none_or(|history| history.truncated);
    if unread {
        let base = submission.base.as_ref();
        for (path, entry) in submission.files.iter() {
            match base.and_then(|base| base.get(path)) {
                None => changes.insert(path, Change::Added),
                Some(old) if old != entry => changes.insert(path, Change::Modified),
                Some(_) => None,
            };
        }
        let gone = base.into_iter().flat_map(Tree::paths).filter(|path| submission.files.get(path).is_none());
        changes.extend(gone.map(|path| (path, Change::Deleted)));
    }
    if let Some(history) = &submission.history {
        changes.extend(history.changed.iter().map(|changed| (changed.path.as_str(), changed.change)));
    }
    // A file that was refused may not be in the tree at all, and is the learner's work nevertheless.
    for violation in submission.violations.iter().filter(|violation| !violation.path.is_empty()) {
        changes.entry(&violation.path).or_insert(Change::Added);
    }
    changes
}

fn is_below(path: &str, id: &TaskId) -> bool {
    path.strip_prefix("tasks/")
        .and_then(|rest| rest.strip_prefix(id.as_str()))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn unrelated(branch: Option<&str>, upstream: &Upstream) -> NearMiss {
    NearMiss {
        found: branch.unwrap_or("this head").to_owned(),
        meant: "a branch that starts from the workspace's `main`".to_owned(),
        why: "shares no commit with the workspace, so nothing can be compared".to_owned(),
        remedy: begun_again(branch, upstream),
    }
}

/// What a head adds is larger than is fetched, so nobody knows what it is about.
pub fn too_large(branch: &str, upstream: &Upstream) -> NearMiss {
    let megabytes = MAX_FETCH_BYTES >> 20;
    NearMiss {
        found: branch.to_owned(),
        meant: format!("a branch whose commits add less than {megabytes} MiB to the workspace"),
        why: format!(
            "adds more than {megabytes} MiB, so it was not read; a file that a later commit takes away counts too: begin \
             again without what is large"
        ),
        remedy: begun_again(Some(branch), upstream),
    }
}

/// A new branch from the workspace with the work of the old one.
fn begun_again(branch: Option<&str>, upstream: &Upstream) -> String {
    let old = branch.and_then(quoted).unwrap_or_else(|| "HEAD".to_owned());
    let new = quoted(&format!("{}-again", branch.unwrap_or("work"))).unwrap_or_else(|| "work-again".to_owned());
    format!("{} && git switch -c {new} FETCH_HEAD && git checkout {old} -- tasks", upstream.fetch())
}

/// Nothing was changed that any task looks at.
fn nothing(submission: &Submission, changes: &BTreeMap<&str, Change>, branch: Option<&str>) -> NearMiss {
    let commits = submission.history.as_ref().map(|history| history.commits.as_slice());
    let mut paths = changes.iter();
    let hand_in = "git add -A tasks && git commit -m \"Solve the task\" && git push";
    let work = format!("ls tasks/  # change files of your task below it, then:\n{hand_in}");
    let (found, why, remedy) = match (paths.next(), commits) {
        (Some((first, change)), _) => {
            let more = if paths.len() == 0 { String::new() } else { format!(" and {} more", paths.len()) };
            let remedy = match (change, quoted(first)) {
                (Change::Added, Some(file)) => {
                    format!("git mv {file} tasks/TASK-ID/  # TASK-ID as `ls tasks/` shows it\n{hand_in}")
                }
                _ => work,
            };
            // Of a task that is there a change would have been looked at.
            let of_a_task = first.strip_prefix("tasks/").and_then(|rest| rest.split_once('/'));
            let why = match of_a_task {
                Some((id, _)) => format!("the course has no task `{id}`, or has it no more"),
                None => "no task looks at it".to_owned(),
            };
            (format!("{first}{more}"), why, remedy)
        }
        (None, Some([.., last])) => {
            let found = format!("{} {}", last.id.short(), last.subject());
            (found, "the commits change no file".to_owned(), format!("git status\n{hand_in}"))
        }
        (None, Some([])) => {
            (branch.unwrap_or("this head").to_owned(), "the branch has no commit of its own".to_owned(), work)
        }
        (None, None) => ("the working tree".to_owned(), "nothing differs from `main`".to_owned(), work),
    };
    NearMiss { found, meant: "a change below `tasks/TASK-ID/`".to_owned(), why, remedy }
}

/// Places that a file could be meant for; more help nobody.
const MOST_PLACES: usize = 5;

/// What a path is compared with.
struct Look<'a> {
    known: &'a [Known],
    files: &'a Tree,
    branch: Option<&'a str>,
}

impl Look<'_> {
    fn near_miss(&self, path: &str, change: Change) -> Option<NearMiss> {
        if let Some(task) = self.known.iter().find(|task| is_below(path, &task.id)) {
            return if change == Change::Added { self.inside(path, task) } else { None };
        }
        let segments: Vec<&str> = path.split('/').collect();
        let named = |name: &str| self.known.iter().find(|task| task.id.as_str().eq_ignore_ascii_case(name));
        let in_tasks = segments[0].eq_ignore_ascii_case("tasks");
        let directories = &segments[..segments.len() - 1];
        if let Some((at, task)) = directories.iter().enumerate().find_map(|(at, name)| Some((at, named(name)?))) {
            let why = match at {
                1 if in_tasks => "differs in upper and lower case".to_owned(),
                0 => format!("the directory of the task stands at the top instead of `{}`", task.id.dir()),
                _ => format!("is not below `{}`", task.id.dir()),
            };
            return Some(self.miss(path, &task.meant(&segments[at + 1..].join("/")), why));
        }
        if in_tasks && segments.len() > 2 {
            let spelt = segments[1].to_ascii_lowercase();
            let nearest = self.known.iter().min_by_key(|task| strsim::osa_distance(task.id.as_str(), &spelt))?;
            if strsim::osa_distance(nearest.id.as_str(), &spelt) <= 1 + spelt.len() / 6 {
                let why = format!("no task is named `{}`", segments[1]);
                return Some(self.miss(path, &nearest.meant(&segments[2..].join("/")), why));
            }
        }
        if change == Change::Added { self.by_name(path, segments[segments.len() - 1]) } else { None }
    }

    /// A new file in the directory of a task, close to one that the task looks at and that is not there.
    fn inside(&self, path: &str, task: &Known) -> Option<NearMiss> {
        let here = &path[task.id.dir().len()..].trim_start_matches('/');
        if task.paths.iter().any(|expected| expected == here) {
            return None;
        }
        let missing = || {
            let there = |expected: &str| self.files.get(&format!("{}/{expected}", task.id.dir())).is_some();
            task.paths.iter().filter(move |expected| !is_glob(expected) && !there(expected))
        };
        let (meant, why) = missing()
            .find(|expected| expected.eq_ignore_ascii_case(here))
            .map(|expected| (expected, "differs in upper and lower case"))
            .or_else(|| {
                let same = |expected: &&String| other_extension(here).is_some_and(|other| other == **expected);
                missing().find(same).map(|expected| (expected, "has another extension"))
            })
            .or_else(|| {
                let same = |expected: &&String| is_alike(file_name(expected), file_name(here));
                only(missing().filter(same)).map(|expected| (expected, "is in another directory"))
            })
            .or_else(|| {
                let close = |expected: &&String| strsim::osa_distance(expected, here) <= 2;
                only(missing().filter(close)).map(|expected| (expected, "is spelt in another way"))
            })?;
        Some(self.miss(path, &format!("{}/{meant}", task.id.dir()), why.to_owned()))
    }

    /// A new file outside of every task with the name of a file that one task looks at.
    fn by_name(&self, path: &str, name: &str) -> Option<NearMiss> {
        let candidates = || {
            let of = |task: &'_ Known| {
                let id = task.id.clone();
                let same =
                    task.paths.iter().filter(|expected| !is_glob(expected) && is_alike(file_name(expected), name));
                same.map(move |expected| (id.clone(), expected.clone())).collect::<Vec<_>>()
            };
            self.known.iter().flat_map(of)
        };
        let of_branch = candidates().filter(|(id, _)| Some(id.as_str()) == self.branch);
        if let Some((id, expected)) = only(of_branch).or_else(|| only(candidates())).or_else(|| self.by_task(name)) {
            let why = format!("is not below `{}`", id.dir());
            return Some(self.miss(path, &format!("{}/{expected}", id.dir()), why));
        }
        let places: Vec<String> = candidates().map(|(id, expected)| format!("{}/{expected}", id.dir())).collect();
        let first = places.first()?;
        let moves = places.iter().take(MOST_PLACES).map(|place| self.moving(path, place));
        Some(NearMiss {
            found: path.to_owned(),
            meant: format!("the file of one task, as in `{first}`"),
            why: "is below the directory of no task".to_owned(),
            remedy: format!("# one of these, by the task that it answers:\n{}", moves.collect::<Vec<_>>().join("\n")),
        })
    }

    /// The file of a task that has one of this kind, when a file is named after the task.
    fn by_task(&self, name: &str) -> Option<(TaskId, String)> {
        let (stem, extension) = name.rsplit_once('.')?;
        let task = self.known.iter().find(|task| task.id.as_str().eq_ignore_ascii_case(stem))?;
        let suffix = format!(".{extension}");
        let path = only(task.paths.iter().filter(|path| !is_glob(path) && path.ends_with(&suffix)))?;
        Some((task.id.clone(), path.clone()))
    }

    fn miss(&self, found: &str, meant: &str, why: String) -> NearMiss {
        NearMiss { found: found.to_owned(), meant: meant.to_owned(), why, remedy: self.moving(found, meant) }
    }

    /// The command that moves a file to where it is looked for. What is there already stays in Git's history.
    fn moving(&self, found: &str, meant: &str) -> String {
        let (Some(from), Some(to)) = (quoted(found), quoted(meant)) else {
            return format!("rename the file to `{meant}` by hand: its name has characters that do not show");
        };
        let force = if self.files.get(meant).is_some() { "-f " } else { "" };
        let (parent, _) = meant.rsplit_once('/').unwrap_or(("", meant));
        let below = format!("{parent}/");
        match quoted(parent) {
            Some(parent) if !self.files.paths().any(|path| path.starts_with(&below)) => {
                format!("mkdir -p {parent} && git mv {from} {to}")
            }
            _ => format!("git mv {force}{from} {to}"),
        }
    }
}

impl Known {
    /// The path that is looked for, given one relative to some directory that stands for the task's.
    fn meant(&self, rest: &str) -> String {
        let alike = |expected: &&String| {
            expected.eq_ignore_ascii_case(rest) || other_extension(rest).is_some_and(|other| other == **expected)
        };
        let rest = self.paths.iter().find(alike).map_or(rest, String::as_str);
        format!("{}/{rest}", self.id.dir())
    }
}

fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The same name but for case and the two extensions of YAML.
fn is_alike(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || other_extension(other).is_some_and(|other| one.eq_ignore_ascii_case(&other))
}

fn other_extension(path: &str) -> Option<String> {
    let (stem, extension) = path.rsplit_once('.')?;
    match extension {
        "yml" => Some(format!("{stem}.yaml")),
        "yaml" => Some(format!("{stem}.yml")),
        _ => None,
    }
}

/// The only item, none when there are several.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    if items.next().is_some() { None } else { Some(first) }
}

#[cfg(test)]
mod tests {
    use super::super::history::{ChangedPath, CommitFacts, History};
    use super::super::violation::Violation;
    use super::*;

    fn scope(known: &[Known], submission: &Submission, branch: Option<&str>) -> Scope {
        super::scope(known, submission, branch, &Upstream::local())
    }

    fn id(text: &str) -> TaskId {
        text.parse().unwrap()
    }

    fn known() -> Vec<Known> {
        let known =
            |name: &str, paths: &[&str]| Known { id: id(name), paths: paths.iter().map(|p| p.to_string()).collect() };
        vec![
            known("first-probe", &["deployment.yaml", "gitops/project.yaml", "kustomization.yaml"]),
            known("sync-windows", &["kustomization.yaml", "apps/*.yaml", "windows.yaml"]),
        ]
    }

    /// A head whose starter files are there, with these changes on top: `+` adds, `~` modifies, `-` deletes.
    fn head(changes: &[&str]) -> Submission {
        let mut base = Tree::default();
        for task in known() {
            for path in task.paths.iter().filter(|path| !is_glob(path)) {
                base.insert_file(format!("{}/{path}", task.id.dir()), *b"starter");
            }
        }
        base.insert_file("README.md", *b"x");
        let mut files = base.clone();
        let mut changed = Vec::new();
        for text in changes {
            let path = text[1..].to_owned();
            let change = match &text[..1] {
                "+" => Change::Added,
                "~" => Change::Modified,
                _ => Change::Deleted,
            };
            match change {
                Change::Deleted => drop(files.remove(&path)),
                _ => files.insert_file(path.clone(), *b"work"),
            }
            changed.push(ChangedPath { path, change, added: 1, removed: 0 });
        }
        let commit: super::super::sha::CommitId = "2".repeat(40).parse().unwrap();
        let facts = CommitFacts {
            id: commit.clone(),
            parents: Vec::new(),
            message: "Work".to_owned(),
            author: "Ada".to_owned(),
            time: 0,
            signed: false,
            changed: changed.clone(),
        };
        let merge_base = Some("1".repeat(40).parse().unwrap());
        let history = History { merge_base, commits: vec![facts], truncated: false, changed };
        Submission { commit: Some(commit), files, base: Some(base), history: Some(history), violations: Vec::new() }
    }

    fn names(scope: &Scope) -> Vec<&str> {
        scope.tasks.iter().map(TaskId::as_str).collect()
    }

    #[test]
    fn a_submission_is_about_the_tasks_whose_directories_it_changes() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["~tasks/first-probe/deployment.yaml"], &["first-probe"]),
            (&["-tasks/sync-windows/windows.yaml"], &["sync-windows"]),
            (&["~tasks/sync-windows/windows.yaml", "+tasks/first-probe/x"], &["first-probe", "sync-windows"]),
            (&["~README.md", "~tasks/first-probe/deployment.yaml"], &["first-probe"]),
            (&["~README.md"], &[]),
        ];
        for (changes, tasks) in cases {
            assert_eq!(names(&scope(&known(), &head(changes), Some("work"))), tasks, "{changes:?}");
        }
    }

    #[test]
    fn a_right_change_has_no_near_miss() {
        for changes in [
            &["~tasks/first-probe/deployment.yaml"] as &[&str],
            &["+tasks/first-probe/overlays/prod/kustomization.yaml", "~README.md"],
            &["+tasks/sync-windows/apps/web.yaml"],
            &["-tasks/first-probe/gitops/project.yaml"],
        ] {
            assert_eq!(scope(&known(), &head(changes), Some("work")).near_misses, [], "{changes:?}");
        }
    }

    #[test]
    fn each_near_miss_says_what_was_meant_and_how_to_mend_it() {
        // what was changed, what was meant, a word of why, the command
        let cases: [(&[&str], &str, &str, &str); 14] = [
            (
                &["+Tasks/first-probe/deployment.yaml"],
                "tasks/first-probe/deployment.yaml",
                "case",
                "git mv -f Tasks/first-probe/deployment.yaml tasks/first-probe/deployment.yaml",
            ),
            (
                &["+tasks/First-Probe/new.yaml"],
                "tasks/first-probe/new.yaml",
                "case",
                "git mv tasks/First-Probe/new.yaml tasks/first-probe/new.yaml",
            ),
            (
                &["+first-probe/gitops/Project.yaml"],
                "tasks/first-probe/gitops/project.yaml",
                "at the top",
                "git mv -f first-probe/gitops/Project.yaml tasks/first-probe/gitops/project.yaml",
            ),
            (
                &["+task/first-probe/deployment.yml"],
                "tasks/first-probe/deployment.yaml",
                "not below",
                "git mv -f task/first-probe/deployment.yml tasks/first-probe/deployment.yaml",
            ),
            (
                &["+solutions/first-probe/more/x.yaml"],
                "tasks/first-probe/more/x.yaml",
                "not below",
                "mkdir -p tasks/first-probe/more && git mv solutions/first-probe/more/x.yaml tasks/first-probe/more/x.yaml",
            ),
            (
                &["+tasks/frist-probe/deployment.yaml"],
                "tasks/first-probe/deployment.yaml",
                "no task is named `frist-probe`",
                "git mv -f tasks/frist-probe/deployment.yaml tasks/first-probe/deployment.yaml",
            ),
            (
                &["+tasks/sync-window/windows.yaml"],
                "tasks/sync-windows/windows.yaml",
                "no task is named",
                "git mv -f tasks/sync-window/windows.yaml tasks/sync-windows/windows.yaml",
            ),
            (
                &["+windows.yaml"],
                "tasks/sync-windows/windows.yaml",
                "not below",
                "git mv -f windows.yaml tasks/sync-windows/windows.yaml",
            ),
            (
                &["+tasks/deployment.yml"],
                "tasks/first-probe/deployment.yaml",
                "not below",
                "git mv -f tasks/deployment.yml tasks/first-probe/deployment.yaml",
            ),
            (
                &["-tasks/first-probe/deployment.yaml", "+tasks/first-probe/deployment.yml"],
                "tasks/first-probe/deployment.yaml",
                "extension",
                "git mv tasks/first-probe/deployment.yml tasks/first-probe/deployment.yaml",
            ),
            (
                &["-tasks/first-probe/deployment.yaml", "+tasks/first-probe/Deployment.yaml"],
                "tasks/first-probe/deployment.yaml",
                "case",
                "git mv tasks/first-probe/Deployment.yaml tasks/first-probe/deployment.yaml",
            ),
            (
                &["-tasks/first-probe/gitops/project.yaml", "+tasks/first-probe/project.yaml"],
                "tasks/first-probe/gitops/project.yaml",
                "another directory",
                "mkdir -p tasks/first-probe/gitops && git mv tasks/first-probe/project.yaml tasks/first-probe/gitops/project.yaml",
            ),
            (
                &["-tasks/first-probe/deployment.yaml", "+tasks/first-probe/deploymnet.yaml"],
                "tasks/first-probe/deployment.yaml",
                "spelt",
                "git mv tasks/first-probe/deploymnet.yaml tasks/first-probe/deployment.yaml",
            ),
            (
                &["+my files/it's/windows.yaml"],
                "tasks/sync-windows/windows.yaml",
                "not below",
                r"git mv -f 'my files/it'\''s/windows.yaml' tasks/sync-windows/windows.yaml",
            ),
        ];
        for (changes, meant, why, remedy) in cases {
            let scope = scope(&known(), &head(changes), Some("work"));
            let [miss] = &scope.near_misses[..] else { panic!("{changes:?}: {scope:#?}") };
            assert_eq!((miss.meant.as_str(), miss.remedy.as_str()), (meant, remedy), "{changes:?}");
            assert!(miss.why.contains(why), "{changes:?}: {}", miss.why);
            assert_eq!(miss.found, changes.last().unwrap()[1..], "{changes:?}");
        }
    }

    #[test]
    fn what_was_published_is_looked_for_even_when_no_path_is_named() {
        let bare: Vec<Known> = known().into_iter().map(|task| Known { paths: Vec::new(), ..task }).collect();
        let miss = scope(&bare, &head(&["+windows.yml"]), Some("work")).near_misses.remove(0);
        assert_eq!(miss.meant, "tasks/sync-windows/windows.yaml");
    }

    #[test]
    fn a_name_that_several_tasks_use_is_decided_by_the_branch_or_not_at_all() {
        let submission = head(&["+kustomization.yaml"]);
        let meant = |branch| scope(&known(), &submission, Some(branch)).near_misses[0].meant.clone();
        assert_eq!(meant("sync-windows"), "tasks/sync-windows/kustomization.yaml");
        assert_eq!(meant("work"), "the file of one task, as in `tasks/first-probe/kustomization.yaml`");
        let remedy = scope(&known(), &submission, Some("work")).near_misses[0].remedy.clone();
        let moves: Vec<&str> = remedy.lines().skip(1).collect();
        assert!(
            moves.len() > 1
                && moves.iter().all(|line| line.contains("git mv") && line.contains(" kustomization.yaml tasks/")),
            "{remedy}"
        );
    }

    #[test]
    fn a_file_named_after_its_task_stands_for_the_tasks_one_file() {
        let submission = head(&["+tasks/lone.yaml"]);
        let of = |paths: &[&str]| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            let known = [Known { id: "lone".parse().unwrap(), paths }];
            scope(&known, &submission, Some("work")).near_misses[0].remedy.lines().next().unwrap().to_owned()
        };
        assert_eq!(of(&["web.yaml", "notes.md"]), "mkdir -p tasks/lone && git mv tasks/lone.yaml tasks/lone/web.yaml");
        // Which of two, nobody knows.
        assert!(of(&["web.yaml", "api.yaml"]).starts_with("git mv tasks/lone.yaml tasks/TASK-ID/"));
    }

    #[test]
    fn nothing_gradable_says_what_was_looked_for() {
        let gone = "tasks/nobody-knows-it/app.yaml";
        let cases: [(&[&str], &str, &str); 4] = [
            (&["~README.md"], "README.md", "no task looks at it"),
            (&[&format!("~{gone}")], gone, "the course has no task `nobody-knows-it`, or has it no more"),
            (&["~README.md", "+notes.md"], "README.md and 1 more", "no task looks at it"),
            (&[], "2222222 Work", "the commits change no file"),
        ];
        for (changes, found, why) in cases {
            let scope = scope(&known(), &head(changes), Some("work"));
            assert_eq!(scope.tasks, []);
            let [miss] = &scope.near_misses[..] else { panic!("{scope:#?}") };
            assert_eq!((miss.found.as_str(), miss.why.as_str()), (found, why));
            assert!(miss.meant.contains("tasks/TASK-ID/"));
            assert!(!miss.remedy.starts_with("git add"), "there is nothing to add: {}", miss.remedy);
        }
    }

    #[test]
    fn a_branch_without_a_commit_and_unrelated_history_are_answered() {
        let mut submission = head(&[]);
        submission.history.as_mut().unwrap().commits.clear();
        assert_eq!(
            scope(&known(), &submission, Some("work")).near_misses[0].why,
            "the branch has no commit of its own"
        );

        let mut submission = head(&["~tasks/first-probe/deployment.yaml"]);
        submission.base = None;
        submission.history.as_mut().unwrap().merge_base = None;
        let scope = scope(&known(), &submission, Some("work"));
        assert_eq!(scope.tasks, []);
        assert!(scope.near_misses[0].why.contains("shares no commit"));
        assert_eq!(
            scope.near_misses[0].remedy,
            "git fetch origin gradus/workspace && git switch -c work-again FETCH_HEAD && git checkout work -- tasks"
        );
    }

    #[test]
    fn work_on_main_is_graded_and_told_how_to_move() {
        let scope = scope(&known(), &head(&["~tasks/first-probe/deployment.yaml"]), Some("main"));
        assert_eq!(names(&scope), ["first-probe"]);
        assert_eq!(scope.near_misses, [], "it was looked at");
        let commands: Vec<String> = scope.on_main.unwrap().commands().map(str::to_owned).collect();
        assert_eq!(
            commands,
            [
                "git switch -c first-probe || git switch first-probe",
                "git merge --no-edit main && git push -u origin first-probe",
                "git fetch origin gradus/workspace && git push -f origin FETCH_HEAD:main && git branch -f main FETCH_HEAD",
            ]
        );
        let of = |branch| super::scope(&known(), &head(&["~README.md"]), branch, &Upstream::at("https://x.test/w.git"));
        assert!(of(Some("main")).on_main.unwrap().back.starts_with("git fetch https://x.test/w.git main && "));
        assert_eq!((of(Some("work")).on_main, of(None).on_main), (None, None));
    }

    #[test]
    fn a_working_tree_is_compared_by_content_and_a_plain_directory_as_a_whole() {
        let mut submission = head(&["~tasks/first-probe/deployment.yaml", "+windows.yml"]);
        (submission.commit, submission.history) = (None, None);
        let found = scope(&known(), &submission, None);
        assert_eq!(names(&found), ["first-probe"]);
        assert_eq!(found.near_misses[0].meant, "tasks/sync-windows/windows.yaml");

        submission.base = None;
        let found = scope(&known(), &submission, None);
        assert_eq!((names(&found), found.near_misses.len()), (vec!["first-probe", "sync-windows"], 0));
    }

    #[test]
    fn a_refused_file_is_work_too_and_an_endless_tree_goes_by_its_branch() {
        let mut submission = head(&[]);
        submission.violations = vec![Violation::file_bytes("tasks/first-probe/video.mp4", 1 << 30)];
        assert_eq!(names(&scope(&known(), &submission, Some("work"))), ["first-probe"]);

        submission.violations = vec![Violation::files()];
        assert_eq!(names(&scope(&known(), &submission, Some("sync-windows"))), ["sync-windows"]);
        let lost = scope(&known(), &submission, Some("work"));
        assert_eq!((lost.tasks.len(), lost.near_misses[0].why.as_str()), (0, "there are too many files"));
    }

    #[test]
    fn a_command_never_runs_what_a_path_says() {
        let hostile =
            ["+first-probe/$(touch pwned).yaml", "+first-probe/';touch pwned;'.yaml", "+-first-probe/first-probe/x"];
        for change in hostile {
            let miss = scope(&known(), &head(&[change]), None).near_misses.remove(0);
            let dir = tempfile::tempdir().unwrap();
            // Only the shell's own reading of the words matters here.
            let script = miss.remedy.replace("git mv", "printf '<%s>\\n'").replace("mkdir -p", "true");
            let run = std::process::Command::new("sh").arg("-c").arg(script).current_dir(dir.path()).output().unwrap();
            let words = String::from_utf8(run.stdout).unwrap();
            assert!(run.status.success() && words.contains(&change[1..]), "{change}: {words}");
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{change}");
        }
        let miss = scope(&known(), &head(&["+first-probe/\u{202e}x.yaml"]), None).near_misses.remove(0);
        assert!(miss.remedy.starts_with("rename the file"));
    }

    #[test]
    fn a_thousand_misplaced_files_are_a_short_list() {
        let changes: Vec<String> = (0..1000).map(|n| format!("+first-probe/{n}.yaml")).collect();
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        assert_eq!(scope(&known(), &head(&changes), None).near_misses.len(), MAX_NEAR_MISSES);
    }
}
