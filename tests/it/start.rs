//! `gradus start` in a real clone of a published workspace.

use std::process::Output;

use super::workspace::{Clone, git};

fn start(clone: &Clone, args: &[&str]) -> Output {
    clone.gradus(&[&["start"], args].concat())
}

fn started(clone: &Clone, args: &[&str]) -> String {
    let output = start(clone, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_task_starts_on_its_own_branch_from_the_newest_workspace() {
    let clone = Clone::new();
    std::fs::write(clone.upstream.path().join("README.md"), "newer\n").unwrap();
    git(clone.upstream.path(), &["commit", "-q", "-am", "Newer"]);
    let text = started(&clone, &["omega"]);
    assert_eq!(clone.git(&["branch", "--show-current"]), "omega");
    assert_eq!(clone.git(&["log", "-1", "--format=%s"]), "Newer", "origin was fetched");
    for words in ["The word omega (2 points", "briefs/omega.md", "tasks/omega/answer.txt", "git push -u origin omega"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(clone.dir.path().join("briefs/omega.md").is_file(), "what it says to read is there");
}

#[test]
fn the_commands_it_prints_can_be_typed_as_they_are() {
    let clone = Clone::new();
    git(clone.upstream.path(), &["config", "receive.denyCurrentBranch", "ignore"]);
    let text = started(&clone, &["alpha"]);
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    let commands: Vec<_> = text.lines().map(str::trim).filter(|line| line.starts_with("git ")).collect();
    assert_eq!(commands.len(), 3, "{text}");
    for command in commands {
        clone.git(&command.split(' ').skip(1).collect::<Vec<_>>());
    }
    assert_eq!(git(clone.upstream.path(), &["log", "-1", "--format=%s", "alpha"]), "alpha");
}

#[test]
fn uncommitted_work_is_refused_with_the_remedy_and_left_alone() {
    let clone = Clone::new();
    clone.write("tasks/alpha/answer.txt", "half a thought\n");
    let output = start(&clone, &["omega"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("tasks/alpha/answer.txt") && told.contains("git stash"), "{told}");
    assert_eq!(clone.git(&["branch", "--show-current"]), "main");
    assert_eq!(clone.git(&["status", "--porcelain"]), "M tasks/alpha/answer.txt");
}

#[test]
fn without_a_task_it_lists_how_far_one_is() {
    let clone = Clone::new();
    let text = started(&clone, &[]);
    assert!(text.contains("0 of 2 tasks done") && text.contains("Next: gradus start alpha"), "{text}");
    started(&clone, &["alpha"]);
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    clone.git(&["commit", "-q", "-am", "alpha"]);
    started(&clone, &["omega"]);
    let text = started(&clone, &[]);
    let line = |id: &str| text.lines().find(|line| line.contains(&format!(" {id} "))).unwrap().to_owned();
    assert!(line("alpha").contains("passes"), "{text}");
    assert!(line("omega").starts_with('*') && line("omega").contains("0 of 2 judged here"), "{text}");
    assert!(text.contains("1 of 2 tasks done") && text.contains("Next: gradus start omega"), "{text}");
}

#[test]
fn without_a_network_one_starts_from_what_is_here() {
    let clone = Clone::new();
    clone.git(&["remote", "set-url", "origin", "/nonexistent"]);
    let output = start(&clone, &["alpha"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("as of the last fetch"));
    assert_eq!(clone.git(&["branch", "--show-current"]), "alpha");
}

#[test]
fn an_unknown_task_and_a_place_without_a_workspace_are_told() {
    let clone = Clone::new();
    let output = start(&clone, &["omga"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `omega`"));
    let nowhere = tempfile::tempdir().unwrap();
    let output = start(&clone, &["-C", &nowhere.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("git clone"));
}

#[test]
fn files_that_git_does_not_know_count_and_are_named_before_they_are_forgotten() {
    let clone = Clone::new();
    started(&clone, &["alpha"]);
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    let graded = || String::from_utf8(clone.gradus(&["grade"]).stderr).unwrap();
    assert!(!graded().contains("not in Git yet"), "a commit takes in what Git knows");
    clone.write("tasks/alpha/more.txt", "more\n");
    let told = graded();
    assert!(told.contains("1 file of `alpha`") && told.contains("git add -A tasks/alpha/"), "{told}");
    clone.git(&["add", "-A", "tasks/alpha/"]);
    assert!(!graded().contains("not in Git yet"));
}

#[test]
fn what_the_workspace_carries_of_the_course_can_be_put_back() {
    let clone = Clone::new();
    let told = || String::from_utf8(clone.gradus(&["grade", "--task", "alpha"]).stderr).unwrap();
    let restore = "git checkout origin/main -- .gradus";
    clone.write(".gradus/workspace.yaml", "apiversion: x\n");
    assert!(told().contains(restore), "{}", told());
    std::fs::remove_dir_all(clone.dir.path().join(".gradus")).unwrap();
    assert!(told().contains("has no `.gradus` any more") && told().contains(restore), "{}", told());
    clone.git(&restore.split(' ').skip(1).collect::<Vec<_>>());
    assert!(!told().contains(restore), "{}", told());
}

#[test]
fn an_answer_that_git_ignores_is_named_and_how_to_hand_it_in() {
    let clone = Clone::new();
    started(&clone, &["alpha"]);
    clone.write(".git/info/exclude", "*.local.txt\n*.log\n");
    clone.write("tasks/alpha/answer.local.txt", "alpha\n");
    clone.write("tasks/alpha/noise.log", "-\n");
    let graded = || String::from_utf8(clone.gradus(&["grade"]).stderr).unwrap();
    let told = graded();
    assert!(told.contains("nothing to grade") && told.contains("git add -f tasks/alpha/answer.local.txt"), "{told}");
    clone.write("tasks/alpha/other.txt", "x\n");
    let told = graded();
    assert!(told.contains("not looked at: tasks/alpha/answer.local.txt: Git ignores it"), "{told}");
    assert!(!told.contains("noise.log"), "{told}");
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    assert!(!graded().contains("Git ignores it"), "who passes is not bothered");
}
