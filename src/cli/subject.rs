//! What is graded: from the words on the command line to tasks with their files. Shared by `grade`, `watch` and `explain`.

use std::path::{Path, PathBuf};

use git2::{Repository, StatusOptions};

use super::output::Graded;
use super::trouble::Trouble;
use crate::course::diagnostic::Diagnostic;
use crate::course::draw::Drawn;
use crate::course::id::{Learner, TaskId};
use crate::course::lint;
use crate::course::locate::{self, Home, Located};
use crate::course::values::Scope;
use crate::course::{Course, CourseTask};
use crate::grade::proof::{self, Entry};
use crate::grade::report::CourseRef;
use crate::grade::view::{Due, learner_view};
use crate::grade::{Advised, Job, grade, grade_and_advise};
use crate::sandbox::{Advising, Sandbox};
use crate::submission::deadline::Deadline;
use crate::submission::scope::{Known, NearMiss, scope};
use crate::submission::sha::CommitId;
use crate::submission::tree::Tree;
use crate::submission::upstream::Upstream;
use crate::submission::working::{self, Working};
use crate::submission::{Submission, heads};

/// What to grade, and by which course
#[derive(Debug, clap::Args)]
pub struct Where {
    /// A workspace, a directory in it, or a lone directory with the files of one task
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Grade this task; otherwise the one whose directory PATH is in, else all that you changed
    #[arg(long, value_name = "ID")]
    pub task: Option<TaskId>,
    /// Directory of the course; otherwise `.gradus/` above PATH, the course around PATH, or one in `./courses`
    #[arg(long, value_name = "DIR")]
    pub course: Option<PathBuf>,
    /// Whose values count; otherwise the learner that the clone's address names
    #[arg(long, value_name = "NAME")]
    pub learner: Option<Learner>,
    /// Grade a commit instead of the working tree: then what the commits did is judged too
    #[arg(long, value_name = "REV")]
    pub commit: Option<String>,
}

/// A submission with the tasks it is about.
#[derive(Debug)]
pub struct Subject {
    /// What judges.
    pub course: Course,
    /// As a whole.
    pub submission: Submission,
    /// In the order of the course.
    pub items: Vec<Item>,
    /// What was probably meant.
    pub near_misses: Vec<NearMiss>,
    /// A working tree in which all is committed.
    pub is_committed: bool,
    /// What to watch for changes: the workspace or the lone directory.
    pub root: PathBuf,
}

/// One task of a submission.
#[derive(Debug)]
pub struct Item {
    /// With the learner's values.
    pub drawn: Drawn,
    /// Hidden fixtures are at hand.
    pub has_hidden: bool,
    /// The files of the task's directory.
    pub files: Tree,
    /// The same directory where the learner started.
    pub base: Tree,
    /// Where the directory is, seen from here, with a slash at its end.
    pub shown_as: String,
    /// How many of the files Git does not know yet.
    pub unadded: usize,
}

impl Where {
    /// Reads everything.
    pub fn read(&self) -> Result<Subject, Trouble> {
        let Located { course, home, task, .. } = locate::find(&self.path, self.course.as_deref(), self.task.as_ref())?;
        let path = self.path.canonicalize().map_err(|source| Trouble::Path { path: self.path.clone(), source })?;
        let path = if path.is_dir() { path } else { path.parent().map(Path::to_owned).unwrap_or(path) };
        if let (Home::Course(dir), None) = (&home, &self.commit)
            && let Ok(inside) = path.strip_prefix(dir)
        {
            return own(course, task, dir, inside);
        }
        let layout = Layout::of(&home, &path, task.as_ref());
        let root = layout.root().to_owned();
        let Working { mut submission, top, unadded, branch } = self.submission(&root)?;
        let is_committed = self.commit.is_none() && is_committed(&root);
        let learner = self.learner.clone().or_else(|| learner_of_clone(&path));
        let draw_scope = learner.map_or(Scope::Course, Scope::Learner);

        let inside = root.strip_prefix(&top).unwrap_or(Path::new(""));
        submission.files = below(&submission.files, inside);
        submission.base = submission.base.map(|base| below(&base, inside));
        let unadded = |dir: &Path| unadded.iter().filter(|path| Path::new(path).starts_with(inside.join(dir))).count();
        if let Layout::Lone(_) = layout {
            let Some(id) = &task else { return Err(Trouble::WhichTask(path)) };
            let course_task = known_task(&course, id)?;
            let prefix = format!("{}/", id.dir());
            for violation in &mut submission.violations {
                violation.path.insert_str(0, &prefix);
            }
            let files = std::mem::take(&mut submission.files);
            let base = submission.base.take();
            let item = item(&course, course_task, &draw_scope, files, base, shown(&root))?;
            let item = Item { unadded: unadded(Path::new("")), ..item };
            return Ok(Subject { course, submission, items: vec![item], near_misses: Vec::new(), is_committed, root });
        }
        let found = match task {
            Some(task) => crate::submission::scope::Scope { tasks: vec![task], ..Default::default() },
            None => {
                let known: Vec<_> = course.tasks_in_order().map(known).collect();
                scope(&known, &submission, branch.as_deref(), &Upstream::local())
            }
        };
        let items = found
            .tasks
            .iter()
            .map(|id| {
                let dir = id.dir();
                let files = submission.files.below(&dir);
                let base = submission.base.as_ref().map(|base| base.below(&dir));
                let item = item(&course, known_task(&course, id)?, &draw_scope, files, base, shown(&root.join(&dir)))?;
                Ok(Item { unadded: unadded(Path::new(&dir)), ..item })
            })
            .collect::<Result<Vec<_>, Trouble>>()?;
        Ok(Subject { course, submission, items, near_misses: found.near_misses, is_committed, root })
    }

    /// The working tree, or the commit in its place.
    fn submission(&self, path: &Path) -> Result<Working, Trouble> {
        let Some(revision) = &self.commit else {
            return Ok(working::read(path, Deadline::none())?);
        };
        let repository = Repository::discover(path).map_err(|_| Trouble::NoRepository(path.to_owned()))?;
        let commit = repository
            .revparse_single(revision)
            .and_then(|object| object.peel_to_commit())
            .map_err(|_| Trouble::NoCommit { revision: revision.clone() })?;
        let head: CommitId = commit.id().into();
        let base = heads::upstream(&repository)?.ok_or_else(|| Trouble::NoUpstream(path.to_owned()))?;
        let submission = heads::read(&repository, &head, &base, Deadline::none())?;
        let top = repository.workdir().unwrap_or(repository.path()).to_owned();
        Ok(Working { submission, top: top.canonicalize().unwrap_or(top), unadded: Vec::new(), branch: None })
    }
}

impl Subject {
    /// Grades all tasks; reports in the learner's view.
    pub fn grade(&self, sandbox: &Sandbox, advising: Advising) -> Vec<Graded<'_>> {
        self.items
            .iter()
            .map(|item| {
                let Advised { report, advice } = self.with_job(item, |job| match advising {
                    Advising::On => grade_and_advise(job, sandbox),
                    Advising::Off => Advised { report: grade(job, sandbox), advice: Vec::new() },
                });
                let report = learner_view(&report, &item.drawn.task, Due::Open);
                Graded { report, advice, files: &item.files, shown_as: item.shown_as.clone() }
            })
            .collect()
    }

    /// Runs something on the job of one task.
    pub fn with_job<T>(&self, item: &Item, run: impl FnOnce(&Job<'_>) -> T) -> T {
        let reference = CourseRef { id: self.course.id.clone(), revision: self.course.revision.clone() };
        run(&Job {
            course: &reference,
            task: &item.drawn.task,
            values: &item.drawn.values,
            commit: self.submission.commit.as_ref(),
            files: &item.files,
            base: &item.base,
            hidden: item.has_hidden.then_some(&item.drawn.hidden),
            history: self.submission.history.as_ref(),
            environs: None,
            violations: &self.submission.violations,
        })
    }
}

/// How a learner's files lie.
enum Layout {
    /// The top of a workspace: files of tasks are in `tasks/ID/`.
    Workspace(PathBuf),
    /// The files of one task and nothing else.
    Lone(PathBuf),
}

impl Layout {
    fn of(home: &Home, path: &Path, task: Option<&TaskId>) -> Self {
        if let Home::Workspace(dir) = home {
            return Layout::Workspace(dir.clone());
        }
        let is_workspace = |dir: &&Path| match task {
            Some(task) => dir.join("tasks").join(task.as_str()).is_dir(),
            None => dir.join("tasks").is_dir(),
        };
        match path.ancestors().find(is_workspace) {
            Some(dir) => Layout::Workspace(dir.to_owned()),
            None => Layout::Lone(path.to_owned()),
        }
    }

    fn root(&self) -> &Path {
        match self {
            Layout::Workspace(dir) | Layout::Lone(dir) => dir,
        }
    }
}

/// A directory inside of a course: what the author wrote there, as a submission.
fn own(course: Course, task: Option<TaskId>, dir: &Path, inside: &Path) -> Result<Subject, Trouble> {
    let Some(id) = task else { return Err(Trouble::InCourse(dir.to_owned())) };
    let course_task = known_task(&course, &id)?;
    let drawn = sound(&course, course_task, &Scope::Course)?;
    // domain/module/tasks/ID/…
    let parts: Vec<String> = inside.iter().skip(4).map(|part| part.to_string_lossy().into_owned()).collect();
    let entry = match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["starter", ..] => Entry::Starter,
        ["solution", ..] => Entry::Solution,
        ["alternatives", name, ..] => Entry::Alternative((*name).to_owned()),
        _ => return Err(Trouble::InCourse(dir.to_owned())),
    };
    let files = proof::submissions(&drawn).find(|own| own.entry == entry).map(|own| own.files.clone());
    let Some(files) = files else { return Err(Trouble::InCourse(dir.to_owned())) };
    let base = drawn.starter.clone();
    let root = dir.join(inside);
    let shown_as = shown(&root);
    let item = Item { drawn, has_hidden: true, files, base, shown_as, unadded: 0 };
    let (submission, near_misses) = (Submission::default(), Vec::new());
    Ok(Subject { course, submission, items: vec![item], near_misses, is_committed: false, root })
}

/// Whether `git status` around the path would have nothing to say; false where there is no repository.
fn is_committed(path: &Path) -> bool {
    let Ok(repository) = Repository::discover(path) else { return false };
    let mut asked = StatusOptions::new();
    asked.include_untracked(true);
    repository.head().is_ok() && repository.statuses(Some(&mut asked)).is_ok_and(|changes| changes.is_empty())
}

fn item(
    course: &Course,
    task: &CourseTask,
    draw_scope: &Scope,
    files: Tree,
    base: Option<Tree>,
    shown_as: String,
) -> Result<Item, Trouble> {
    let drawn = sound(course, task, draw_scope)?;
    let base = base.unwrap_or_else(|| drawn.starter.clone());
    Ok(Item { has_hidden: task.has_hidden(), drawn, files, base, shown_as, unadded: 0 })
}

fn known_task<'a>(course: &'a Course, id: &TaskId) -> Result<&'a CourseTask, Trouble> {
    course.tasks.get(id).ok_or_else(|| Trouble::NoTask { course: course.id.clone(), task: id.clone() })
}

/// A task with these values, whose checkpoints can be judged.
fn sound(course: &Course, task: &CourseTask, draw_scope: &Scope) -> Result<Drawn, Trouble> {
    let drawn = task.draw(course, draw_scope).map_err(|problems| broken(task, problems))?;
    let problems = lint::kinds(task, &drawn);
    if problems.is_empty() { Ok(drawn) } else { Err(broken(task, problems)) }
}

/// A task that cannot be drawn or judged.
pub fn broken(task: &CourseTask, problems: Vec<Diagnostic>) -> Trouble {
    let files = task.files.iter().map(|(path, entry)| (format!("{}/{path}", task.dir), entry.clone()));
    Trouble::Broken { tree: Box::new(files.collect()), problems }
}

/// What near misses are measured against.
fn known(task: &CourseTask) -> Known {
    Known { id: task.task.id.clone(), paths: task.files.below("starter").paths().map(str::to_owned).collect() }
}

fn below(tree: &Tree, dir: &Path) -> Tree {
    if dir.as_os_str().is_empty() { tree.clone() } else { tree.below(&dir.to_string_lossy()) }
}

/// A directory as one would type it from here, with a slash at its end; empty for this one.
pub fn shown(dir: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let relative = match dir.strip_prefix(&here) {
        Ok(inside) => inside.to_owned(),
        Err(_) => match here.strip_prefix(dir) {
            Ok(above) => above.iter().map(|_| "..").collect(),
            Err(_) => dir.to_owned(),
        },
    };
    let text = relative.display().to_string();
    if text.is_empty() || text.ends_with('/') { text } else { text + "/" }
}

/// The learner whose fork this is a clone of: the local forge serves forks as `/git/LEARNER/COURSE.git`.
pub fn learner_of_clone(path: &Path) -> Option<Learner> {
    let repository = Repository::discover(path).ok()?;
    let origin = repository.find_remote("origin").ok()?;
    learner_in(origin.url().ok()?)
}

fn learner_in(address: &str) -> Option<Learner> {
    let url = url::Url::parse(address).ok()?;
    let mut parts = url.path_segments()?;
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("git"), Some(learner), Some(_course), None) => learner.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_local_forges_addresses_name_a_learner() {
        let name = |address| learner_in(address).map(|learner| learner.to_string());
        assert_eq!(name("http://127.0.0.1:4180/git/ada/hello.git").as_deref(), Some("ada"));
        assert_eq!(name("https://github.com/ada/hello.git"), None);
        assert_eq!(name("http://127.0.0.1:4180/git/upstream/deep/hello.git"), None);
        assert_eq!(name("git@github.com:ada/hello.git"), None);
    }
}
