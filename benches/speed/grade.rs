//! Grading: in this process, as a whole `gradus grade` process, and beside conftest on the same files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gradus::course::Course;
use gradus::course::draw::Drawn;
use gradus::course::id::TaskId;
use gradus::course::load::load;
use gradus::course::values::Scope;
use gradus::grade::report::CourseRef;
use gradus::grade::{Job, grade};
use gradus::sandbox::Sandbox;
use gradus::submission::tree::Tree;

use crate::peer;
use crate::sample::{Sample, ms, peak_mib};

/// Runs of each measurement that count, after one that does not.
const RUNS: usize = 15;

/// Objects per file, as a rendered overlay has them.
const PER_FILE: usize = 10;

/// Measures and prints.
pub fn run() {
    println!("## Grading\n");
    println!(
        "Deployments of about 30 lines, ten to a file; half of the checkpoints are `manifest`, half `cel`, each on every object.\n"
    );
    println!("| objects | checkpoints | in process | whole `gradus grade` | peak memory |\n|---|---|---|---|---|");
    for (objects, checkpoints) in [(1, 1), (1, 40), (300, 2), (300, 40), (3_000, 40), (30_000, 40)] {
        let bench = Bench::new(objects, checkpoints);
        let runs = if objects > 1_000 { 3 } else { RUNS };
        let inside = Sample::of(runs, || bench.judge());
        let outside = Sample::of(runs, || bench.spawn());
        let memory = peak_mib(&bench.command()).map_or("GNU time is not here".to_owned(), |mib| format!("{mib} MiB"));
        println!("| {objects} | {checkpoints} | {} | {} | {memory} |", inside.show(), outside.show());
    }
    println!();
    beside_conftest();
}

fn beside_conftest() {
    let Some(conftest) = peer::conftest() else { return };
    let bench = Bench::new(300, 2);
    let policy = bench.dir.path().join("policy");
    fs::create_dir_all(&policy).expect("the temporary directory takes a directory");
    fs::write(policy.join("main.rego"), REGO).expect("the temporary directory takes a file");
    let mut peer = Command::new(conftest);
    peer.arg("test").arg("--policy").arg(&policy).arg(bench.work()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = peer.status().expect("conftest starts");
    assert!(status.success(), "conftest has to accept what gradus accepts");

    // Alternately, so that a change of the machine's speed meets both.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(timed(|| bench.spawn()));
        theirs.push(timed(|| drop(peer.status())));
    }
    let (ours, theirs) = (Sample::from(ours), Sample::from(theirs));
    let ratio = theirs.percentile(50).as_secs_f64() / ours.percentile(50).as_secs_f64();
    println!("The same two rules over the same 300 Deployments, whole processes, alternately:\n");
    println!("| | time | peak memory |\n|---|---|---|");
    let mib = |command: &Command| peak_mib(command).map_or("–".to_owned(), |mib| format!("{mib} MiB"));
    println!("| `gradus grade` | {} | {} |", ours.show(), mib(&bench.command()));
    println!("| `conftest test` | {} | {} |", theirs.show(), mib(&peer));
    println!(
        "\nRatio of the medians: {ratio:.1}. gradus also starts its sandbox; conftest has none. Median of gradus: {}.\n",
        ms(ours.percentile(50))
    );
}

fn timed(work: impl FnOnce()) -> std::time::Duration {
    let began = std::time::Instant::now();
    work();
    began.elapsed()
}

/// A course of one task, and a directory of objects that passes it.
struct Bench {
    dir: tempfile::TempDir,
    course: CourseRef,
    drawn: Drawn,
    files: Tree,
}

impl Bench {
    fn new(objects: usize, checkpoints: usize) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path();
        let task = "course-bench/domain/module/tasks/speed";
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("not the root")).expect("a directory");
            fs::write(path, text).expect("a file");
        };
        write("course-bench/course.yaml", COURSE);
        write("course-bench/domain/module/module.yaml", MODULE);
        write(&format!("{task}/task.yaml"), &task_yaml(checkpoints));
        write(&format!("{task}/brief.md"), "# Speed\n\nA task to measure.\n");
        write(&format!("{task}/debrief.md"), "Measured.\n");
        write(&format!("{task}/starter/objects.yaml"), "# nothing yet\n");
        write(&format!("{task}/solution/objects.yaml"), &deployments(0..1));
        for first in (0..objects).step_by(PER_FILE) {
            write(&format!("work/part-{first:05}.yaml"), &deployments(first..objects.min(first + PER_FILE)));
        }
        let tree = Tree::from_dir(&root.join("course-bench")).expect("the course reads");
        let course: Course =
            load(&tree, "course-bench").map(|loaded| loaded.course).unwrap_or_else(|e| panic!("{e:#?}"));
        let id: TaskId = "speed".parse().expect("an id");
        let drawn = course.tasks[&id].draw(&course, &Scope::Course).unwrap_or_else(|e| panic!("{e:#?}"));
        let files = Tree::from_dir(&root.join("work")).expect("the work reads");
        let bench = Self { course: CourseRef { id: course.id, revision: course.revision }, drawn, files, dir };
        let report = bench.judged();
        assert_eq!(
            (report.score, report.points),
            (checkpoints as u32, checkpoints as u32),
            "the work has to pass: {report:#?}"
        );
        bench
    }

    fn work(&self) -> std::path::PathBuf {
        self.dir.path().join("work")
    }

    fn judged(&self) -> gradus::grade::report::Report {
        let job = Job {
            course: &self.course,
            task: &self.drawn.task,
            values: &self.drawn.values,
            commit: None,
            files: &self.files,
            base: &self.drawn.starter,
            hidden: None,
            history: None,
            environs: None,
            violations: &[],
        };
        grade(&job, &Sandbox::InProcess)
    }

    fn judge(&self) {
        std::hint::black_box(self.judged());
    }

    fn command(&self) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_gradus")));
        command.arg("grade").arg(self.work()).args(["--task", "speed", "--format", "json", "--course"]);
        command.arg(self.dir.path().join("course-bench")).stdout(Stdio::null());
        command
    }

    fn spawn(&self) {
        let status = self.command().status().expect("gradus starts");
        assert!(status.success(), "the work has to pass");
    }
}

const COURSE: &str = "apiVersion: gradus.dev/v1alpha1
kind: Course
metadata: {id: course-bench, title: Speed}
spec:
  draft: true
  description: A course to measure.
  salt: speed
  domains: [{id: domain, title: Speed, points: 40}]
  modules: [module]
";

const MODULE: &str = "apiVersion: gradus.dev/v1alpha1
kind: Module
metadata: {id: module, title: Speed}
spec: {tasks: [speed]}
";

fn task_yaml(checkpoints: usize) -> String {
    let mut text = format!(
        "apiVersion: gradus.dev/v1alpha1\nkind: Task\nmetadata: {{id: speed, title: Speed}}\nspec:\n  points: {checkpoints}\n  minutes: 1\n  checkpoints:\n"
    );
    for n in 0..checkpoints {
        let kind = if n % 2 == 0 {
            "manifest: {select: {kind: Deployment}, match: {spec: {replicas: {$gte: 2}, template: {spec: {containers: [{name: web, resources: {limits: {memory: {$qty: {$lte: 1Gi}}}}}]}}}}}"
        } else {
            "cel: {select: {kind: Deployment}, rule: \"object.spec.template.spec.containers.all(c, has(c.resources.limits) && quantity(c.resources.limits.memory).compareTo(quantity('1Gi')) <= 0)\"}"
        };
        writeln!(text, "    - id: c{n}\n      title: Rule {n}\n      {kind}").expect("writing to a string");
    }
    text
}

fn deployments(numbers: std::ops::Range<usize>) -> String {
    let one = |n: usize| {
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{n}
  namespace: team-{}
  labels:
    app: web-{n}
    owner: payments
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web-{n}
  template:
    metadata:
      labels:
        app: web-{n}
    spec:
      containers:
        - name: web
          image: registry.example/web:1.2.3
          ports:
            - containerPort: 8080
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{cpu: 500m, memory: 256Mi}}
          securityContext:
            runAsNonRoot: true
        - name: side
          image: registry.example/side:4.5.6
          resources:
            limits: {{memory: 64Mi}}
",
            n % 20
        )
    };
    numbers.map(one).collect::<Vec<_>>().join("---\n")
}

const REGO: &str = "package main

deny contains msg if {
	input.kind == \"Deployment\"
	input.spec.replicas < 2
	msg := sprintf(\"%s: too few replicas\", [input.metadata.name])
}

deny contains msg if {
	input.kind == \"Deployment\"
	some c in input.spec.template.spec.containers
	not c.resources.limits.memory
	msg := sprintf(\"%s: container %s has no memory limit\", [input.metadata.name, c.name])
}
";
