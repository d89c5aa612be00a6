//! What `lint` and `test` are about: directories of courses or tasks, ids of tasks, or all courses in `./courses`.

use std::path::{Path, PathBuf};

use crate::course::diagnostic::nearest;
use crate::course::id::TaskId;
use crate::course::locate::{self, LocateError, Located};

/// Why there is nothing to look at. These verbs have no `--course`: what they take are the directories themselves.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// None was named, and none is here.
    #[error("there is no course in ./courses: name the directory of a course or a task")]
    NoneHere,
    /// The directory is in no course.
    #[error("no course belongs to {}: name the directory of a course, which has a `course.yaml`, or of a task in it", .0.display())]
    NoCourse(PathBuf),
    /// Neither a directory nor the id of a task.
    #[error(
        "`{name}` is neither a directory nor a task of a course in ./courses{}",
        near.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default()
    )]
    Neither {
        /// As written.
        name: TaskId,
        /// A task that was perhaps meant.
        near: Option<String>,
    },
    /// Anything else.
    #[error(transparent)]
    Locate(#[from] LocateError),
}

/// The named ones; without any, what this directory is in, else all of `./courses`.
///
/// # Errors
/// None was named, and there is none.
pub fn targets(named: &[PathBuf]) -> Result<Vec<PathBuf>, TargetError> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let here = std::env::current_dir().unwrap_or_default();
    if locate::is_inside(&here) {
        return Ok(vec![here]);
    }
    let courses = locate::courses_nearby();
    if courses.is_empty() { Err(TargetError::NoneHere) } else { Ok(courses) }
}

/// A path, or else the id of a task.
///
/// # Errors
/// It names nothing, or a broken course.
pub fn locate(target: &Path) -> Result<Located, TargetError> {
    let id = target.to_str().filter(|_| !target.exists()).and_then(|text| text.parse::<TaskId>().ok());
    let at = if id.is_some() { Path::new(".") } else { target };
    locate::find(at, None, id.as_ref()).map_err(|error| match (error, id) {
        (LocateError::Nothing(_), Some(name)) => {
            let known = locate::tasks_nearby();
            let near = nearest(name.as_str(), known.iter().map(String::as_str)).map(str::to_owned);
            TargetError::Neither { name, near }
        }
        (LocateError::Nothing(path), None) => TargetError::NoCourse(path),
        (other, _) => TargetError::Locate(other),
    })
}
