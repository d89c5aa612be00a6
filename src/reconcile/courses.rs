//! The courses that are served: loaded once, published, kept in memory with the tasks drawn for each learner.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::checkpoint::{Checkpoint, Kind};
use crate::course::diagnostic::Diagnostic;
use crate::course::draw::Drawn;
use crate::course::id::{CourseId, Learner, TaskId};
use crate::course::locate::{Home, LocateError, Located, load_dir};
use crate::course::publish::{PublishError, commit, open_or_create, workspace};
use crate::course::values::Scope;
use crate::course::{Course, CourseTask, Module};
use crate::grade::report::CourseRef;
use crate::grade::view::{Due, conceals};
use crate::submission::ReadError;
use crate::submission::heads::Published;
use crate::submission::scope::Known;
use crate::submission::sha::CommitId;
use crate::submission::tree::Tree;

/// Most drawn tasks kept; a draw takes about a millisecond and some ten kilobytes.
const MAX_DRAWN: usize = 4096;

/// A course that is served.
#[derive(Debug)]
pub struct OpenCourse {
    /// What its directory says.
    pub course: Course,
    /// Its id and revision.
    pub reference: CourseRef,
    /// Upstream's `main`, for pull requests that do not say what they are based on; none where all do.
    pub main: Option<CommitId>,
    /// The files of the workspace.
    pub workspace: Tree,
    /// What [`crate::submission::scope`] looks for, in the order of the course.
    pub known: Vec<Known>,
    /// The whole of upstream's `main`, for reading heads against it; none where upstream is not here.
    pub published: Option<Published>,
    drawn: Mutex<HashMap<(Learner, TaskId), Arc<Drawn>>>,
}

/// A course cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, or broken.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// Something in it shows only with values drawn, or when it is published.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Broken(Vec<Diagnostic>),
    /// The upstream repository cannot be written.
    #[error("cannot publish `{course}`: {source}")]
    Publish {
        /// Which course.
        course: CourseId,
        /// Why.
        source: PublishError,
    },
    /// What was published cannot be read.
    #[error("cannot read what was published of `{course}`: {source}")]
    Read {
        /// Which course.
        course: CourseId,
        /// Why.
        source: ReadError,
    },
}

impl OpenCourse {
    /// Loads a course's directory and publishes it into a bare repository. `upstream` and `address` name where, given
    /// its id; `now` is in seconds since the epoch.
    pub fn open(
        dir: &Path,
        upstream: impl Fn(&CourseId) -> std::path::PathBuf,
        address: impl Fn(&CourseId) -> String,
        now: i64,
    ) -> Result<Self, OpenError> {
        let course = load_dir(dir)?.course;
        let broken =
            |problems| LocateError::Broken { home: dir.to_owned(), tree: Box::new(course.files().clone()), problems };
        let files = workspace(&course, Some(&address(&course.id))).map_err(broken)?;
        let failed = |source| OpenError::Publish { course: course.id.clone(), source };
        let repository = open_or_create(&upstream(&course.id)).map_err(failed)?;
        let main = commit(&repository, &course, &files, now).map_err(failed)?.id().clone();
        let published = Published::read(&repository, &main)
            .map_err(|source| OpenError::Read { course: course.id.clone(), source })?;
        Ok(Self { published: Some(published), ..Self::of(course, files, Some(main)) })
    }

    /// Serves what is in a directory to a workspace that was published to a forge: a course with all that is hidden, or a
    /// checkout of the workspace with what everybody may see, and no more.
    pub fn in_dir(dir: &Path, address: &str) -> Result<Self, OpenError> {
        let Located { course, home, .. } = load_dir(dir)?;
        if let Home::Course(_) = home {
            return Self::on_forge(course, address);
        }
        let mut files = Tree::default();
        for (path, entry) in Tree::from_dir(&dir.join("tasks")).map_err(LocateError::from)?.iter() {
            files.insert(format!("tasks/{path}"), entry.clone());
        }
        Ok(Self::of(course, files, None))
    }

    /// Serves a course whose workspace was published to a forge; learners clone it from `address`.
    pub fn on_forge(course: Course, address: &str) -> Result<Self, OpenError> {
        let files = workspace(&course, Some(address)).map_err(OpenError::Broken)?;
        Ok(Self::of(course, files, None))
    }

    fn of(course: Course, workspace: Tree, main: Option<CommitId>) -> Self {
        let reference = CourseRef { id: course.id.clone(), revision: course.revision.clone() };
        let known = tasks(&course).map(|task| known(task, &workspace)).collect();
        Self { course, reference, main, workspace, known, published: None, drawn: Mutex::default() }
    }

    /// Tasks of which something is here that not everybody may see, in the order of the course.
    pub fn secretive(&self) -> Vec<&TaskId> {
        self.with_checkpoint(|c| !matches!(c.kind, Kind::Withheld(_)) && conceals(c, Due::Open))
    }

    /// Tasks with a checkpoint that is not judged by what everybody may see, in the order of the course.
    pub fn concealing(&self) -> Vec<&TaskId> {
        self.with_checkpoint(|c| matches!(c.kind, Kind::Withheld(_)) || conceals(c, Due::Open))
    }

    fn with_checkpoint(&self, of: impl Fn(&Checkpoint) -> bool) -> Vec<&TaskId> {
        self.tasks().map(|task| &task.task).filter(|task| task.checkpoints.iter().any(&of)).map(|t| &t.id).collect()
    }

    /// Tasks in the order of the course.
    pub fn tasks(&self) -> impl Iterator<Item = &CourseTask> {
        tasks(&self.course)
    }

    /// The module of a task.
    pub fn module(&self, task: &TaskId) -> Option<&Module> {
        self.course.modules.iter().find(|module| module.tasks.contains(task))
    }

    /// A task with a learner's values; none when the course has no such task.
    pub fn draw(&self, learner: &Learner, task: &TaskId) -> Option<Result<Arc<Drawn>, Vec<Diagnostic>>> {
        let key = (learner.clone(), task.clone());
        // A cache of whole values: a panic elsewhere leaves it right.
        let lock = || self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drawn) = lock().get(&key) {
            return Some(Ok(drawn.clone()));
        }
        let task = self.course.tasks.get(task)?;
        Some(task.draw(&self.course, &Scope::Learner(learner.clone())).map(|drawn| {
            let drawn = Arc::new(drawn);
            let mut cache = lock();
            if cache.len() >= MAX_DRAWN {
                cache.clear();
            }
            cache.insert(key, drawn.clone());
            drawn
        }))
    }
}

fn tasks(course: &Course) -> impl Iterator<Item = &CourseTask> {
    course.modules.iter().flat_map(|module| &module.tasks).filter_map(|id| course.tasks.get(id))
}

fn known(task: &CourseTask, workspace: &Tree) -> Known {
    let starter = workspace.below(&task.task.id.dir());
    let mut paths: Vec<String> = starter.paths().map(str::to_owned).collect();
    paths.extend(task.task.checkpoints.iter().flat_map(looked_at));
    Known { id: task.task.id.clone(), paths }
}

/// The paths and globs that a checkpoint names, whatever its kind.
fn looked_at(checkpoint: &Checkpoint) -> Vec<String> {
    let written = serde_json::to_value(checkpoint).unwrap_or_default();
    let Some(kind) = written.get(checkpoint.kind.key()) else { return Vec::new() };
    let named = ["path", "in"].into_iter().filter_map(|key| kind.get(key));
    let strings = named.flat_map(|value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect::<Vec<_>>(),
    });
    strings.map(str::to_owned).collect()
}

/// All courses that are served, by id.
pub type Courses = BTreeMap<CourseId, Arc<OpenCourse>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn course(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("courses").join(name)
    }

    /// The course as it is served from its own directory, and from a checkout of its workspace.
    fn both(name: &str) -> (OpenCourse, OpenCourse) {
        let dir = tempfile::tempdir().unwrap();
        let (upstream, checkout) = (dir.path().join("upstream.git"), dir.path().join("checkout"));
        let whole = OpenCourse::open(&course(name), |_| upstream.clone(), |_| "https://x.test".into(), 0).unwrap();
        for (path, entry) in whole.workspace.iter() {
            let crate::submission::tree::Entry::File { bytes, .. } = entry else { panic!("{path}") };
            let path = checkout.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let published = OpenCourse::in_dir(&checkout, "https://x.test").unwrap();
        (whole, published)
    }

    #[test]
    fn a_published_workspace_serves_the_same_tasks_and_nothing_hidden() {
        let (whole, published) = both("hello");
        assert_eq!(published.reference, whole.reference);
        let known = |course: &OpenCourse| course.known.iter().map(|known| known.id.clone()).collect::<Vec<_>>();
        assert_eq!(known(&published), known(&whole));
        for task in published.tasks() {
            assert!(!task.has_hidden());
            let dir = task.task.id.dir();
            assert_eq!(published.workspace.below(&dir), whole.workspace.below(&dir));
        }
    }

    #[test]
    fn tasks_with_hidden_checkpoints_are_known_with_and_without_what_is_hidden() {
        let (whole, published) = both("cnpe");
        assert!(!whole.concealing().is_empty());
        assert_eq!(whole.concealing(), published.concealing());
        assert_eq!(whole.secretive(), whole.concealing());
        assert!(published.secretive().is_empty());
        let (whole, published) = both("hello");
        assert_eq!((whole.concealing(), published.concealing()), (vec![], vec![]));
    }
}
