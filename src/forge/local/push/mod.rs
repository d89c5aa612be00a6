//! Taking a push: what `git receive-pack` does, with the objects unpacked by git and everything else decided here.
//!
//! ```text
//! lines ──▶ Asked ──▶ Quarantine (git unpacks and checks the objects) ──▶ look ──▶ admit ──▶ move the branches ──▶ report
//! ```
//!
//! Until `admit` nothing of the push is in the repository; a refusal, a client that goes away or a crash leaves nothing
//! but a directory that nobody reads. `receive-pack` would start five processes and our own program twice for the same
//! steps (`docs/performance.md`); here it is one.

mod asked;
mod quarantine;
mod spoken;

use std::path::Path;
use std::time::Duration;

use git2::{ErrorCode, Oid, Repository};

pub use asked::{Asked, Refusal};
pub use quarantine::{PackHeader, Quarantine};
pub use spoken::Voice;

use crate::forge::pull::Branch;
use crate::submission::deadline::Deadline;
use crate::submission::sha::CommitId;
use crate::submission::{ReadError, incoming};

/// Most branches that one push may move; somebody who pushes more pushed something by mistake.
pub const MAX_UPDATES: usize = 50;

/// Longest list of references in bytes; far above what [`MAX_UPDATES`] needs, so that who pushes more is told why.
pub const MAX_ASKED: usize = 1 << 20;

/// How long looking at a push may take.
const LOOKING: Duration = Duration::from_secs(30);

/// A branch that is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which one.
    pub branch: Branch,
    /// Where the learner saw it; none: it was not there.
    pub old: Option<CommitId>,
    /// Where it goes; none: away.
    pub new: Option<CommitId>,
}

/// What the pushed commits may not hold, each with its place; nothing when all of it may come in. Also proves that
/// nothing is missing from them: every tree and file that their branches do not have yet is looked up.
pub fn look(fork: &Path, quarantine: Option<&Path>, moved: &[Moved]) -> Result<Vec<String>, ReadError> {
    let repository = incoming::open(fork, quarantine)?;
    let deadline = Deadline::after(LOOKING);
    let mut found = Vec::new();
    for (new, old) in moved.iter().filter_map(|moved| Some((moved.new.as_ref()?, moved.old.as_ref()))) {
        for violation in incoming::check_incoming(&repository, old, new, deadline)? {
            let place = if violation.path.is_empty() { String::new() } else { format!("{}: ", violation.path) };
            found.push(format!("{place}{violation}"));
        }
    }
    Ok(found)
}

/// Moves the branches, each from where the learner saw it and from nowhere else. What became of each, in order.
pub fn move_branches(fork: &Repository, moved: &[Moved]) -> Vec<Result<(), String>> {
    moved.iter().map(|moved| move_branch(fork, moved)).collect()
}

fn move_branch(repository: &Repository, moved: &Moved) -> Result<(), String> {
    let name = format!("refs/heads/{}", moved.branch);
    let oid = |id: &CommitId| Oid::from_str(id.as_str());
    let result = match (&moved.old, &moved.new) {
        (None, Some(new)) => oid(new).and_then(|new| repository.reference(&name, new, false, "push").map(drop)),
        (Some(old), Some(new)) => {
            let set = |old, new| repository.reference_matching(&name, new, true, old, "push").map(drop);
            oid(old).and_then(|old| set(old, oid(new)?))
        }
        (Some(old), None) => oid(old).and_then(|old| delete(repository, &name, old)),
        // Gone already: what was wanted.
        (None, None) => Ok(()),
    };
    result.map_err(|error| {
        if moved.new.is_some()
            && let Some(other) = in_the_way(repository, &moved.branch)
        {
            return format!(
                "Git keeps no `{}` beside the branch `{other}`: push under another name, as in `git push origin \
                 HEAD:refs/heads/my-answer`",
                moved.branch
            );
        }
        match error.code() {
            ErrorCode::Exists | ErrorCode::Modified | ErrorCode::NotFound => {
                "it has moved meanwhile: fetch, and push again".to_owned()
            }
            ErrorCode::Locked => "somebody else is moving it: push again".to_owned(),
            _ => {
                // Git's words hold places on this machine.
                tracing::error!(branch = %moved.branch, %error, "a branch was not moved");
                "our fault: the log of `gradus up` says more".to_owned()
            }
        }
    })
}

/// A branch whose name is a directory of this one's, or the other way round: Git keeps one of them.
fn in_the_way(repository: &Repository, branch: &Branch) -> Option<String> {
    let name = branch.to_string();
    let above = name.match_indices('/').map(|(at, _)| name[..at].to_owned());
    let is_there = |branch: &String| repository.find_reference(&format!("refs/heads/{branch}")).is_ok();
    above.into_iter().find(is_there).or_else(|| {
        let mut below = repository.references_glob(&format!("refs/heads/{name}/*")).ok()?;
        below.names().find_map(|found| found.ok()?.strip_prefix("refs/heads/").map(str::to_owned))
    })
}

fn delete(repository: &Repository, name: &str, old: Oid) -> Result<(), git2::Error> {
    let mut reference = repository.find_reference(name)?;
    if reference.target() != Some(old) {
        return Err(git2::Error::new(ErrorCode::Modified, git2::ErrorClass::Reference, "it has moved"));
    }
    // Compares again under the lock with what was just read.
    reference.delete()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::testing::Git;

    fn moved(branch: &str, old: Option<&CommitId>, new: Option<&CommitId>) -> Moved {
        Moved { branch: branch.parse().unwrap(), old: old.cloned(), new: new.cloned() }
    }

    #[test]
    fn a_branch_moves_only_from_where_the_learner_saw_it() {
        let git = Git::new();
        let one = git.commit("one");
        git.write("x", "x");
        let two = git.commit("two");
        let go = |moves: &[Moved]| move_branches(&git.repository(), moves);
        let at =
            |branch: &str| git.repository().refname_to_id(&format!("refs/heads/{branch}")).ok().map(CommitId::from);

        assert_eq!(go(&[moved("a", None, Some(&one)), moved("b", None, Some(&two))]), [Ok(()), Ok(())]);
        let late = "it has moved meanwhile: fetch, and push again".to_owned();
        for refused in [
            moved("a", None, Some(&two)),
            moved("a", Some(&two), Some(&one)),
            moved("a", Some(&two), None),
            moved("gone", Some(&one), Some(&two)),
            moved("gone", Some(&one), None),
        ] {
            assert_eq!(go(std::slice::from_ref(&refused)), [Err(late.clone())], "{refused:?}");
        }
        assert_eq!((at("a"), at("b"), at("gone")), (Some(one.clone()), Some(two.clone()), None));

        assert_eq!(go(&[moved("a", Some(&one), Some(&two)), moved("b", Some(&two), None)]), [Ok(()), Ok(())]);
        assert_eq!((at("a"), at("b")), (Some(two.clone()), None));
        assert_eq!(go(&[moved("a", Some(&two), Some(&one))]), [Ok(())], "backwards too: a push by force");
        let told = |branch: &str| go(&[moved(branch, None, Some(&one))]).remove(0).unwrap_err();
        let below = told("a/b/c");
        assert!(below.starts_with("Git keeps no `a/b/c` beside the branch `a`: push under another name"), "{below}");
        assert_eq!(go(&[moved("d/e", None, Some(&one))]), [Ok(())]);
        assert!(told("d").contains("no `d` beside the branch `d/e`"));
        git.run(&["pack-refs", "--all"]);
        assert!(told("d").contains("no `d` beside the branch `d/e`") && told("a/b").contains("beside the branch `a`"));
        assert!(at("a").is_some() && at("d/e").is_some() && at("d").is_none());
    }

    #[test]
    fn a_commit_whose_parts_are_missing_is_no_answer() {
        let git = Git::new();
        let base = git.commit("base");
        git.run(&["checkout", "-q", "--detach"]);
        git.write("tasks/a/x.yaml", "a: 1\n");
        let head = git.commit("head");
        let dir = git.dir().join(".git");
        let asked = [moved("work", None, Some(&head))];
        assert_eq!(look(&dir, None, &asked).unwrap(), Vec::<String>::new());
        for part in ["HEAD:tasks/a/x.yaml", "HEAD:tasks/a", "HEAD^{tree}"] {
            let id = git.run(&["rev-parse", part]);
            let file = dir.join("objects").join(&id[..2]).join(&id[2..]);
            let kept = std::fs::read(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
            assert!(look(&dir, None, &asked).is_err(), "{part} is missing and nobody noticed");
            std::fs::write(&file, kept).unwrap();
        }
        git.run(&["update-ref", "refs/heads/main", base.as_str()]);
        assert!(look(&dir, None, &asked).is_ok());
    }
}
