//! `git`: What the commits did.
//!
//! Judged on the history of the submission alone, and only on what concerns the task: commits and changes below the task's directory,
//! so that work on two tasks in one pull request does not spoil either. Merges of `main` are not the learner's work.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Context, Judgement, LOOKS_AT_COMMITS, Trace};
use crate::submission::limits::MAX_COMMITS;
use judge::{View, sentence};

mod judge;

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
    /// Merge commits between the learner's start and the head; one that takes in what the workspace published is none.
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
            return Judgement::not_run(LOOKS_AT_COMMITS);
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
    use super::judge::MAX_TOLD;
    use super::*;
    use crate::checkpoint::outcome::Outcome;
    use crate::submission::history::{Change, ChangedPath, CommitFacts, History};
    use crate::submission::sha::CommitId;
    use crate::submission::tree::Tree;
    use crate::submission::yaml::{Dialect, YamlFiles};

    fn git(yaml: &str) -> Git {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn id(n: usize) -> CommitId {
        format!("{n:040x}").parse().unwrap()
    }

    /// Commits given as (subject, changed paths); `merge …` makes a merge, `update …` one that
    /// takes in the workspace's `main`, `signed …` a signature. Each path has three
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
            parents: match subject.split(' ').next() {
                Some("merge") => vec![id(n + 0xff_ffff), id(n + 0xff_fffe)],
                Some("update") => vec![id(n + 0xff_ffff), id(1)],
                _ => vec![id(0)],
            },
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
            environment: crate::checkpoint::Sight::Absent(crate::checkpoint::NOWHERE),
            prefix: "tasks/a/",
            dialect: Dialect::Kubectl,
            screened: None,
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
        assert!(judgement.evidence[0].message.contains("gradus grade --commit HEAD"));
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
            ("merge work", &["tasks/a/x", "tasks/b/x"]),
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
        let updated: &[(&str, &[&str])] = &[("feat: one", &["tasks/a/x"]), ("update from main", &["tasks/a/y"])];
        assert_eq!(verdict("commits: {merges: forbidden, max: 1}", updated).0, Outcome::Pass);
        assert_eq!(verdict("commits: {merges: required}", updated).1.len(), 1);
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
