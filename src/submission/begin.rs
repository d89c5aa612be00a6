//! Beginning a task in a clone: a branch of the task's name, from where the workspace stands now. Uncommitted work is
//! never touched: with any about, nothing is done and the remedy is said.

use std::collections::BTreeSet;

use git2::build::CheckoutBuilder;
use git2::{BranchType, Repository, RepositoryState, StatusOptions};

use super::heads::upstream;
use super::read::{ReadError, oid};
use super::sha::CommitId;

/// What a clone looks like before a task is begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Situation {
    /// The branch that is checked out; none on a detached head and before the first commit.
    pub current: Option<String>,
    /// Paths that differ from the last commit, new ones too, ignored ones not.
    pub uncommitted: Vec<String>,
    /// A merge, rebase or the like is not finished.
    pub unfinished: bool,
    /// Branches here.
    pub local: BTreeSet<String>,
    /// Branches of `origin`, as of the last fetch.
    pub remote: BTreeSet<String>,
    /// Where the workspace stands; see [`upstream`].
    pub main: Option<CommitId>,
}

/// What beginning a task takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The branch is checked out already.
    Stay,
    /// The branch is here.
    Switch,
    /// The branch was pushed from elsewhere: one here follows it.
    Follow,
    /// A new branch starts at this commit.
    Create(CommitId),
}

/// Why a task is not begun. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Switching would mix or lose work.
    #[error(
        "{} has changes that are not committed: commit them with `git add -A && git commit`, or put them aside with \
         `git stash --include-untracked`, and start again", listed(.0)
    )]
    Uncommitted(Vec<String>),
    /// Git is in the middle of something.
    #[error(
        "a merge, rebase or cherry-pick is not finished here: `git status` says which and how to go on or back, then \
         start again"
    )]
    Unfinished,
    /// There is nothing to start from.
    #[error("there is no workspace at `origin` to start from: run `git fetch origin`, or clone the workspace again")]
    NoMain,
}

fn listed(paths: &[String]) -> String {
    match paths {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` (and {} more)", rest.len()),
    }
}

/// Decides how to get onto `branch`.
pub fn decide(situation: &Situation, branch: &str) -> Result<Step, Refusal> {
    if situation.current.as_deref() == Some(branch) {
        return Ok(Step::Stay);
    }
    if situation.unfinished {
        return Err(Refusal::Unfinished);
    }
    if !situation.uncommitted.is_empty() {
        return Err(Refusal::Uncommitted(situation.uncommitted.clone()));
    }
    if situation.local.contains(branch) {
        return Ok(Step::Switch);
    }
    if situation.remote.contains(branch) {
        return Ok(Step::Follow);
    }
    situation.main.clone().map(Step::Create).ok_or(Refusal::NoMain)
}

/// Looks at a clone.
pub fn observe(repository: &Repository) -> Result<Situation, ReadError> {
    let branches = |kind| -> Result<BTreeSet<String>, git2::Error> {
        let mut names = BTreeSet::new();
        for branch in repository.branches(Some(kind))? {
            // A name that is not UTF-8 is no task's.
            names.extend(branch?.0.name().ok().flatten().map(str::to_owned));
        }
        Ok(names)
    };
    let failed = || ReadError::git("list the branches");
    let remote = branches(BranchType::Remote).map_err(failed())?;
    let head = repository.head().ok().filter(git2::Reference::is_branch);
    let mut options = StatusOptions::new();
    options.include_untracked(true).include_ignored(false).exclude_submodules(true);
    let statuses = repository.statuses(Some(&mut options)).map_err(ReadError::git("compare with the last commit"))?;
    let path = |entry: git2::StatusEntry<'_>| String::from_utf8_lossy(entry.path_bytes()).into_owned();
    Ok(Situation {
        current: head.and_then(|head| head.shorthand().ok().map(str::to_owned)),
        uncommitted: statuses.iter().map(path).collect(),
        unfinished: repository.state() != RepositoryState::Clean,
        local: branches(BranchType::Local).map_err(failed())?,
        remote: remote.iter().filter_map(|name| name.strip_prefix("origin/").map(str::to_owned)).collect(),
        main: upstream(repository)?,
    })
}

/// Does it. Files that Git does not know are never written over.
pub fn act(repository: &Repository, branch: &str, step: &Step) -> Result<(), ReadError> {
    let doing = || ReadError::git(format!("switch to `{branch}`"));
    match step {
        Step::Stay => return Ok(()),
        Step::Switch => {}
        Step::Follow => {
            let remote = format!("origin/{branch}");
            let found = repository.find_branch(&remote, BranchType::Remote).and_then(|b| b.get().peel_to_commit());
            let mut local = repository.branch(branch, &found.map_err(doing())?, false).map_err(doing())?;
            local.set_upstream(Some(&remote)).map_err(doing())?;
        }
        Step::Create(from) => {
            let from = repository.find_commit(oid(from)?).map_err(doing())?;
            // No upstream: it would be `main`, and a plain `git push` would refuse.
            repository.branch(branch, &from, false).map_err(doing())?;
        }
    }
    let name = format!("refs/heads/{branch}");
    let target = repository.find_reference(&name).and_then(|r| r.peel_to_commit()).map_err(doing())?;
    // Git itself writes over ignored files; a learner's notes are worth asking.
    let mut options = CheckoutBuilder::new();
    options.safe().overwrite_ignored(false);
    repository.checkout_tree(target.as_object(), Some(&mut options)).map_err(doing())?;
    repository.set_head(&name).map_err(doing())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Git;
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn commit(digit: &str) -> CommitId {
        digit.repeat(40).parse().unwrap()
    }

    #[test]
    fn the_decision_by_situation() {
        let clean = Situation {
            current: Some("main".to_owned()),
            local: names(&["main", "here"]),
            remote: names(&["main", "here", "there"]),
            main: Some(commit("1")),
            ..Situation::default()
        };
        let dirty = Situation { uncommitted: vec!["a.yaml".to_owned(), "b.yaml".to_owned()], ..clean.clone() };
        let merging = Situation { unfinished: true, ..clean.clone() };
        let empty = Situation::default();
        let cases = [
            (&clean, "here", Ok(Step::Switch)),
            (&clean, "there", Ok(Step::Follow)),
            (&clean, "new", Ok(Step::Create(commit("1")))),
            (&clean, "main", Ok(Step::Stay)),
            (&dirty, "here", Err(Refusal::Uncommitted(dirty.uncommitted.clone()))),
            (&dirty, "new", Err(Refusal::Uncommitted(dirty.uncommitted.clone()))),
            (&dirty, "main", Ok(Step::Stay)),
            (&merging, "new", Err(Refusal::Unfinished)),
            (&empty, "new", Err(Refusal::NoMain)),
        ];
        for (situation, branch, expected) in cases {
            assert_eq!(decide(situation, branch), expected, "{branch} {situation:?}");
        }
        let told = Refusal::Uncommitted(dirty.uncommitted.clone()).to_string();
        assert!(told.starts_with("`a.yaml` (and 1 more) has changes") && told.contains("git stash"), "{told}");
    }

    fn begin(git: &Git, branch: &str) -> Result<Step, Refusal> {
        let repository = git.repository();
        let step = decide(&observe(&repository).unwrap(), branch)?;
        act(&repository, branch, &step).unwrap();
        Ok(step)
    }

    #[test]
    fn a_new_branch_starts_where_the_workspace_stands_and_not_where_one_is() {
        let origin = Git::new();
        origin.write("tasks/a/x.yaml", "x\n");
        let published = origin.commit("published");
        let clone = origin.cloned();
        clone.write("tasks/a/x.yaml", "work on another task\n");
        clone.commit("on main by mistake");
        assert_eq!(begin(&clone, "a"), Ok(Step::Create(published.clone())));
        assert_eq!((clone.head(), clone.run(&["branch", "--show-current"])), (published, "a".to_owned()));
        assert_eq!(clone.run(&["status", "--porcelain"]), "");
        assert_eq!(std::fs::read_to_string(clone.dir().join("tasks/a/x.yaml")).unwrap(), "x\n");
        assert_eq!(begin(&clone, "a"), Ok(Step::Stay));
        assert_eq!(begin(&clone, "main"), Ok(Step::Switch));
    }

    #[test]
    fn a_branch_pushed_from_elsewhere_is_followed() {
        let origin = Git::new();
        origin.commit("published");
        origin.run(&["checkout", "-q", "-b", "a"]);
        let pushed = origin.commit("work elsewhere");
        origin.run(&["checkout", "-q", "main"]);
        let clone = origin.cloned();
        assert_eq!(begin(&clone, "a"), Ok(Step::Follow));
        assert_eq!(clone.head(), pushed);
        assert_eq!(clone.run(&["rev-parse", "--abbrev-ref", "a@{upstream}"]), "origin/a");
    }

    #[test]
    fn uncommitted_work_stays_as_it_is() {
        let origin = Git::new();
        origin.write("x.yaml", "x\n");
        origin.write(".gitignore", "*.log\n");
        origin.commit("published");
        let clone = origin.cloned();
        clone.write("debug.log", "ignored files are in nobody's way\n");
        clone.write("new.yaml", "untracked\n");
        clone.write("x.yaml", "changed\n");
        let before = (clone.run(&["status", "--porcelain"]), clone.head());
        assert_eq!(begin(&clone, "a"), Err(Refusal::Uncommitted(vec!["new.yaml".to_owned(), "x.yaml".to_owned()])));
        assert_eq!((clone.run(&["status", "--porcelain"]), clone.head()), before);
        clone.run(&["stash", "-q", "--include-untracked"]);
        assert!(matches!(begin(&clone, "a"), Ok(Step::Create(_))));
    }

    #[test]
    fn an_ignored_file_in_the_way_is_not_written_over() {
        let origin = Git::new();
        origin.commit("published");
        origin.run(&["checkout", "-q", "-b", "a"]);
        origin.write("notes", "of the branch\n");
        origin.commit("notes");
        origin.run(&["checkout", "-q", "main"]);
        let clone = origin.cloned();
        clone.write(".git/info/exclude", "notes\n");
        clone.write("notes", "mine\n");
        let repository = clone.repository();
        let step = decide(&observe(&repository).unwrap(), "a").unwrap();
        assert!(act(&repository, "a", &step).is_err());
        assert_eq!(clone.run(&["branch", "--show-current"]), "main");
        assert_eq!(std::fs::read_to_string(clone.dir().join("notes")).unwrap(), "mine\n");
    }
}
