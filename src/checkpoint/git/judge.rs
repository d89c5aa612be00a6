//! What the assertions of `git` find in a history, and the way to mend it that loses no work.

use std::collections::BTreeSet;

use globset::GlobMatcher;
use regex::Regex;
use serde_json::{Value, json};

use super::{Commits, DiffSize, Merges, Touched, compile};
use crate::checkpoint::Trace;
use crate::checkpoint::evidence::{Evidence, Place};
use crate::submission::history::{Change, ChangedPath, CommitFacts, History};
use crate::submission::sha::CommitId;
use crate::submission::shell::quoted;

/// Most offending paths or commits that are told, the rest is counted.
pub(super) const MAX_TOLD: usize = 20;

/// The part of a history that concerns the task.
pub(super) struct View<'a> {
    prefix: &'a str,
    base: &'a str,
    all: &'a [ChangedPath],
    /// Below the task's directory.
    pub changed: Vec<&'a ChangedPath>,
    /// Without merges, only those that change something below the task's directory.
    pub commits: Vec<&'a CommitFacts>,
    merges: Vec<&'a CommitFacts>,
    /// Those of them that bring the learner's own lines of work together: taking in what the workspace published since, as
    /// the review advises, is no such merge.
    own_merges: Vec<&'a CommitFacts>,
}

impl<'a> View<'a> {
    pub fn new(history: &'a History, prefix: &'a str) -> Self {
        let below = |changed: &&ChangedPath| changed.path.starts_with(prefix);
        let (merges, others): (Vec<_>, Vec<_>) = history.commits.iter().partition(|commit| commit.is_merge());
        let ids: BTreeSet<&CommitId> = history.commits.iter().map(|commit| &commit.id).collect();
        // What was there before the merge base is not among the commits.
        let joins_own = |merge: &&&CommitFacts| merge.parents.iter().skip(1).any(|parent| ids.contains(parent));
        Self {
            prefix,
            own_merges: merges.iter().filter(joins_own).copied().collect(),
            base: history.merge_base.as_ref().map_or("origin/main", |base| base.short()),
            all: &history.changed,
            changed: history.changed.iter().filter(below).collect(),
            commits: others.into_iter().filter(|commit| commit.changed.iter().any(|c| below(&c))).collect(),
            merges,
        }
    }

    /// The newest commit that changed a path.
    fn author_of(&self, path: &str, history: &[&'a CommitFacts]) -> Option<&'a CommitFacts> {
        history.iter().rev().find(|commit| commit.changed.iter().any(|changed| changed.path == path)).copied()
    }

    fn offending(&self, changed: &ChangedPath, commits: &[&'a CommitFacts], why: &str, operator: &str) -> Evidence {
        let by = self.author_of(&changed.path, commits);
        let in_commit = by.map(|commit| format!(" (commit {})", named(commit))).unwrap_or_default();
        let verb = match changed.change {
            Change::Added => "is new",
            Change::Modified => "differs",
            Change::Deleted => "is gone",
        };
        let remedy = match (quoted(&changed.path), changed.change) {
            (None, _) => "undo that change in a new commit".to_owned(),
            // Both leave the file on the disk as it is.
            (Some(path), Change::Added) => format!("`git rm --cached {path}` and commit"),
            (Some(path), _) => format!("`git restore --source={} --staged {path}` and commit", self.base),
        };
        let inside = changed.path.strip_prefix(self.prefix).filter(|_| changed.change != Change::Deleted);
        Evidence {
            message: format!("`{}` {verb}{in_commit}, {why}; to take that back: {remedy}", changed.path),
            place: Place { file: inside.map(str::to_owned), ..Place::default() },
            actual: Some(json!(changed.path)),
            operator: Some(operator.to_owned()),
            subject: by.map(|commit| format!("commit {}", named(commit))),
            ..Evidence::default()
        }
    }
}

impl Touched {
    pub(super) fn judge(&self, view: &View<'_>, trace: &mut Trace, evidence: &mut Vec<Evidence>) -> Result<(), String> {
        let compile_all = |globs: &[String]| {
            globs.iter().map(|glob| compile(glob, view.prefix)).collect::<Result<Vec<GlobMatcher>, String>>()
        };
        let (only, include, exclude) =
            (compile_all(&self.only)?, compile_all(&self.include)?, compile_all(&self.exclude)?);
        let fits = |globs: &[GlobMatcher], changed: &ChangedPath| globs.iter().any(|glob| glob.is_match(&changed.path));

        let everywhere = self.only.iter().any(|glob| glob.starts_with('/'));
        let looked_at: Vec<&ChangedPath> = if everywhere { view.all.iter().collect() } else { view.changed.clone() };
        for changed in &looked_at {
            trace.say(|| format!("{:?} {} (+{} -{})", changed.change, changed.path, changed.added, changed.removed));
        }
        if !only.is_empty() {
            let others: Vec<_> = looked_at.iter().filter(|changed| !fits(&only, changed)).collect();
            let why = format!("only {} may", list(&self.only));
            told(
                evidence,
                others.len(),
                others.iter().map(|changed| Evidence {
                    expected: Some(json!(self.only)),
                    ..view.offending(changed, &view.commits, &why, "touched.only")
                }),
            );
        }
        for (glob, matcher) in self.include.iter().zip(&include) {
            if !view.all.iter().any(|changed| matcher.is_match(&changed.path)) {
                evidence.push(Evidence {
                    message: format!("no file that fits `{glob}` differs from where you started: change it and commit"),
                    expected: Some(json!(glob)),
                    actual: Some(json!(view.changed.iter().take(MAX_TOLD).map(|c| &c.path).collect::<Vec<_>>())),
                    operator: Some("touched.include".to_owned()),
                    ..Evidence::default()
                });
            }
        }
        let forbidden: Vec<_> = view.all.iter().filter(|changed| fits(&exclude, changed)).collect();
        let why = format!("{} must stay as published", list(&self.exclude));
        told(
            evidence,
            forbidden.len(),
            forbidden.iter().map(|changed| Evidence {
                expected: Some(json!({ "unchanged": self.exclude })),
                ..view.offending(changed, &view.commits, &why, "touched.exclude")
            }),
        );
        Ok(())
    }
}

impl Commits {
    pub(super) fn judge(&self, view: &View<'_>, trace: &mut Trace, evidence: &mut Vec<Evidence>) -> Result<(), String> {
        for commit in view.commits.iter().chain(&view.merges) {
            trace.say(|| format!("{}{}", named(commit), if commit.is_merge() { ", a merge" } else { "" }));
        }
        let (count, base) = (view.commits.len(), view.base);
        let counted = |message: String, expected: Value, operator: &str| Evidence {
            message,
            expected: Some(expected),
            actual: Some(json!(count)),
            operator: Some(operator.to_owned()),
            subject: view.commits.last().map(|commit| format!("commit {}", named(commit))),
            ..Evidence::default()
        };
        let found = || view.commits.iter().take(MAX_TOLD).map(|c| named(c)).collect::<Vec<_>>().join(", ");
        if let Some(min) = self.min.filter(|min| count < *min as usize) {
            let message = format!(
                "{} on the task ({}), at least {min} are asked for: make the next change in a commit of its own, or \
                 split one with `git rebase -i {base}` (mark it `edit`)",
                commits(count),
                found()
            );
            evidence.push(counted(message, json!(min), "commits.min"));
        }
        if let Some(max) = self.max.filter(|max| count > *max as usize) {
            let message = format!(
                "{} on the task ({}), at most {max} are asked for: put them together with `git rebase -i {base}` (mark \
                 all but the first `squash`), then `git push --force-with-lease`",
                commits(count),
                found()
            );
            evidence.push(counted(message, json!(max), "commits.max"));
        }
        match self.merges {
            Some(Merges::Forbidden) => {
                told(
                    evidence,
                    view.own_merges.len(),
                    view.own_merges.iter().map(|merge| {
                        on_commit(
                            merge,
                            format!(
                                "{} is a merge, the history has to be a line: `git rebase {base}`, then `git push \
                         --force-with-lease`",
                                named(merge)
                            ),
                            json!("forbidden"),
                            "commits.merges",
                        )
                    }),
                );
            }
            Some(Merges::Required) if view.own_merges.is_empty() => {
                let message = "no commit is a merge: bring the work together with `git merge --no-ff BRANCH`";
                evidence.push(counted(message.to_owned(), json!("required"), "commits.merges"));
            }
            _ => {}
        }
        if let Some(pattern) = &self.subject {
            let regex = Regex::new(pattern).map_err(|error| format!("`commits.subject`: {error}"))?;
            let bad: Vec<_> = view.commits.iter().filter(|commit| !regex.is_match(commit.subject())).collect();
            told(
                evidence,
                bad.len(),
                bad.iter().map(|commit| {
                    Evidence {
                actual: Some(json!(commit.subject())),
                ..on_commit(
                    commit,
                    format!(
                        "the subject of {} does not fit `{pattern}`: `git rebase -i {base}` (mark it `reword`), then \
                         `git push --force-with-lease`",
                        named(commit)
                    ),
                    json!(pattern),
                    "commits.subject",
                )
            }
                }),
            );
        }
        if self.signed {
            let bad: Vec<_> = view.commits.iter().chain(&view.merges).filter(|commit| !commit.signed).collect();
            told(
                evidence,
                bad.len(),
                bad.iter().map(|commit| {
                    on_commit(
                commit,
                format!(
                    "{} carries no signature: `git rebase --exec 'git commit --amend --no-edit -S' {base}`, then `git \
                     push --force-with-lease`",
                    named(commit)
                ),
                json!(true),
                "commits.signed",
            )
                }),
            );
        }
        Ok(())
    }
}

fn on_commit(commit: &CommitFacts, message: String, expected: Value, operator: &str) -> Evidence {
    Evidence {
        message,
        expected: Some(expected),
        operator: Some(operator.to_owned()),
        subject: Some(format!("commit {}", named(commit))),
        ..Evidence::default()
    }
}

impl DiffSize {
    pub(super) fn judge(&self, view: &View<'_>, trace: &mut Trace, evidence: &mut Vec<Evidence>) {
        let sum = |lines: fn(&ChangedPath) -> u32| view.changed.iter().map(|c| u64::from(lines(c))).sum::<u64>();
        let (added, removed) = (sum(|c| c.added), sum(|c| c.removed));
        trace.say(|| format!("{added} lines added, {removed} removed"));
        let limits = [
            (self.max_added, added, "added", "diff.maxAdded"),
            (self.max_removed, removed, "removed", "diff.maxRemoved"),
            (self.max_changed, added + removed, "added and removed", "diff.maxChanged"),
        ];
        for (limit, lines, word, operator) in limits {
            let Some(limit) = limit.filter(|limit| lines > u64::from(*limit)) else { continue };
            let largest = view.changed.iter().max_by_key(|c| u64::from(c.added) + u64::from(c.removed));
            let by = largest.and_then(|changed| view.author_of(&changed.path, &view.commits));
            let most = largest.map(|c| format!(", most of them in `{}`", c.path)).unwrap_or_default();
            evidence.push(Evidence {
                message: format!(
                    "{lines} lines are {word}{most}, at most {limit} are asked for: look for what need not change with \
                     `git diff {} -- {}`",
                    view.base, view.prefix
                ),
                expected: Some(json!(limit)),
                actual: Some(json!(lines)),
                operator: Some(operator.to_owned()),
                subject: by.map(|commit| format!("commit {}", named(commit))),
                ..Evidence::default()
            });
        }
    }
}

/// Takes the first of `count` pieces of evidence and says how many more there are.
fn told(evidence: &mut Vec<Evidence>, count: usize, all: impl Iterator<Item = Evidence>) {
    evidence.extend(all.take(MAX_TOLD));
    if count > MAX_TOLD {
        evidence.push(sentence(format!("and {} more of this kind", count - MAX_TOLD)));
    }
}

pub(super) fn sentence(message: impl Into<String>) -> Evidence {
    Evidence { message: message.into(), ..Evidence::default() }
}

/// As in `abc1234 "Freeze production"`.
fn named(commit: &CommitFacts) -> String {
    let subject: String = commit.subject().chars().take(72).collect();
    format!("{} \"{subject}\"", commit.id.short())
}

fn commits(count: usize) -> String {
    if count == 1 { "1 commit is".to_owned() } else { format!("{count} commits are") }
}

fn list(globs: &[String]) -> String {
    globs.iter().map(|glob| format!("`{glob}`")).collect::<Vec<_>>().join(", ")
}
