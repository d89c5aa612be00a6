//! A published workspace of a small course, and a clone of it, for tests that run the program.

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
pub struct Clone {
    pub upstream: TempDir,
    pub dir: TempDir,
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

pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = hermetic(Command::new("git").args(args).current_dir(dir)).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Clone {
    pub fn new() -> Self {
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

    pub fn gradus(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
        hermetic(command.args(args).current_dir(self.dir.path())).output().unwrap()
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(self.dir.path(), args)
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.dir.path().join(path), text).unwrap();
    }
}
