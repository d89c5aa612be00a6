//! Which course a path is about: `--course`, else `.gradus/` above the path, else the course around it, else the course
//! in `./courses/` that holds the task.

use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::id::TaskId;
use super::load::{self, Loaded};
use super::publish::WORKSPACE_FILE;
use super::{Course, workspace};
use crate::submission::read::ReadError;
use crate::submission::tree::Tree;

/// A course, and the task that the path names.
#[derive(Debug, Clone)]
pub struct Located {
    /// Loaded.
    pub course: Course,
    /// What does not stand in its way.
    pub warnings: Vec<Diagnostic>,
    /// Where it was found.
    pub home: Home,
    /// The task that was asked for, else the one whose directory the path is in.
    pub task: Option<TaskId>,
}

/// Where a course was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// Its directory: with solutions and hidden files.
    Course(PathBuf),
    /// A workspace, told by its `.gradus/`.
    Workspace(PathBuf),
}

impl Home {
    /// The directory.
    pub fn path(&self) -> &Path {
        match self {
            Home::Course(path) | Home::Workspace(path) => path,
        }
    }
}

/// Why there is no course.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// No such path.
    #[error("cannot read {}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing was found.
    #[error("no course belongs to {}: go into a clone of a workspace, or name the course by `--course DIR`", .0.display())]
    Nothing(PathBuf),
    /// A clone of a workspace without what it carries of the course.
    #[error("{} has no `.gradus` any more: `{RESTORE}` brings it back", .0.display())]
    Stripped(PathBuf),
    /// No course nearby has the task.
    #[error("no course in ./courses has a task `{task}`{}", near.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    NoTaskNearby {
        /// Which task.
        task: String,
        /// A task that was perhaps meant.
        near: Option<String>,
    },
    /// Not the directory of a course.
    #[error("{} is no course: it holds neither course.yaml nor .gradus/workspace.yaml", .0.display())]
    NoCourse(PathBuf),
    /// Several fit.
    #[error("the task is in several courses: name one by `--course`: {}", shown(.0))]
    Several(Vec<PathBuf>),
    /// The course has no such task.
    #[error("the course `{course}` has no task `{task}`{}", near.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    NoTask {
        /// Which course.
        course: String,
        /// Which task.
        task: String,
        /// A task that was perhaps meant.
        near: Option<String>,
    },
    /// The directory cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The course is broken.
    #[error("the course in {} is broken: {}", home.display(), problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Broken {
        /// Where.
        home: PathBuf,
        /// Its files, for excerpts.
        tree: Box<Tree>,
        /// What is wrong.
        problems: Vec<Diagnostic>,
    },
}

/// What puts back what was published, in a clone.
pub const RESTORE: &str = "git checkout origin/main -- .gradus";

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds and loads the course for `path`. `course` is `--course`, `task` is `--task`.
pub fn find(path: &Path, course: Option<&Path>, task: Option<&TaskId>) -> Result<Located, LocateError> {
    let path = absolute(path)?;
    let home = match course {
        Some(dir) => {
            let dir = absolute(dir)?;
            home_at(&dir).ok_or(LocateError::NoCourse(dir))?
        }
        None => {
            let above = |is: fn(&Path) -> bool| path.ancestors().find(|dir| is(dir)).map(Path::to_owned);
            match (above(is_workspace), above(is_course)) {
                (Some(dir), _) => Home::Workspace(dir),
                (None, Some(dir)) => Home::Course(dir),
                (None, None) => nearby(&path, task)?,
            }
        }
    };
    let Loaded { course, warnings } = load_home(&home)?;
    let task = match task {
        Some(task) if course.tasks.contains_key(task) => Some(task.clone()),
        Some(task) => {
            let near = super::diagnostic::nearest(task.as_str(), course.tasks.keys().map(TaskId::as_str));
            let near = near.map(str::to_owned);
            return Err(LocateError::NoTask { course: course.id.to_string(), task: task.to_string(), near });
        }
        None => task_of(&path, &home, &course),
    };
    Ok(Located { course, warnings, home, task })
}

/// Loads the course in a directory, which is a course's or a workspace's.
pub fn load_dir(dir: &Path) -> Result<Located, LocateError> {
    find(dir, Some(dir), None)
}

fn load_home(home: &Home) -> Result<Loaded, LocateError> {
    let (tree, loaded) = match home {
        Home::Workspace(dir) => {
            let tree = workspace::read_dir(dir)?;
            let loaded = workspace::load(&tree);
            (tree, loaded)
        }
        Home::Course(dir) => {
            let tree = Tree::from_dir(dir)?;
            let name = dir.file_name().unwrap_or_default().to_string_lossy();
            let loaded = load::load(&tree, &name);
            (tree, loaded)
        }
    };
    loaded.map_err(|problems| LocateError::Broken { home: home.path().to_owned(), tree: Box::new(tree), problems })
}

fn absolute(path: &Path) -> Result<PathBuf, LocateError> {
    path.canonicalize().map_err(|source| LocateError::Path { path: path.to_owned(), source })
}

fn is_workspace(dir: &Path) -> bool {
    dir.join(WORKSPACE_FILE).is_file()
}

fn is_course(dir: &Path) -> bool {
    dir.join("course.yaml").is_file()
}

fn home_at(dir: &Path) -> Option<Home> {
    if is_course(dir) {
        Some(Home::Course(dir.to_owned()))
    } else if is_workspace(dir) {
        Some(Home::Workspace(dir.to_owned()))
    } else {
        None
    }
}

/// The course in `./courses/` that holds the task, which the path names by its last part unless it is asked for.
fn nearby(path: &Path, task: Option<&TaskId>) -> Result<Home, LocateError> {
    let named: Vec<String> = match task {
        Some(task) => vec![task.to_string()],
        None => path.iter().rev().map(|part| part.to_string_lossy().into_owned()).collect(),
    };
    let courses = courses_nearby();
    for name in named {
        let mut holding: Vec<PathBuf> = courses.iter().filter(|dir| holds(dir, &name)).cloned().collect();
        match (holding.pop(), holding.is_empty()) {
            (Some(dir), true) => return Ok(Home::Course(absolute(&dir)?)),
            (Some(dir), false) => {
                holding.push(dir);
                return Err(LocateError::Several(holding));
            }
            (None, _) => {}
        }
    }
    if let Some(dir) = path.ancestors().find(|dir| is_stripped(dir)) {
        return Err(LocateError::Stripped(dir.to_owned()));
    }
    match task {
        Some(task) if !courses.is_empty() => {
            let tasks = tasks_nearby();
            let near = super::diagnostic::nearest(task.as_str(), tasks.iter().map(String::as_str));
            Err(LocateError::NoTaskNearby { task: task.to_string(), near: near.map(str::to_owned) })
        }
        _ => Err(LocateError::Nothing(path.to_owned())),
    }
}

/// Whether a directory looks like a clone of a workspace whose `.gradus/` was deleted.
fn is_stripped(dir: &Path) -> bool {
    dir.join(".git").exists() && dir.join("tasks").is_dir() && dir.join("briefs").is_dir()
}

/// Whether a directory is in a course or a workspace.
pub fn is_inside(dir: &Path) -> bool {
    dir.ancestors().any(|dir| is_course(dir) || is_workspace(dir))
}

/// The courses in `./courses`, by name.
pub fn courses_nearby() -> Vec<PathBuf> {
    let mut courses: Vec<PathBuf> = directories(Path::new("courses")).filter(|dir| is_course(dir)).collect();
    courses.sort();
    courses
}

/// What the directories of tasks of these courses are called.
pub fn tasks_nearby() -> Vec<String> {
    let modules = courses_nearby().into_iter().flat_map(inside).flat_map(inside);
    let tasks = modules.flat_map(|module| inside(module.join("tasks")));
    let tasks = tasks.filter(|task| task.join("task.yaml").is_file());
    tasks.filter_map(|task| Some(task.file_name()?.to_str()?.to_owned())).collect()
}

fn inside(dir: PathBuf) -> Vec<PathBuf> {
    directories(&dir).collect()
}

/// Whether a course's directory has a task of this name.
fn holds(course: &Path, task: &str) -> bool {
    task.parse::<TaskId>().is_ok()
        && directories(course)
            .flat_map(inside)
            .any(|module| module.join("tasks").join(task).join("task.yaml").is_file())
}

fn directories(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// The task whose directory the path is in, or is called.
fn task_of(path: &Path, home: &Home, course: &Course) -> Option<TaskId> {
    let known = |part: &std::ffi::OsStr| {
        let id: TaskId = part.to_str()?.parse().ok()?;
        course.tasks.contains_key(&id).then_some(id)
    };
    match path.strip_prefix(home.path()) {
        Ok(inside) => {
            let parts: Vec<_> = inside.iter().collect();
            let at = if matches!(home, Home::Workspace(_)) { 0 } else { 2 };
            if parts.get(at)?.to_str()? == "tasks" { known(parts.get(at + 1)?) } else { None }
        }
        Err(_) => path.iter().rev().find_map(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> TaskId {
        id.parse().expect("an id")
    }

    #[test]
    fn a_path_inside_a_course_names_course_and_task() {
        let dir = super::super::tests::course_on_disk();
        let inside = dir.path().join("demo/d1-first/module-1-1/tasks/replicas/starter");
        let located = find(&inside, None, None).expect("found");
        assert_eq!(located.task, Some(task("replicas")));
        assert_eq!(located.course.id.as_str(), "demo");
        let located = find(&dir.path().join("demo"), None, None).expect("found");
        assert_eq!(located.task, None);
    }

    #[test]
    fn a_workspace_goes_before_the_course_around_it() {
        let dir = super::super::tests::course_on_disk();
        let course = dir.path().join("demo");
        let fork = course.join("d1-first/fork");
        let loaded = load_dir(&course).expect("loads").course;
        let files = super::super::publish::workspace(&loaded, None).expect("publishes");
        super::super::tests::write(&fork, &files);
        let located = find(&fork.join("tasks/replicas"), None, None).expect("found");
        assert_eq!(located.home, Home::Workspace(fork.canonicalize().expect("there")));
        assert_eq!(located.task, Some(task("replicas")));
        assert_eq!(located.course.revision, loaded.revision);
    }

    #[test]
    fn a_lone_directory_is_the_task_that_it_is_called() {
        let dir = super::super::tests::course_on_disk();
        let lone = dir.path().join("elsewhere/replicas");
        std::fs::create_dir_all(&lone).expect("made");
        let located = find(&lone, Some(&dir.path().join("demo")), None).expect("found");
        assert_eq!(located.task, Some(task("replicas")));
        assert!(matches!(find(&lone, None, None), Err(LocateError::Nothing(_))));
        assert!(matches!(find(&lone, Some(&lone), None), Err(LocateError::NoCourse(_))));
        let wrong = find(&lone, Some(&dir.path().join("demo")), Some(&task("replica")));
        assert!(matches!(wrong, Err(LocateError::NoTask { near: Some(near), .. }) if near == "replicas"));
    }

    #[test]
    fn a_clone_whose_gradus_was_deleted_is_told_from_any_other_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(dir.path().join("tasks/replicas")).expect("made");
        let found = |at: &str| find(&dir.path().join(at), None, None);
        assert!(matches!(found("tasks/replicas"), Err(LocateError::Nothing(_))));
        for part in [".git", "briefs"] {
            std::fs::create_dir(dir.path().join(part)).expect("made");
        }
        let top = dir.path().canonicalize().expect("there");
        assert!(matches!(found("tasks/replicas"), Err(LocateError::Stripped(at)) if at == top));
    }
}
