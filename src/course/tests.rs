//! A small course that the tests of this room share.

use std::path::Path;

use super::*;
use crate::submission::tree::Entry;

/// The task's directory.
pub const TASK: &str = "d1-first/module-1-1/tasks/replicas";

/// Path and text of all files.
const FILES: &[(&str, &str)] = &[
    (
        "course.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Course
metadata: {id: demo, title: A demonstration}
spec:
  description: For tests.
  salt: demo-2026
  domains:
    - {id: d1-first, title: First steps, points: 6}
  modules: [module-1-1]
",
    ),
    (
        "d1-first/module-1-1/module.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Module
metadata: {id: module-1-1, title: Fields}
spec:
  tasks: [replicas]
",
    ),
    ("d1-first/module-1-1/lessons/01-fields.md", "# Fields\n\nA field has a name.\n\n![tree](img/tree.svg)\n"),
    ("d1-first/module-1-1/lessons/img/tree.svg", "<svg/>\n"),
    (
        "d1-first/module-1-1/tasks/replicas/task.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: replicas, title: \"Scale the web of ${team}\"}
spec:
  points: 6
  minutes: 3
  parameters:
    team: {oneOf: [aurora, basalt, cobalt]}
    replicas: {int: {min: 3, max: 9}, scope: learner}
    spare: {int: {min: 20, max: 40}}
  checkpoints:
    - id: there
      title: The Deployment is there
      points: 1
      file: {path: web.yaml, expect: exists}
    - id: replicas
      title: The replicas are right
      points: 3
      dependsOn: [there]
      hints:
        - {after: 1, text: A hint that stays here}
      manifest: {in: web.yaml, select: {kind: Deployment}, match: {spec: {replicas: \"${replicas}\"}}}
    - id: sealed
      title: Nobody reads the expectation
      points: 1
      visibility: never
      manifest: {in: web.yaml, select: {kind: Deployment}, match: {metadata: {labels: {sealed-expectation: \"${spare}\"}}}}
    - id: cases
      title: Every case holds
      points: 1
      cel: {in: web.yaml, select: {kind: Deployment}, cases: hidden/cases.yaml, rule: object.spec.replicas < case.limit}
",
    ),
    (
        "d1-first/module-1-1/tasks/replicas/brief.md",
        "# Scale\n\nTeam {{team}} wants {{replicas}} replicas.\n",
    ),
    ("d1-first/module-1-1/tasks/replicas/debrief.md", "# Why\n\nThe debrief of {{team}}.\n"),
    (
        "d1-first/module-1-1/tasks/replicas/starter/web.yaml.hbs",
        "kind: Deployment\nmetadata:\n  name: web # of {{team}}\nspec:\n  replicas: 1\n",
    ),
    ("d1-first/module-1-1/tasks/replicas/starter/note.txt", "Braces of others: {{ .Values.x }}\n"),
    (
        "d1-first/module-1-1/tasks/replicas/solution/web.yaml.hbs",
        "kind: Deployment\nmetadata:\n  name: web\n  labels: {sealed-expectation: \"{{spare}}\"}\nspec:\n  replicas: {{replicas}}\n",
    ),
    ("d1-first/module-1-1/tasks/replicas/alternatives/notes/.removed", "note.txt\n"),
    (
        "d1-first/module-1-1/tasks/replicas/alternatives/notes/web.yaml.hbs",
        "# an alternative\nkind: Deployment\nmetadata: {name: web, labels: {sealed-expectation: \"{{spare}}\"}}\nspec: {replicas: {{replicas}}}\n",
    ),
    (
        "d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Mutant
why: A wrong number that ${team} would not take.
fails: [replicas]
edits:
  - {file: web.yaml, set: /spec/replicas, to: 2}
",
    ),
    (
        "d1-first/module-1-1/tasks/replicas/hidden/cases.yaml",
        "- {describe: a small cluster, limit: 10}\n- {describe: the secret case, limit: 12}\n",
    ),
];

/// The demonstration course's directory.
pub fn demo() -> Tree {
    FILES.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect()
}

/// The demonstration course, loaded.
pub fn loaded() -> Course {
    load::load(&demo(), "demo").map(|loaded| loaded.course).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

fn file(text: &str) -> Entry {
    Entry::File { bytes: text.as_bytes().into(), executable: false }
}

/// The course with `old` replaced by `new` in one file, where it must stand.
pub fn demo_with(path: &str, old: &str, new: &str) -> Tree {
    let mut tree = demo();
    let text = String::from_utf8(tree.file(path).expect("a file of the demonstration").to_vec()).expect("text");
    assert!(text.contains(old), "{path} does not hold {old}");
    tree.insert_file(path, text.replacen(old, new, 1).as_bytes());
    tree
}

pub fn shown(problems: &[diagnostic::Diagnostic]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Writes a tree to a directory.
pub fn write(dir: &Path, tree: &Tree) {
    for (path, entry) in tree.iter() {
        let Entry::File { bytes, .. } = entry else { panic!("{path} is not a file") };
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
}

/// The demonstration course as `demo/` in a directory that goes away with the value.
pub fn course_on_disk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    write(&dir.path().join("demo"), &demo());
    dir
}

#[test]
fn a_draw_fills_in_values_and_makes_all_trees() {
    let course = loaded();
    let task = course.tasks_in_order().next().expect("a task");
    let drawn = task.draw(&course, &values::Scope::Course).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    let text = |tree: &Tree, path: &str| String::from_utf8(tree.file(path).expect(path).to_vec()).expect("text");
    let team = drawn.values["team"].as_str().expect("text").to_owned();
    let replicas = drawn.values["replicas"].clone();
    assert_eq!(drawn.task.title, format!("Scale the web of {team}"));
    assert_eq!(drawn.brief, format!("# Scale\n\nTeam {team} wants {replicas} replicas.\n"));
    assert!(text(&drawn.starter, "web.yaml").contains(&format!("# of {team}")));
    assert_eq!(text(&drawn.starter, "note.txt"), "Braces of others: {{ .Values.x }}\n");
    assert!(text(&drawn.solution, "web.yaml").contains(&format!("replicas: {replicas}\n")));
    assert_eq!(drawn.alternatives["notes"].paths().collect::<Vec<_>>(), ["web.yaml"]);
    assert!(text(&drawn.mutants["too-few"].files, "web.yaml").contains("replicas: 2\n"));
    assert_eq!(drawn.mutants["too-few"].why, format!("A wrong number that {team} would not take."));
    assert_eq!(drawn.hidden.paths().collect::<Vec<_>>(), ["cases.yaml"]);
}

#[test]
fn learners_get_their_own_values_and_no_proofs() {
    let course = loaded();
    let task = course.tasks_in_order().next().expect("a task");
    let of = |name: &str| {
        let scope = values::Scope::Learner(name.parse().expect("an id"));
        task.draw(&course, &scope).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
    };
    let drawn: Vec<_> = (0..20).map(|n| of(&format!("learner-{n}"))).collect();
    let distinct: std::collections::BTreeSet<_> = drawn.iter().map(|drawn| drawn.brief.clone()).collect();
    assert!(distinct.len() > 3, "{distinct:?}");
    assert!(drawn.iter().all(|drawn| drawn.solution.is_empty() && drawn.mutants.is_empty()));
    assert!(drawn.iter().all(|other| other.starter == drawn[0].starter), "the starter is the same for everybody");
}
