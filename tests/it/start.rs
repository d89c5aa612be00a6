//! `gradus start` in a real clone of a published workspace.

use std::path::Path;
use std::process::{Command, Output};

use gradus::course::load::load;
use gradus::course::publish::workspace;
use gradus::submission::tree::{Entry, Tree};
use tempfile::TempDir;

/// A course with two tasks that ask for one word each.
fn course() -> Tree {
    let task = |id: &str| {
        format!(
            "apiVersion: gradus.dev/v1alpha1\nkind: Task\nmetadata: {{id: {id}, title: The word {id}}}\nspec:\n  points: \
             2\n  minutes: 3\n  checkpoints:\n    - id: word\n      title: The word is there\n      points: 2\n      file: \
             {{path: answer.txt, text: {{contains: [{id}]}}}}\n"
        )
    };
    let mut tree = Tree::default();
    let mut put = |path: &str, text: &str| tree.insert_file(path, text.as_bytes());
    put(
        "course.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Course\nmetadata: {id: demo, title: A demonstration}\nspec:\n  \
         description: For tests.\n  salt: demo\n  domains: [{id: d1-first, title: First, points: 4}]\n  modules: \
         [module-1-1]\n",
    );
    put(
        "d1-first/module-1-1/module.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {id: module-1-1, title: Words}\nspec: {tasks: [alpha, \
         omega]}\n",
    );
    for id in ["alpha", "omega"] {
        let dir = format!("d1-first/module-1-1/tasks/{id}");
        put(&format!("{dir}/task.yaml"), &task(id));
        put(&format!("{dir}/brief.md"), "# Write the word\n");
        put(&format!("{dir}/debrief.md"), "# Why\n");
        put(&format!("{dir}/starter/answer.txt"), "\n");
        put(&format!("{dir}/solution/answer.txt"), &format!("{id}\n"));
        put(
            &format!("{dir}/mutants/none.yaml"),
            "apiVersion: gradus.dev/v1alpha1\nkind: Mutant\nwhy: Nothing is written.\nfails: [word]\nedits: [{remove: \
             answer.txt}]\n",
        );
    }
    tree
}

/// A published workspace and a clone of it.
struct Clone {
    upstream: TempDir,
    dir: TempDir,
}

fn hermetic(command: &mut Command) -> &mut Command {
    command
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("NO_COLOR", "1")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.org")
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = hermetic(Command::new("git").args(args).current_dir(dir)).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Clone {
    fn new() -> Self {
        let loaded = load(&course(), "demo").unwrap_or_else(|problems| panic!("{problems:#?}"));
        let files = workspace(&loaded.course, None).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let (upstream, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (path, entry) in files.iter() {
            let Entry::File { bytes, .. } = entry else { panic!("{path}") };
            let at = upstream.path().join(path);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::fs::write(at, bytes).unwrap();
        }
        git(upstream.path(), &["init", "-q", "-b", "main"]);
        git(upstream.path(), &["add", "-A"]);
        git(upstream.path(), &["commit", "-q", "-m", "Publish"]);
        git(dir.path(), &["clone", "-q", &upstream.path().display().to_string(), "."]);
        Self { upstream, dir }
    }

    fn start(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
        hermetic(command.arg("start").args(args).current_dir(self.dir.path())).output().unwrap()
    }

    fn started(&self, args: &[&str]) -> String {
        let output = self.start(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn git(&self, args: &[&str]) -> String {
        git(self.dir.path(), args)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.dir.path().join(path), text).unwrap();
    }
}

#[test]
fn a_task_starts_on_its_own_branch_from_the_newest_workspace() {
    let clone = Clone::new();
    std::fs::write(clone.upstream.path().join("README.md"), "newer\n").unwrap();
    git(clone.upstream.path(), &["commit", "-q", "-am", "Newer"]);
    let text = clone.started(&["omega"]);
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
    let text = clone.started(&["alpha"]);
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
    let output = clone.start(&["omega"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("tasks/alpha/answer.txt") && told.contains("git stash"), "{told}");
    assert_eq!(clone.git(&["branch", "--show-current"]), "main");
    assert_eq!(clone.git(&["status", "--porcelain"]), "M tasks/alpha/answer.txt");
}

#[test]
fn without_a_task_it_lists_how_far_one_is() {
    let clone = Clone::new();
    let text = clone.started(&[]);
    assert!(text.contains("0 of 2 tasks done") && text.contains("Next: gradus start alpha"), "{text}");
    clone.started(&["alpha"]);
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    clone.git(&["commit", "-q", "-am", "alpha"]);
    clone.started(&["omega"]);
    let text = clone.started(&[]);
    let line = |id: &str| text.lines().find(|line| line.contains(&format!(" {id} "))).unwrap().to_owned();
    assert!(line("alpha").contains("passes"), "{text}");
    assert!(line("omega").starts_with('*') && line("omega").contains("0 of 2 judged here"), "{text}");
    assert!(text.contains("1 of 2 tasks done") && text.contains("Next: gradus start omega"), "{text}");
}

#[test]
fn without_a_network_one_starts_from_what_is_here() {
    let clone = Clone::new();
    clone.git(&["remote", "set-url", "origin", "/nonexistent"]);
    let output = clone.start(&["alpha"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("as of the last fetch"));
    assert_eq!(clone.git(&["branch", "--show-current"]), "alpha");
}

#[test]
fn an_unknown_task_and_a_place_without_a_workspace_are_told() {
    let clone = Clone::new();
    let output = clone.start(&["omga"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `omega`"));
    let nowhere = tempfile::tempdir().unwrap();
    let output = clone.start(&["-C", &nowhere.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("git clone"));
}
