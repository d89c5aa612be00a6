//! The workspace as commits on `main` of a bare repository. History is only added to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, FileMode, Oid, Repository, Signature, Time};

use crate::course::id::CourseId;
use crate::course::{Course, strict, workspace};
use crate::submission::bare::open_or_make;
use crate::submission::sha::CommitId;
use crate::submission::tree::{Entry, Tree};

/// Where the workspace lives.
const MAIN: &str = "refs/heads/main";
/// What is ours at the top of a workspace. Everything else is its owner's: workflows, a licence, code owners.
const OURS: [&str; 5] = [".gradus", "README.md", "briefs", "lessons", "tasks"];
/// Who commits it.
const NAME: &str = "Gradus";
/// Not an address that anybody could own.
const EMAIL: &str = "publish@gradus.invalid";
/// Most tasks or lessons named in a subject.
const MAX_NAMED: usize = 3;

/// Why a workspace was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Has a working tree, which would no longer match its branch.
    #[error("{} is not a bare repository: name a new directory, or make one by `git init --bare`", .0.display())]
    NotBare(PathBuf),
    /// Its `main` holds something else.
    #[error("`main` of {} was not published by Gradus: name a new directory", .0.display())]
    Foreign(PathBuf),
    /// Its `main` holds the workspace of another course.
    #[error(
        "`main` of {} holds the workspace of the course `{other}`, and nothing of it was changed: publish `{course}` to a \
         directory of its own, as in `--to {course}.git`", dir.display()
    )]
    Another {
        /// The repository.
        dir: PathBuf,
        /// The course that was to be published.
        course: CourseId,
        /// The course whose workspace is there.
        other: String,
    },
    /// Somebody else published meanwhile.
    #[error("`main` moved while publishing: publish again")]
    Raced,
    /// libgit2 said no.
    #[error("cannot {doing}")]
    Git {
        /// As in "write the tree".
        doing: &'static str,
        /// Why it failed.
        source: git2::Error,
    },
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// A commit was added.
    Commit {
        /// Its id.
        id: CommitId,
        /// What changed, the subject line first.
        message: String,
    },
    /// `main` held exactly this workspace already.
    Unchanged(CommitId),
}

impl Published {
    /// The commit that holds the workspace.
    pub fn id(&self) -> &CommitId {
        match self {
            Published::Commit { id, .. } | Published::Unchanged(id) => id,
        }
    }
}

fn failed(doing: &'static str) -> impl FnOnce(git2::Error) -> PublishError {
    move |source| PublishError::Git { doing, source }
}

/// Opens a bare repository, or creates it when the directory is empty or not there.
pub fn open_or_create(dir: &Path) -> Result<Repository, PublishError> {
    let empty = std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    if empty {
        return open_or_make(dir).map_err(failed("create the repository"));
    }
    let repository = Repository::open_bare(dir).map_err(|_| PublishError::NotBare(dir.to_owned()))?;
    if repository.is_bare() { Ok(repository) } else { Err(PublishError::NotBare(dir.to_owned())) }
}

/// Commits a workspace onto `main`, unless `main` holds it already. Files of its owner beside it stay. `now` is in seconds
/// since the epoch.
pub fn commit(repository: &Repository, course: &Course, workspace: &Tree, now: i64) -> Result<Published, PublishError> {
    let parent = match repository.find_reference(MAIN) {
        Ok(reference) => Some(reference.peel_to_commit().map_err(failed("read `main`"))?),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(failed("read `main`")(error)),
    };
    let mut tree = write_tree(repository, workspace)?;
    if let Some(parent) = &parent {
        let before = parent.tree().map_err(failed("read the tree of `main`"))?;
        tree = keep_beside(repository, tree, &before)?;
    }
    let tree = repository.find_tree(tree).map_err(failed("read the tree back"))?;
    let (message, seconds) = match &parent {
        None => (first_message(course), now),
        Some(parent) => {
            let before = parent.tree().map_err(failed("read the tree of `main`"))?;
            if before.id() == tree.id() {
                return Ok(Published::Unchanged(parent.id().into()));
            }
            if before.get_path(Path::new(super::WORKSPACE_FILE)).is_err() {
                return Err(PublishError::Foreign(repository.path().to_owned()));
            }
            if let Some(other) = course_of(repository, &before).filter(|other| *other != course.id.as_str()) {
                return Err(PublishError::Another {
                    dir: repository.path().to_owned(),
                    course: course.id.clone(),
                    other,
                });
            }
            let changes = changed_paths(repository, &before, &tree)?;
            let moved = moved(repository, &before, workspace);
            (update_message(course, &changes, &moved), now.max(parent.time().seconds()))
        }
    };
    let who = Signature::new(NAME, EMAIL, &Time::new(seconds, 0)).map_err(failed("sign the commit"))?;
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let id = repository.commit(None, &who, &who, &message, &tree, &parents).map_err(failed("write the commit"))?;
    advance(repository, parent.as_ref().map(git2::Commit::id), id)?;
    Ok(Published::Commit { id: id.into(), message })
}

/// The course that a workspace says it was published from; none where it cannot be read.
fn course_of(repository: &Repository, workspace: &git2::Tree<'_>) -> Option<String> {
    let entry = workspace.get_path(Path::new(super::WORKSPACE_FILE)).ok()?;
    let blob = repository.find_blob(entry.id()).ok()?;
    let text = std::str::from_utf8(blob.content()).ok()?;
    let file = strict::document(super::WORKSPACE_FILE, text).ok()?.to_value();
    file.pointer("/metadata/id")?.as_str().map(str::to_owned)
}

/// Moves `main`, unless it moved since it was read.
fn advance(repository: &Repository, from: Option<Oid>, to: Oid) -> Result<(), PublishError> {
    let moved = match from {
        None => repository.reference(MAIN, to, false, "publish"),
        Some(from) => repository.reference_matching(MAIN, to, true, from, "publish"),
    };
    match moved {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists) => Err(PublishError::Raced),
        Err(error) => Err(failed("move `main`")(error)),
    }
}

/// The tree with what stood beside an earlier one and is not ours.
fn keep_beside(repository: &Repository, tree: Oid, before: &git2::Tree<'_>) -> Result<Oid, PublishError> {
    let tree = repository.find_tree(tree).map_err(failed("read the tree back"))?;
    let mut builder = repository.treebuilder(Some(&tree)).map_err(failed("write the tree"))?;
    for entry in before.iter() {
        if !OURS.iter().any(|ours| ours.as_bytes() == entry.name_bytes()) {
            builder.insert(entry.name_bytes(), entry.id(), entry.filemode()).map_err(failed("write the tree"))?;
        }
    }
    builder.write().map_err(failed("write the tree"))
}

pub(super) fn write_tree(repository: &Repository, tree: &Tree) -> Result<Oid, PublishError> {
    let mut builder = repository.treebuilder(None).map_err(failed("write the tree"))?;
    let mut directories: BTreeSet<&str> = BTreeSet::new();
    for (path, entry) in tree.iter() {
        if let Some((directory, _)) = path.split_once('/') {
            directories.insert(directory);
            continue;
        }
        // A course holds regular files only; loading it refused everything else.
        let Entry::File { bytes, executable } = entry else { continue };
        let mode = if *executable { FileMode::BlobExecutable } else { FileMode::Blob };
        let blob = repository.blob(bytes).map_err(failed("write a file"))?;
        builder.insert(path, blob, mode.into()).map_err(failed("write the tree"))?;
    }
    for directory in directories {
        let below = write_tree(repository, &tree.below(directory))?;
        builder.insert(directory, below, FileMode::Tree.into()).map_err(failed("write the tree"))?;
    }
    builder.write().map_err(failed("write the tree"))
}

fn changed_paths(
    repository: &Repository,
    before: &git2::Tree<'_>,
    after: &git2::Tree<'_>,
) -> Result<Vec<(char, String)>, PublishError> {
    let diff = repository.diff_tree_to_tree(Some(before), Some(after), None).map_err(failed("compare with `main`"))?;
    let path = |delta: git2::DiffDelta<'_>| {
        let sign = match delta.status() {
            git2::Delta::Added => '+',
            git2::Delta::Deleted => '-',
            _ => '~',
        };
        let file = if sign == '-' { delta.old_file() } else { delta.new_file() };
        Some((sign, file.path()?.to_str()?.to_owned()))
    };
    Ok(diff.deltas().filter_map(path).collect())
}

fn first_message(course: &Course) -> String {
    let (lessons, tasks) =
        (course.modules.iter().map(|module| module.lessons.len()).sum::<usize>(), course.tasks.len());
    format!("Publish {}: {}, {}\n\n{}", course.title, count(lessons, "lesson"), count(tasks, "task"), trailer(course))
}

fn trailer(course: &Course) -> String {
    format!("Gradus-Course: {}\nGradus-Revision: {}\n", course.id, course.revision)
}

fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// What a workspace says of itself that is other than before.
#[derive(Default)]
struct Moved {
    /// Where it is cloned from now.
    address: Option<String>,
    /// Whether it is of another revision of its course.
    revision: bool,
}

fn moved(repository: &Repository, before: &git2::Tree<'_>, workspace: &Tree) -> Moved {
    let old = || {
        let entry = before.get_path(Path::new(super::WORKSPACE_FILE)).ok()?;
        let blob = repository.find_blob(entry.id()).ok()?;
        let mut tree = Tree::default();
        tree.insert_file(super::WORKSPACE_FILE, blob.content());
        workspace::describe(&tree).ok()
    };
    // What an older program wrote may not read any more: then as much as the paths say is said.
    let (Some(old), Ok(new)) = (old(), workspace::describe(workspace)) else {
        return Moved { revision: true, ..Moved::default() };
    };
    let revision = old.spec.revision != new.spec.revision;
    Moved { address: new.spec.address.filter(|new| old.spec.address.as_ref() != Some(new)), revision }
}

/// What changed, in the words of the course. `changes` holds `+`, `-` or `~` and the path.
fn update_message(course: &Course, changes: &[(char, String)], moved: &Moved) -> String {
    let mut lines = Vec::new();
    let (mut tasks, mut lessons) = (Vec::new(), Vec::new());
    let mut ids: Vec<&str> = changes.iter().filter_map(|(_, path)| task_of(path)).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let of_task = || changes.iter().filter(|(_, path)| task_of(path) == Some(id));
        let spec = format!(".gradus/tasks/{id}.yaml");
        let sign_of = |wanted: &str| of_task().find(|(_, path)| path == wanted).map(|(sign, _)| *sign);
        let mut parts = Vec::new();
        match sign_of(&spec) {
            Some('+') => parts.push("new"),
            Some('-') => parts.push("removed"),
            Some(_) => parts.push("checkpoints"),
            None => {}
        }
        if parts.is_empty() || parts == ["checkpoints"] {
            parts.extend(sign_of(&format!("briefs/{id}.md")).map(|_| "brief"));
            parts.extend(of_task().any(|(_, path)| path.starts_with("tasks/")).then_some("starter"));
        }
        lines.push(format!("- task {id}: {}", parts.join(", ")));
        tasks.push(id);
    }
    for (sign, path) in changes.iter().filter(|(_, path)| path.starts_with("lessons/")) {
        let word = match sign {
            '+' => "new",
            '-' => "removed",
            _ => "changed",
        };
        let name = path.trim_start_matches("lessons/");
        lines.push(format!("- lesson {name}: {word}"));
        lessons.push(name);
    }
    lines.extend(moved.address.iter().map(|address| format!("- clone from {address}")));
    let subject = match (tasks.len(), lessons.len()) {
        (0, 0) => match moved {
            Moved { address: Some(_), revision: false } => {
                "Update where to clone from: the course is the same".to_owned()
            }
            Moved { address: Some(_), revision: true } => {
                "Update the course's revision and where to clone from: no task or lesson changed".to_owned()
            }
            Moved { address: None, revision: true } => {
                "Update the course's revision: no task or lesson changed".to_owned()
            }
            Moved { address: None, revision: false } => {
                let paths: Vec<&str> = changes.iter().map(|(_, path)| path.as_str()).collect();
                format!("Update {}: the course is the same", paths.join(", "))
            }
        },
        (0, 1..=MAX_NAMED) => format!("Update {}", lessons.join(", ")),
        (0, many) => format!("Update {}", count(many, "lesson")),
        (1..=MAX_NAMED, 0) => format!("Update {}", tasks.join(", ")),
        (1..=MAX_NAMED, many) => format!("Update {} and {}", tasks.join(", "), count(many, "lesson")),
        (tasks, 0) => format!("Update {}", count(tasks, "task")),
        (tasks, lessons) => format!("Update {} and {}", count(tasks, "task"), count(lessons, "lesson")),
    };
    let body = if lines.is_empty() { String::new() } else { format!("{}\n\n", lines.join("\n")) };
    format!("{subject}\n\n{body}{}", trailer(course))
}

fn task_of(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("tasks/") {
        return rest.split_once('/').map(|(id, _)| id);
    }
    path.strip_prefix("briefs/")
        .and_then(|rest| rest.strip_suffix(".md"))
        .or_else(|| path.strip_prefix(".gradus/tasks/").and_then(|rest| rest.strip_suffix(".yaml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_publishers_do_not_overwrite_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = open_or_create(dir.path()).expect("a repository");
        let who = Signature::new(NAME, EMAIL, &Time::new(0, 0)).expect("a signature");
        let empty = repository.treebuilder(None).and_then(|builder| builder.write()).expect("a tree");
        let tree = repository.find_tree(empty).expect("a tree");
        let make = |message: &str| repository.commit(None, &who, &who, message, &tree, &[]).expect("a commit");
        let (mine, theirs) = (make("mine"), make("theirs"));
        advance(&repository, None, theirs).expect("the first one moves `main`");
        assert!(matches!(advance(&repository, None, mine), Err(PublishError::Raced)));
        assert!(matches!(advance(&repository, Some(mine), mine), Err(PublishError::Raced)));
        assert_eq!(repository.refname_to_id(MAIN).expect("main"), theirs);
    }
}
