//! `git`: What the commits did.
//!
//! Judged on [`History`] alone, and only on what concerns the task: commits and changes below the task's directory,
//! so that work on two tasks in one pull request does not spoil either. Merges of `main` are not the learner's work.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evidence::{Evidence, Place};
use super::{Check, Context, Judgement, Trace};
use crate::submission::history::{Change, ChangedPath, CommitFacts, History};
use crate::submission::limits::MAX_COMMITS;
use crate::submission::shell::quoted;

/// Most offending paths or commits that are told, the rest is counted.
const MAX_TOLD: usize = 20;

/// What the commits did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Git {
    /// Which files differ from where the learner started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<Touched>,
    /// The commits that change something below the task's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<Commits>,
    /// How much differs below the task's directory from where the learner started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<DiffSize>,
}

/// Globs relative to the task's directory; with a leading `/` from the top of the workspace. `*` stays within one
/// directory, `**` does not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Touched {
    /// Nothing else differs. Looks below the task's directory, and at the whole workspace when a glob starts with `/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// For each of these at least one path differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// No path that fits differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// The commits that change something below the task's directory; merges are counted apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Commits {
    /// At least so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Merge commits between the learner's start and the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merges: Option<Merges>,
    /// A regular expression that finds something in the subject of every one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Every one of them, merges too, carries a signature; whose is not checked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

/// What is said about merge commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Merges {
    /// There is none.
    Forbidden,
    /// There is at least one.
    Required,
    /// Nothing.
    Allowed,
}

/// Sums over the files that differ. Binary files count no lines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiffSize {
    /// At most so many lines added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_added: Option<u32>,
    /// At most so many lines removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_removed: Option<u32>,
    /// At most so many lines added and removed together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_changed: Option<u32>,
}

impl Check for Git {
    fn lint(&self, _params: &BTreeMap<String, Value>) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut say = |at: String, message: String| problems.push((at, message));
        let touched = self.touched.clone().unwrap_or_default();
        for (name, globs) in [("only", &touched.only), ("include", &touched.include), ("exclude", &touched.exclude)] {
            for (index, glob) in globs.iter().enumerate() {
                if let Err(message) = compile(glob, "") {
                    say(format!("/touched/{name}/{index}"), message);
                }
            }
        }
        let commits = self.commits.clone().unwrap_or_default();
        if let Some(Err(error)) = commits.subject.as_deref().map(Regex::new) {
            say("/commits/subject".to_owned(), format!("not a regular expression: {error}"));
        }
        if let (Some(min), Some(max)) = (commits.min, commits.max)
            && min > max
        {
            say("/commits/min".to_owned(), format!("at least {min} and at most {max} commits cannot both hold"));
        }
        if commits.max == Some(0) {
            say("/commits/max".to_owned(), "a head without a commit fails anyway: use 1 or more".to_owned());
        }
        // `merges: allowed` is there to be read, and asserts as little as nothing.
        let asserts = touched != Touched::default()
            || (Commits { merges: commits.merges.filter(|merges| *merges != Merges::Allowed), ..commits })
                != Commits::default()
            || self.diff.clone().unwrap_or_default() != DiffSize::default();
        if !asserts {
            say(String::new(), "asserts nothing: give `touched`, `commits` or `diff` a field".to_owned());
        }
        problems
    }

    fn judge(&self, context: &Context<'_>, trace: &mut Trace) -> Judgement {
        let Some(history) = context.history else {
            return Judgement::not_run("commit first: this looks at commits, and a working tree has none");
        };
        let Some(base) = &history.merge_base else {
            return Judgement::fail(vec![sentence(
                "the branch shares no commit with the workspace: start one from `origin/main` and bring your files over",
            )]);
        };
        if history.truncated {
            let message = format!(
                "the branch has more commits or changed files than are read ({MAX_COMMITS} commits): put the commits \
                 together with `git rebase -i {}`",
                base.short()
            );
            return Judgement::fail(vec![sentence(message)]);
        }
        let view = View::new(history, context.prefix);
        trace.say(|| format!("{} commits, {} of them on the task", history.commits.len(), view.commits.len()));
        if view.changed.is_empty() {
            let message =
                format!("no commit leaves a change below `{}`: change a file there and commit it", context.prefix);
            return Judgement::fail(vec![sentence(message)]);
        }
        let mut evidence = Vec::new();
        let judged = self.touched.as_ref().map_or(Ok(()), |touched| touched.judge(&view, trace, &mut evidence));
        let judged = judged
            .and_then(|()| self.commits.as_ref().map_or(Ok(()), |commits| commits.judge(&view, trace, &mut evidence)));
        if let Err(why) = judged {
            return Judgement::error(why);
        }
        if let Some(diff) = &self.diff {
            diff.judge(&view, trace, &mut evidence);
        }
        if evidence.is_empty() { Judgement::pass() } else { Judgement::fail(evidence) }
    }
}

/// The part of a history that concerns the task.
struct View<'a> {
    prefix: &'a str,
    base: &'a str,
    all: &'a [ChangedPath],
    /// Below the task's directory.
    changed: Vec<&'a ChangedPath>,
    /// Without merges, only those that change something below the task's directory.
    commits: Vec<&'a CommitFacts>,
    merges: Vec<&'a CommitFacts>,
}

impl<'a> View<'a> {
    fn new(history: &'a History, prefix: &'a str) -> Self {
        let below = |changed: &&ChangedPath| changed.path.starts_with(prefix);
        let (merges, others): (Vec<_>, Vec<_>) = history.commits.iter().partition(|commit| commit.is_merge());
        Self {
            prefix,
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
    fn judge(&self, view: &View<'_>, trace: &mut Trace, evidence: &mut Vec<Evidence>) -> Result<(), String> {
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
    fn judge(&self, view: &View<'_>, trace: &mut Trace, evidence: &mut Vec<Evidence>) -> Result<(), String> {
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
                    view.merges.len(),
                    view.merges.iter().map(|merge| {
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
            Some(Merges::Required) if view.merges.is_empty() => {
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
    fn judge(&self, view: &View<'_>, trace: &mut Trace, evidence: &mut Vec<Evidence>) {
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

fn sentence(message: impl Into<String>) -> Evidence {
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

/// A glob of paths from the top of the workspace.
fn compile(glob: &str, prefix: &str) -> Result<GlobMatcher, String> {
    let from_top = match glob.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None => format!("{prefix}{glob}"),
    };
    if glob.trim_start_matches('/').is_empty() || from_top.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(format!(
            "`{glob}` is not a glob of files: write it relative to the task's directory (`gitops/**`) or from the top \
             of the workspace (`/tasks/**`)"
        ));
    }
    let built = GlobBuilder::new(&from_top).literal_separator(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| format!("`{glob}`: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::outcome::Outcome;
    use crate::submission::sha::CommitId;
    use crate::submission::tree::Tree;
    use crate::submission::yaml::{Dialect, YamlFiles};

    fn git(yaml: &str) -> Git {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn id(n: usize) -> CommitId {
        format!("{n:040x}").parse().unwrap()
    }

    /// Commits given as (subject, changed paths); `merge …` makes a merge, `signed …` a signature. Each path has three
    /// lines added and one removed; `+path` is new, `-path` is gone.
    fn history(commits: &[(&str, &[&str])]) -> History {
        let changed = |path: &&str| {
            let change = match path.as_bytes()[0] {
                b'+' => Change::Added,
                b'-' => Change::Deleted,
                _ => Change::Modified,
            };
            ChangedPath { path: path.trim_start_matches(['+', '-']).to_owned(), change, added: 3, removed: 1 }
        };
        let facts = |(n, (subject, paths)): (usize, &(&str, &[&str]))| CommitFacts {
            id: id(n + 0x100_0000),
            parents: (0..=usize::from(subject.starts_with("merge"))).map(id).collect(),
            message: (*subject).to_owned(),
            author: "Ada".to_owned(),
            time: 0,
            signed: subject.starts_with("signed"),
            changed: paths.iter().map(changed).collect(),
        };
        History {
            merge_base: Some(id(0xabc)),
            commits: commits.iter().enumerate().map(facts).collect(),
            truncated: false,
            changed: commits.iter().flat_map(|(_, paths)| paths.iter().map(changed)).collect(),
        }
    }

    fn judge(yaml: &str, history: Option<&History>) -> Judgement {
        let files = Tree::default();
        let context = Context {
            files: &files,
            base: &files,
            yaml: &YamlFiles::new(&files),
            hidden: None,
            params: &BTreeMap::new(),
            history,
            prefix: "tasks/a/",
            dialect: Dialect::Kubectl,
        };
        git(yaml).judge(&context, &mut Trace::off())
    }

    fn verdict(yaml: &str, commits: &[(&str, &[&str])]) -> (Outcome, Vec<String>) {
        let judgement = judge(yaml, Some(&history(commits)));
        (judgement.outcome, judgement.evidence.into_iter().map(|e| e.message).collect())
    }

    const WORK: &[(&str, &[&str])] = &[("feat: work", &["tasks/a/x.yaml"])];

    #[test]
    fn a_working_tree_is_not_judged() {
        let judgement = judge("commits: {min: 1}", None);
        assert_eq!(judgement.outcome, Outcome::NotRun);
        assert!(judgement.evidence[0].message.starts_with("commit first"));
    }

    #[test]
    fn a_head_that_does_not_touch_the_task_passes_nothing() {
        for yaml in
            ["touched: {only: ['**']}", "touched: {exclude: [secret]}", "commits: {max: 9}", "diff: {maxAdded: 9}"]
        {
            for commits in [&[] as &[(&str, &[&str])], &[("x", &["tasks/b/x.yaml", "README.md"])]] {
                let (outcome, messages) = verdict(yaml, commits);
                assert_eq!(outcome, Outcome::Fail, "{yaml}");
                assert!(messages[0].contains("below `tasks/a/`"), "{messages:?}");
            }
            assert_eq!(verdict(yaml, WORK).0, Outcome::Pass, "{yaml}");
        }
    }

    #[test]
    fn a_history_that_was_not_read_whole_or_has_no_start_fails() {
        let mut long = history(WORK);
        long.truncated = true;
        assert_eq!(judge("commits: {min: 1}", Some(&long)).outcome, Outcome::Fail);
        let mut unrelated = history(WORK);
        unrelated.merge_base = None;
        assert!(judge("commits: {min: 1}", Some(&unrelated)).evidence[0].message.contains("shares no commit"));
    }

    #[test]
    fn only_looks_below_the_task_unless_a_glob_starts_at_the_top() {
        let commits: &[(&str, &[&str])] =
            &[("work", &["tasks/a/x.yaml", "tasks/a/gitops/y.yaml"]), ("other task", &["tasks/b/z.yaml", "README.md"])];
        assert_eq!(verdict("touched: {only: ['x.yaml', 'gitops/**']}", commits).0, Outcome::Pass);
        let (outcome, messages) = verdict("touched: {only: ['*.yaml']}", commits);
        assert_eq!(outcome, Outcome::Fail);
        assert_eq!(
            messages,
            ["`tasks/a/gitops/y.yaml` differs (commit 0000000 \"work\"), only `*.yaml` may; to take that back: `git \
              restore --source=0000000 --staged tasks/a/gitops/y.yaml` and commit"]
        );
        assert_eq!(verdict("touched: {only: ['**', '/tasks/b/*']}", commits).1.len(), 1);
    }

    #[test]
    fn evidence_names_the_file_and_the_newest_commit_that_changed_it() {
        let commits: &[(&str, &[&str])] =
            &[("one", &["+tasks/a/x.yaml"]), ("two", &["tasks/a/x.yaml"]), ("three", &["tasks/a/y"])];
        let evidence = judge("touched: {exclude: [x.yaml]}", Some(&history(commits))).evidence;
        assert_eq!(evidence[0].place.file.as_deref(), Some("x.yaml"));
        assert!(evidence[0].subject.as_ref().unwrap().contains("two"));
        assert_eq!(evidence[0].operator.as_deref(), Some("touched.exclude"));
        assert!(evidence[0].message.contains("git rm --cached tasks/a/x.yaml"), "{}", evidence[0].message);
        let gone = judge("touched: {exclude: [x]}", Some(&history(&[("gone", &["-tasks/a/x"])]))).evidence;
        assert_eq!(gone[0].place.file, None, "a file that is gone has no place");
    }

    #[test]
    fn include_needs_each_of_its_globs() {
        assert_eq!(verdict("touched: {include: ['*.yaml']}", WORK).0, Outcome::Pass);
        let (outcome, messages) = verdict("touched: {include: ['*.yaml', '/docs/**']}", WORK);
        assert_eq!((outcome, messages.len()), (Outcome::Fail, 1));
        assert!(messages[0].contains("`/docs/**`"));
    }

    #[test]
    fn commits_are_counted_where_they_touch_the_task_and_merges_apart() {
        let commits: &[(&str, &[&str])] = &[
            ("feat: one", &["tasks/a/x"]),
            ("feat: two", &["tasks/a/y"]),
            ("merge main", &["tasks/a/x", "tasks/b/x"]),
            ("chatter", &["tasks/b/x"]),
        ];
        let cases = [
            ("commits: {min: 2, max: 2}", 0, ""),
            ("commits: {min: 3}", 1, "2 commits are on the task"),
            ("commits: {max: 1}", 1, "git rebase -i"),
            ("commits: {subject: '^feat: '}", 0, ""),
            ("commits: {subject: '^feat: o'}", 1, "feat: two"),
            ("commits: {merges: required}", 0, ""),
            ("commits: {merges: allowed, min: 1}", 0, ""),
            ("commits: {merges: forbidden}", 1, "git rebase"),
            ("commits: {signed: true}", 3, "no signature"),
        ];
        for (yaml, failures, word) in cases {
            let (outcome, messages) = verdict(yaml, commits);
            assert_eq!((messages.len(), outcome == Outcome::Pass), (failures, failures == 0), "{yaml}: {messages:?}");
            assert!(failures == 0 || messages[0].contains(word), "{yaml}: {messages:?}");
        }
        assert_eq!(verdict("commits: {merges: required}", WORK).1.len(), 1);
        assert_eq!(verdict("commits: {signed: true}", &[("signed work", &["tasks/a/x"])]).0, Outcome::Pass);
    }

    #[test]
    fn the_size_of_the_difference_is_summed_over_the_task_alone() {
        let commits: &[(&str, &[&str])] = &[("work", &["tasks/a/x", "tasks/a/y", "tasks/b/z"])];
        let cases = [("maxAdded", 6), ("maxRemoved", 2), ("maxChanged", 8)];
        for (field, sum) in cases {
            assert_eq!(verdict(&format!("diff: {{{field}: {sum}}}"), commits).0, Outcome::Pass, "{field}");
            let (outcome, messages) = verdict(&format!("diff: {{{field}: {}}}", sum - 1), commits);
            assert_eq!(outcome, Outcome::Fail, "{field}");
            assert!(
                messages[0].starts_with(&format!("{sum} lines")) && messages[0].contains("git diff"),
                "{messages:?}"
            );
        }
    }

    #[test]
    fn all_failures_are_told_at_once_and_a_flood_is_counted() {
        let (_, messages) = verdict("{touched: {include: [z]}, commits: {min: 2}, diff: {maxAdded: 1}}", WORK);
        assert_eq!(messages.len(), 3);
        let paths: Vec<String> = (0..MAX_TOLD + 5).map(|n| format!("tasks/a/{n}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let (_, messages) = verdict("touched: {only: [x]}", &[("flood", &paths)]);
        assert_eq!((messages.len(), messages[MAX_TOLD].as_str()), (MAX_TOLD + 1, "and 5 more of this kind"));
    }

    #[test]
    fn no_message_suggests_to_lose_work() {
        let yaml = "{touched: {only: [z], exclude: ['*']}, commits: {min: 9, merges: forbidden, subject: x, signed: true}, diff: {maxAdded: 0}}";
        let commits: &[(&str, &[&str])] =
            &[("a", &["tasks/a/m", "+tasks/a/n", "-tasks/a/o"]), ("merge b", &["tasks/a/m"]), ("c", &["tasks/a/m"])];
        let mut all = verdict(yaml, commits).1;
        all.extend(verdict("commits: {max: 1}", commits).1);
        assert!(all.len() > 10);
        for message in all {
            for lossy in ["reset --hard", "checkout --", "clean -", "push -f", "push --force ", "branch -D", "drop"] {
                assert!(!message.contains(lossy), "{message}");
            }
        }
    }

    #[test]
    fn lint_finds_what_cannot_work() {
        let problems = |yaml: &str| git(yaml).lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(
            problems("touched: {only: ['a/{b', '../x', '/'], include: ['ok/**']}"),
            ["/touched/only/0", "/touched/only/1", "/touched/only/2"]
        );
        assert_eq!(problems("commits: {subject: '('}"), ["/commits/subject"]);
        assert_eq!(problems("commits: {min: 3, max: 2}"), ["/commits/min"]);
        assert_eq!(problems("commits: {max: 0}"), ["/commits/max"]);
        for nothing in ["{}", "touched: {}", "commits: {signed: false, merges: allowed}", "diff: {}"] {
            assert_eq!(problems(nothing), [""], "{nothing}");
        }
        assert_eq!(problems("{touched: {only: ['**/*.yaml', '/docs/*']}, commits: {subject: '^x'}}"), [""; 0]);
    }
}
