//! Before a commit is offered to Argo CD: is all that Argo CD would make of it what the environment allows? Pure.
//!
//! What counts is what Argo CD reads, not what a file is for: every `*.yaml`, `*.yml` and `*.json` below the path, dot files
//! and subdirectories too, and whatever changes how it reads them. Where its reading and ours could differ, the commit is
//! refused. The account that applies the objects has the last word: this is the first, and says it with file and line.

mod files;
mod object;
mod text;

use std::fmt;

pub use object::speaks_to_argocd;

use git2::Repository;

use super::allowed::Allowed;
use super::object::Object;
use super::policy::Policy;
use super::wrap::{Wrapped, wrap};
use crate::checkpoint::evidence::Place;
use crate::submission::read::ReadError;
use crate::submission::sha::CommitId;
use crate::submission::tree::Tree;

/// Most objects of one commit.
pub const MAX_OBJECTS: usize = 200;

/// Most bytes of all files together that Argo CD reads.
pub const MAX_BYTES: usize = 1 << 20;

/// Most bytes of one object as JSON: Argo CD keeps a copy in an annotation, and an object's annotations hold 256 KiB.
pub const MAX_OBJECT_BYTES: usize = 200 << 10;

/// Most objections that are kept.
const MAX_OBJECTIONS: usize = 100;

/// What a commit applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Each object, and where it stands.
    pub objects: Vec<(Object, Place)>,
    /// The directory that they are in, from the top.
    pub path: String,
    /// How they are kept in sync.
    pub policy: Policy,
    /// Where that is written; none where it is ours.
    pub policy_at: Option<Place>,
}

/// Why a commit is not offered. Texts are in part the learner's: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Which rule.
    pub rule: Rule,
    /// Where, from the top of the repository; no file where it concerns all.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub what: String,
    /// What to do, in one sentence without a full stop.
    pub remedy: String,
}

/// Which rule an objection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The commit is larger or odder than what is read at all.
    Unread,
    /// There is nothing at the path.
    Nothing,
    /// A submodule, which Argo CD would fetch.
    Submodule,
    /// A symbolic link.
    Symlink,
    /// `.gitattributes` that make another file of it when it is checked out.
    Attributes,
    /// A file that makes Argo CD read the others in another way.
    Generator,
    /// A file that looks like a manifest and is not read.
    Extension,
    /// A Git LFS pointer.
    LfsPointer,
    /// Too much.
    Size,
    /// A mark that makes Argo CD leave the file out.
    Skipped,
    /// Not YAML, or not JSON.
    Syntax,
    /// YAML or JSON that two programs read differently.
    Reading,
    /// Not a Kubernetes object.
    NoObject,
    /// A list that is not a plain `List`.
    List,
    /// A kind that is not allowed.
    Kind,
    /// An object that Argo CD takes for its own.
    ArgoCd,
    /// A namespace that is not the environment's.
    Namespace,
    /// A name that the API server is to make up.
    GenerateName,
    /// A field of `metadata` that is not the learner's to set.
    Metadata,
    /// An annotation or label that speaks to Argo CD.
    Annotation,
    /// A Secret that hands out the rights of an account.
    Token,
    /// An object that is there twice.
    Duplicate,
    /// An object that the course made.
    Seeded,
    /// The learner's own Application says nothing that can be taken over.
    Application,
}

/// What says which directory a commit applies, from the top of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The task: this directory.
    Directory(String),
    /// The learner's own Application.
    Application {
        /// The task's directory, from which its path counts.
        root: String,
        /// Its file.
        file: String,
    },
}

/// Whether a commit may be offered: all that it applies, or every objection.
///
/// # Errors
/// When the repository cannot be read.
pub fn of_commit(
    repository: &Repository,
    commit: &CommitId,
    origin: &Origin,
    allowed: &Allowed,
) -> Result<Result<Accepted, Vec<Objection>>, ReadError> {
    // A submission leaves out what its merge base already has; what Argo CD would apply may come from there.
    match Tree::from_commit(repository, commit) {
        Ok(tree) => Ok(of_tree(&tree, origin, allowed)),
        Err(ReadError::Refused(violations)) => {
            let objection = |violation: crate::submission::violation::Violation| Objection {
                rule: Rule::Unread,
                place: Place { file: Some(violation.path).filter(|path| !path.is_empty()), ..Place::default() },
                what: match violation.limit {
                    Some(limit) => format!("{} (limit: {limit})", violation.what),
                    None => violation.what,
                },
                remedy: violation.remedy,
            };
            Ok(Err(violations.into_iter().map(objection).collect()))
        }
        Err(error) => Err(error),
    }
}

/// The same for a tree that holds all of the commit ([`Tree::from_commit`]).
pub fn of_tree(tree: &Tree, origin: &Origin, allowed: &Allowed) -> Result<Accepted, Vec<Objection>> {
    match origin {
        Origin::Directory(path) => preflight(tree, path, allowed),
        Origin::Application { root, file } => {
            let Wrapped { path, policy, path_at, policy_at } = wrap(tree, root, file)?;
            let accepted = preflight(tree, &path, allowed)?;
            if accepted.objects.is_empty() {
                let (what, remedy) = ("this directory has no manifests", "name the one that your manifests are in");
                let (what, remedy) = (what.to_owned(), remedy.to_owned());
                return Err(vec![Objection { rule: Rule::Application, place: path_at, what, remedy }]);
            }
            Ok(Accepted { policy, policy_at: Some(policy_at), ..accepted })
        }
    }
}

/// The objects of one directory.
pub fn preflight(tree: &Tree, path: &str, allowed: &Allowed) -> Result<Accepted, Vec<Objection>> {
    let path = path.trim_matches('/');
    let mut against = Objections::default();
    files::examine(tree, path, &mut against);
    if files::is_too_much(tree, path) {
        // It is refused whatever it says: this process reads no more than it has to.
        return Err(against.0);
    }
    let mut applied = object::Applied::new(allowed);
    for (file, bytes) in files::manifests(tree, path) {
        text::examine(file, bytes, &mut applied, &mut against);
    }
    match against.0.is_empty() {
        true => Ok(Accepted { objects: applied.finish(), path: path.to_owned(), ..Accepted::default() }),
        false => Err(against.0),
    }
}

/// Objections, up to a number that nobody reads to the end.
#[derive(Debug, Default)]
struct Objections(Vec<Objection>);

impl Objections {
    fn add(&mut self, rule: Rule, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        if self.0.len() < MAX_OBJECTIONS {
            self.0.push(Objection { rule, place, what: what.into(), remedy: remedy.into() });
        }
    }
}

/// A place that is a whole file.
fn at_file(path: &str) -> Place {
    Place { file: Some(path.to_owned()), ..Place::default() }
}

/// As in `tasks/a/web.yaml:3: …: …`.
impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.place.file {
            write!(f, "{}", crate::submission::violation::printable(file))?;
            if let Some(line) = self.place.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

#[cfg(test)]
mod tests;
