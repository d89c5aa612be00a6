//! `gradus grade`, `test`, `explain` and `watch` as somebody types them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gradus::course::load::load;
use gradus::course::publish::workspace;
use gradus::submission::tree::{Entry, Tree};
use serde_json::Value;
use tempfile::TempDir;

const TASK: &str = "\
apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: scale-web, title: Scale the web}
spec:
  points: 6
  minutes: 5
  checkpoints:
    - id: replicas
      title: Three replicas run
      points: 3
      manifest: {in: web.yaml, select: {kind: Deployment}, match: {spec: {replicas: 3}}}
    - id: name
      title: It keeps its name
      points: 1
      dependsOn: [replicas]
      manifest: {in: web.yaml, select: {kind: Deployment}, match: {metadata: {name: web}}}
    - id: sealed
      title: Nobody reads the expectation
      points: 1
      visibility: never
      manifest: {in: web.yaml, select: {kind: Deployment}, match: {metadata: {labels: {s3cret-key: s3cret-value}}}}
    - id: commits
      title: One commit tells why
      points: 1
      dependsOn: [replicas]
      git: {commits: {min: 1, subject: '^[A-Z]'}}
";

const STARTER: &str = "kind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n";
const SOLUTION: &str =
    "kind: Deployment\nmetadata:\n  name: web\n  labels: {s3cret-key: s3cret-value}\nspec:\n  replicas: 3\n";
const HALF: &str = "kind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 3\n";

fn mutant(fails: &str, rest: &str) -> String {
    format!("apiVersion: gradus.dev/v1alpha1\nkind: Mutant\nwhy: A mistake.\nfails: [{fails}]\n{rest}")
}

fn set(pointer: &str, to: &str) -> String {
    format!("edits: [{{file: web.yaml, set: {pointer}, to: {to}}}]\n")
}

fn course() -> Tree {
    let mut tree = Tree::default();
    let mut put = |path: &str, text: &str| tree.insert_file(path, text.as_bytes());
    put(
        "course.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Course\nmetadata: {id: demo, title: A demonstration}\nspec:\n  \
         description: For tests.\n  salt: demo\n  domains: [{id: d1-first, title: First, points: 6}]\n  modules: [module-1-1]\n",
    );
    put(
        "d1-first/module-1-1/module.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {id: module-1-1, title: One}\nspec: {tasks: [scale-web]}\n",
    );
    let mut put = |path: &str, text: &str| put(&format!("d1-first/module-1-1/tasks/scale-web/{path}"), text);
    put("task.yaml", TASK);
    put("brief.md", "# Scale\n");
    put("debrief.md", "# Why\n");
    put("starter/web.yaml", STARTER);
    put("solution/web.yaml", SOLUTION);
    put("mutants/two.yaml", &mutant("replicas", &set("/spec/replicas", "2")));
    put("mutants/renamed.yaml", &mutant("name", &set("/metadata/name", "other")));
    put("mutants/unlabelled.yaml", &mutant("sealed", "edits: [{file: web.yaml, delete: /metadata/labels}]\n"));
    put("mutants/mumbled.yaml", &mutant("commits", "edits: []\ncommits: [{message: fix}]\n"));
    tree
}

/// A directory with the course in `demo/`.
struct Desk(TempDir);

impl Desk {
    fn new(course: &Tree) -> Self {
        let desk = Desk(TempDir::new().unwrap());
        desk.write("demo", course);
        desk
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, dir: &str, tree: &Tree) {
        for (path, entry) in tree.iter() {
            let Entry::File { bytes, .. } = entry else { panic!("{path} is no file") };
            let path = self.path(dir).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// The published workspace in `fork/`, with this answer.
    fn fork(&self, answer: &str) {
        let course = load(&course(), "demo").unwrap().course;
        self.write("fork", &workspace(&course, None).unwrap());
        std::fs::write(self.path("fork/tasks/scale-web/web.yaml"), answer).unwrap();
    }

    /// A directory with nothing but this answer.
    fn lone(&self, answer: &str) {
        std::fs::create_dir_all(self.path("scale-web")).unwrap();
        std::fs::write(self.path("scale-web/web.yaml"), answer).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_gradus"), args)
    }

    fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.0.path());
        command
            .env("NO_COLOR", "1")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("GIT_CEILING_DIRECTORIES", self.0.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

const LONE: [&str; 4] = ["grade", "scale-web", "--course", "demo"];

#[test]
fn exit_codes_tell_pass_fail_and_broken_apart() {
    let desk = Desk::new(&course());
    desk.lone(SOLUTION);
    let passed = desk.run(&LONE);
    assert_eq!(passed.status.code(), Some(0), "{}", text(&passed));
    desk.lone(STARTER);
    assert_eq!(desk.run(&LONE).status.code(), Some(1));
    assert_eq!(desk.run(&["grade", "nowhere"]).status.code(), Some(2));
    assert_eq!(desk.run(&["grade", "scale-web", "--task", "nothing", "--course", "demo"]).status.code(), Some(2));
    std::fs::write(desk.path("demo/course.yaml"), "kind: Course\nsurprise: 1\n").unwrap();
    let broken = desk.run(&LONE);
    assert_eq!(broken.status.code(), Some(2), "{}", text(&broken));
}

#[test]
fn a_checkpoint_that_cannot_be_judged_is_a_broken_course_at_its_line() {
    let mut broken = course();
    let rule = "cel: {in: web.yaml, rule: 'object.spec.replicas =='}";
    let manifest = "manifest: {in: web.yaml, select: {kind: Deployment}, match: {metadata: {name: web}}}";
    let path = broken.paths().find(|path| path.ends_with("scale-web/task.yaml")).unwrap().to_owned();
    broken.insert_file(path, TASK.replace(manifest, rule).as_bytes());
    let desk = Desk::new(&broken);
    desk.lone(SOLUTION);
    let output = desk.run(&LONE);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("scale-web/task.yaml:16:"), "{text}");
}

#[test]
fn text_shows_the_learners_line_with_a_caret_and_ends_with_the_verdict() {
    let desk = Desk::new(&course());
    desk.lone(STARTER);
    let output = desk.run(&LONE);
    let text = text(&output);
    assert!(text.contains("--> scale-web/web.yaml:5:"), "{text}");
    assert!(text.contains("5 |   replicas: 1") && text.contains('^'), "{text}");
    assert!(text.trim_end().lines().last().unwrap().starts_with("Not yet: 0 of 6 points."), "{text}");
    assert!(text.contains("(waits for replicas)"), "{text}");
}

#[test]
fn what_is_hidden_is_in_no_output_of_a_grading() {
    let desk = Desk::new(&course());
    desk.lone(HALF);
    for format in ["text", "json", "github"] {
        let output = desk.run(&[&LONE[..], &["--format", format]].concat());
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("sealed"), "{text}");
        assert!(!text.contains("s3cret"), "{format}: {text}");
    }
}

#[test]
fn a_fork_is_graded_without_flags_and_says_what_it_cannot_judge() {
    let desk = Desk::new(&course());
    desk.fork(HALF);
    let output = desk.run(&["grade", "fork/tasks/scale-web", "--format", "json"]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    let outcomes: Vec<_> =
        report["checkpoints"].as_array().unwrap().iter().map(|c| c["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["pass", "pass", "notRun", "notRun"]);
    assert_eq!((&report["score"], &report["points"], &report["commit"]), (&4.into(), &4.into(), &Value::Null));
    let course = load(&course(), "demo").unwrap().course;
    assert_eq!(report["course"]["revision"], course.revision.as_str());
}

#[test]
fn where_all_is_committed_it_says_so_and_how_to_grade_the_commit() {
    let desk = Desk::new(&course());
    desk.fork(STARTER);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        let done = desk.command_of("git", &[&["-C", "fork"], &identity[..], args].concat()).output().unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "Publish"]);
    git(&["switch", "-qc", "scale-web"]);
    std::fs::write(desk.path("fork/tasks/scale-web/web.yaml"), HALF).unwrap();
    let noted =
        |output: &Output| String::from_utf8_lossy(&output.stderr).contains("note: everything here is committed");
    let open = desk.run(&["grade", "fork"]);
    assert!(!noted(&open));
    assert!(text(&open).contains("commit, then `gradus grade --commit HEAD`"), "{}", text(&open));
    git(&["commit", "-qam", "Three replicas"]);
    assert!(noted(&desk.run(&["grade", "fork"])));
    let head = desk.run(&["grade", "fork", "--commit", "HEAD"]);
    assert!(!noted(&head) && text(&head).contains("pass         commits"), "{}", text(&head));

    let unknown = desk.run(&["grade", "fork", "--commit", "nope"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said.contains("no commit `nope`") && said.contains("`HEAD`") && !said.contains("class="), "{said}");
}

#[test]
fn github_gets_one_command_per_line() {
    let desk = Desk::new(&course());
    desk.lone(STARTER);
    let output = desk.run(&[&LONE[..], &["--format", "github"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.starts_with("::error ") || line.starts_with("::notice ")), "{text}");
    assert!(text.contains("file=tasks/scale-web/web.yaml,line=5,"), "{text}");
}

#[test]
fn what_kubectl_and_kustomize_read_differently_is_advice_and_changes_no_result() {
    let quoted = SOLUTION.replace("labels: {", "annotations: {freeze: \"yes\"}\n  labels: {");
    let bare = quoted.replace("\"yes\"", "yes");
    let graded = |course: &Tree, answer: &str, format: &str| {
        let desk = Desk::new(course);
        desk.lone(answer);
        let output = desk.run(&[&LONE[..], &["--format", format]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let course = course();
    let shown = graded(&course, &bare, "text");
    let note = "note[advice]: `yes` is true to kubectl and the text `yes` to kustomize: quote it";
    assert!(shown.contains(note), "{shown}");
    assert!(shown.contains("--> scale-web/web.yaml:4:25\n"), "{shown}");
    assert!(shown.contains("4 |   annotations: {freeze: yes}\n"), "{shown}");
    let commands = graded(&course, &bare, "github");
    let notice =
        "::notice file=tasks/scale-web/web.yaml,line=4,endLine=4,col=25,endColumn=28,title=advice::`yes` is true";
    assert!(commands.lines().last().unwrap().starts_with(notice), "{commands}");
    assert_eq!(graded(&course, &bare, "json"), graded(&course, &quoted, "json"));
    assert!(!graded(&course, &quoted, "text").contains("advice"));

    let mut plain = course.clone();
    let task = TASK.replace("  minutes: 5\n", "  minutes: 5\n  dialect: yaml12\n");
    plain.insert_file("d1-first/module-1-1/tasks/scale-web/task.yaml", task.as_bytes());
    for format in ["text", "github"] {
        assert!(!graded(&plain, &bare, format).contains("advice"));
    }
}

/// The example in `docs/grading.md` is what this course really gives.
#[test]
fn the_documented_report_is_a_real_one() {
    let desk = Desk::new(&course());
    desk.lone(STARTER);
    let mut real = report(&desk.run(&[&LONE[..], &["--format", "json"]].concat()));
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grading.md")).unwrap();
    let block = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let mut documented: Value = serde_json::from_str(block).unwrap();
    for report in [&mut real, &mut documented] {
        report["course"]["revision"] = Value::Null;
    }
    assert_eq!(real, documented, "docs/grading.md should show:\n{real:#}");
}

#[test]
fn the_gate_proves_a_good_task_remembers_it_and_names_what_is_wrong_with_a_bad_one() {
    let desk = Desk::new(&course());
    let proven = desk.run(&["test", "demo"]);
    assert_eq!(proven.status.code(), Some(0), "{}", text(&proven));
    assert!(text(&desk.run(&["test", "demo"])).contains("1 unchanged since proven"));
    let dir = "demo/d1-first/module-1-1/tasks/scale-web";
    // A mutant that changes nothing that matters, and one less that kills.
    std::fs::write(desk.path(&format!("{dir}/mutants/renamed.yaml")), mutant("name", &set("/metadata/extra", "x")))
        .unwrap();
    let broken = desk.run(&["test", dir]);
    let text = text(&broken);
    assert_eq!(broken.status.code(), Some(1), "{text}");
    assert!(text.contains("mutant `renamed` survives: `name` should fail and did not"), "{text}");
    assert!(text.contains("nothing kills `name`"), "{text}");
    // What it changes, and commands that run as they stand and show each verdict.
    assert!(text.contains("    what `renamed` changes in the solution:\n      web.yaml\n"), "{text}");
    assert!(text.contains("\n      +  extra: x\n"), "{text}");
    let commands: Vec<&str> = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("gradus ")).collect();
    let [explain, preview] = commands.as_slice() else { panic!("{text}") };
    assert!(explain.contains("--course demo/"), "the course is not in ./courses: {text}");
    for (command, says) in [(explain, "name (manifest) on mutant renamed"), (preview, "**Passed:")] {
        let shown = desk.run(&command.split(' ').collect::<Vec<_>>());
        assert!(self::text(&shown).contains(says), "{command}: {}", self::text(&shown));
    }
}

#[test]
fn a_guard_that_the_starter_satisfies_must_depend_on_something() {
    let mut course = course();
    let path = "d1-first/module-1-1/tasks/scale-web/task.yaml";
    let alone = TASK.replacen("      dependsOn: [replicas]\n      manifest", "      manifest", 1);
    course.insert_file(path, alone.as_bytes());
    let desk = Desk::new(&course);
    let output = desk.run(&["test", "demo", "--format", "json"]);
    let list = report(&output);
    assert_eq!(output.status.code(), Some(1), "{list:#}");
    assert_eq!(list["items"][0]["findings"][0]["problem"], "guardAlone", "{list:#}");
    assert_eq!(list["items"][0]["findings"][0]["checkpoint"], "name");
}

#[test]
fn explain_judges_one_checkpoint_on_whatever_is_named() {
    let desk = Desk::new(&course());
    let dir = "demo/d1-first/module-1-1/tasks/scale-web";
    for (on, code, word) in [("two", 1, "fail"), ("solution", 0, "pass"), ("starter", 1, "fail")] {
        let output = desk.run(&["explain", dir, "replicas", "--on", on]);
        assert_eq!(output.status.code(), Some(code), "{on}: {}", text(&output));
        assert!(text(&output).lines().any(|line| line.starts_with(word)), "{on}: {}", text(&output));
    }
    let unknown = desk.run(&["explain", dir, "nothing"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("`replicas`"), "{}", text(&unknown));
    // A fork has no starter: nothing is judged in its place.
    desk.fork(HALF);
    for on in ["starter", "solution"] {
        let output = desk.run(&["explain", "fork/tasks/scale-web", "replicas", "--on", on]);
        let told = text(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("no `{on}` either")) && told.contains("--on tasks/scale-web"), "{told}");
    }
    let output = desk.run(&["explain", "fork/tasks/scale-web", "replicas", "--on", "fork/tasks/scale-web"]);
    assert_eq!(output.status.code(), Some(0), "the remedy: {}", text(&output));
}

#[test]
fn explain_names_the_steps_of_a_scenario_that_is_judged_on_the_files() {
    let desk = Desk::new(&course());
    let dir = "courses/cnpe/d2-gitops/module-2-1/tasks/argocd-app-selfheal-prune";
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    for (on, code, word) in [("no-heal", 1, "fail"), ("solution", 0, "pass")] {
        let output = desk.run(&["explain", dir.to_str().unwrap(), "heals", "--on", on]);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{on}: {text}");
        let step = "step 1 is not tried here: after Deployment `storefront` was scaled to 7: `live`";
        assert!(text.contains(step) && text.lines().any(|line| line.starts_with(word)), "{on}: {text}");
    }
}

/// Ends the watcher, also when the test fails.
struct Watcher(std::process::Child);

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_grades_again_when_a_file_is_saved() {
    let desk = Desk::new(&course());
    desk.lone(STARTER);
    let mut command = desk.command(&["watch", "scale-web", "--course", "demo"]);
    let mut watcher = Watcher(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    let out = BufReader::new(watcher.0.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let until = |start: &str| {
        let line = || lines.recv_timeout(Duration::from_secs(60)).ok();
        std::iter::from_fn(line).any(|line| line.starts_with(start))
    };
    assert!(until("Not yet: 0 of 6 points."));
    assert!(until("Watching "));
    desk.lone(SOLUTION);
    assert!(until("Passed: 5 of 5 points."));
}
