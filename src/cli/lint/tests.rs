//! What an author reads about a broken course: the text of `gradus lint`, one broken rule each.

use super::*;
use crate::course::tests::{TASK, demo, demo_with};

/// The text about a course, as `gradus lint` prints it.
fn said(tree: Tree) -> String {
    let findings = match load::read(&tree, "demo") {
        Ok(loaded) => {
            let mut findings = lint::course(&loaded.course);
            findings.warnings.splice(0..0, loaded.warnings);
            findings
        }
        Err(unloaded) => Findings { errors: lint::unloaded(&unloaded), warnings: Vec::new() },
    };
    text(&[Linted { home: PathBuf::from("demo"), tree, findings }], Colour::Never)
}

fn said_with(path: &str, old: &str, new: &str) -> String {
    said(demo_with(path, old, new))
}

fn task_with(old: &str, new: &str) -> String {
    said_with(&format!("{TASK}/task.yaml"), old, new)
}

fn mutant_with(old: &str, new: &str) -> String {
    said_with(&format!("{TASK}/mutants/too-few.yaml"), old, new)
}

fn without(path: &str) -> String {
    let mut tree = demo();
    assert!(tree.remove(path).is_some(), "{path}");
    said(tree)
}

fn added(path: &str, bytes: &[u8]) -> String {
    let mut tree = demo();
    tree.insert_file(path, bytes);
    said(tree)
}

#[test]
fn the_demonstration_is_clean() {
    assert_eq!(said(demo()), "no errors\n");
}

#[test]
fn an_unknown_field_is_refused() {
    insta::assert_snapshot!(task_with("minutes:", "minuets:"), @r"
    error: unknown field `minuets`
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:6:3
      |
    5 |   points: 6
    6 |   minuets: 3
      |   ^^^^^^^
      |
      = help: did you mean `minutes`?

    1 error
    ");
}

#[test]
fn an_unknown_field_hides_no_other_problem() {
    let path = format!("{TASK}/task.yaml");
    let mut tree = demo_with(&path, "minutes:", "minuets:");
    let task = String::from_utf8(tree.file(&path).unwrap().to_vec()).unwrap();
    tree.insert_file(path, task.replace("points: 6", "points: 7").replace("[there]", "[their]").into_bytes());
    tree.insert_file(
        format!("{TASK}/mutants/new.yaml"),
        *b"apiVersion: gradus.dev/v1alpha1\nkind: Mutant\nwhy: x\nfails: [nothing]\nedits: []\n",
    );
    let said = said(tree);
    for problem in ["unknown field `minuets`", "sum to 6 points, not 7", "called `their`", "called `nothing`"] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
}

#[test]
fn an_unknown_field_of_a_kind_is_refused() {
    insta::assert_snapshot!(task_with("{path: web.yaml, expect: exists}", "{path: web.yaml, expects: exists}"), @r"
    error: unknown field `expects`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:30
       |
    14 |       points: 1
    15 |       file: {path: web.yaml, expects: exists}
       |                              ^^^^^^^
       |
       = help: did you mean `expect`?

    1 error
    ");
}

#[test]
fn a_wrong_type_is_refused() {
    insta::assert_snapshot!(task_with("points: 6", "points: six"), @r#"
    error: `points` must be a whole number, 0 or more, not the text "six"
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:5:11
      |
    4 | spec:
    5 |   points: six
      |           ^^^

    1 error
    "#);
    let negative = task_with("points: 6", "points: -6");
    assert!(
        negative.starts_with("error: `points` must be a whole number, 0 or more, not the number `-6`\n"),
        "{negative}"
    );
    insta::assert_snapshot!(task_with("dependsOn: [there]", "dependsOn: there"), @r#"
    error: `dependsOn` must be a list, not the text "there"
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:19:18
       |
    18 |       points: 3
    19 |       dependsOn: there
       |                  ^^^^^

    1 error
    "#);
}

#[test]
fn a_bad_variant_is_refused() {
    insta::assert_snapshot!(task_with("visibility: never", "visibility: newer"), @r"
    error: `visibility` cannot be `newer`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:26:19
       |
    25 |       points: 1
    26 |       visibility: newer
       |                   ^^^^^
       |
       = help: did you mean `never`?

    1 error
    ");
    insta::assert_snapshot!(said_with("course.yaml", "kind: Course", "kind: Curse"), @r"
    error: `kind` cannot be `Curse`
     --> demo/course.yaml:2:7
      |
    1 | apiVersion: gradus.dev/v1alpha1
    2 | kind: Curse
      |       ^^^^^
      |
      = help: did you mean `Course`?

    1 error
    ");
    insta::assert_snapshot!(said_with("course.yaml", "gradus.dev/v1alpha1", "gradus.dev/v1"), @r"
    error: `apiVersion` cannot be `gradus.dev/v1`
     --> demo/course.yaml:1:13
      |
    1 | apiVersion: gradus.dev/v1
      |             ^^^^^^^^^^^^^
      |
      = help: possible: gradus.dev/v1alpha1

    1 error
    ");
}

#[test]
fn a_missing_field_is_named() {
    insta::assert_snapshot!(task_with("      title: The replicas are right\n", ""), @r"
    error: the field `title` is missing in `spec.checkpoints[1]`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:16:7
       |
    15 |       file: {path: web.yaml, expect: exists}
    16 |     - id: replicas
       |       ^
       |
       = help: add `title:` here

    1 error
    ");
}

#[test]
fn several_errors_are_told_at_once() {
    let tree = demo_with(&format!("{TASK}/task.yaml"), "visibility: never", "visibilty: never");
    let text = String::from_utf8(tree.file(&format!("{TASK}/task.yaml")).expect("there").to_vec()).expect("text");
    let text = text.replace("after: 1", "after: one").replace("title: Every case", "tilte: Every case");
    let mut tree = tree;
    tree.insert_file(format!("{TASK}/task.yaml"), text.as_bytes());
    tree.insert_file("d1-first/module-1-1/module.yaml.bak", *b"x");
    insta::assert_snapshot!(said(tree), @r#"
    error: `after` must be a whole number, 0 or more, not the text "one"
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:21:19
       |
    20 |       hints:
    21 |         - {after: one, text: A hint that stays here}
       |                   ^^^

    error: unknown field `visibilty`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:26:7
       |
    25 |       points: 1
    26 |       visibilty: never
       |       ^^^^^^^^^
       |
       = help: did you mean `visibility`?

    error: unknown field `tilte`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:29:7
       |
    28 |     - id: cases
    29 |       tilte: Every case holds
       |       ^^^^^
       |
       = help: did you mean `title`?

    3 errors
    "#);
}

#[test]
fn what_only_values_show_is_told_beside_what_keeps_a_course_from_loading() {
    // In the same file, and in another one of the task.
    let file = format!("{TASK}/task.yaml");
    let mut tree = demo_with(&file, "visibility: never", "visibilty: never");
    let text = String::from_utf8(tree.file(&file).unwrap().to_vec()).unwrap();
    let rule = "cel: {in: web.yaml, select: {kind: Deployment}, rule: 1 +}";
    tree.insert_file(&file, text.replace("file: {path: web.yaml, expect: exists}", rule).as_bytes());
    tree.insert_file(format!("{TASK}/brief.md"), *b"# Replicas\n\nFor {{tema}}.\n");
    insta::assert_snapshot!(said(tree), @r#"
    error: not a handlebars template: Failed to access variable in strict mode Some("tema")
     --> demo/d1-first/module-1-1/tasks/replicas/brief.md:3:5
      |
    2 |
    3 | For {{tema}}.
      |     ^
      |
      = help: only values are available here; write `\{{` for the text itself

    error: the expression ends where a value is expected (at column 4 of the expression)
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:61
       |
    14 |       points: 1
    15 |       cel: {in: web.yaml, select: {kind: Deployment}, rule: 1 +}
       |                                                             ^^^

    error: unknown field `visibilty`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:26:7
       |
    25 |       points: 1
    26 |       visibilty: never
       |       ^^^^^^^^^
       |
       = help: did you mean `visibility`?

    3 errors
    "#);
}

#[test]
fn yaml_that_cannot_be_read_has_a_place() {
    insta::assert_snapshot!(task_with("  minutes: 3", "\tminutes: 3"), @r"
    error: not YAML: while scanning a plain scalar, found a tab
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:5:11
      |
    4 | spec:
    5 |   points: 6
      |           ^

    1 error
    ");
    insta::assert_snapshot!(task_with("minutes: 3", "minutes: 3\n  minutes: 4"), @r"
    error: the key `minutes` was given on line 6 already
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:7:3
      |
    6 |   minutes: 3
    7 |   minutes: 4
      |   ^^^^^^^
      |
      = help: remove one of the two

    1 error
    ");
    insta::assert_snapshot!(task_with("\"${replicas}\"", "{${replicas}}"), @r"
    error: not YAML: while parsing a flow mapping, did not find expected ',' or '}'
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:22:87
       |
    21 | ... A hint that stays here}
    22 | ...aml, select: {kind: Deployment}, match: {spec: {replicas: {${replicas}}}}}
       |                                                                ^
       |
       = help: put text that holds `${name}` in quotes

    1 error
    ");
}

#[test]
fn a_scalar_that_tools_read_differently_is_refused() {
    insta::assert_snapshot!(task_with("match: {spec: {replicas: \"${replicas}\"}}", "match: {spec: {mode: 0644}}"), @r#"
    error: `0644` means different things to different YAML readers
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:22:81
       |
    21 | ... text: A hint that stays here}
    22 | ... web.yaml, select: {kind: Deployment}, match: {spec: {mode: 0644}}}
       |                                                                ^^^^
       |
       = help: write "0644" for the text, else `true`, `false` or a decimal number

    1 error
    "#);
}

#[test]
fn a_wrong_sum_is_refused() {
    insta::assert_snapshot!(task_with("points: 6", "points: 7"), @r"
    error: the checkpoints sum to 6 points, not 7
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:5:11
      |
    4 | spec:
    5 |   points: 7
      |           ^
      |
      = help: write `points: 6`, or correct a checkpoint

    1 error
    ");
    insta::assert_snapshot!(said_with("course.yaml", "points: 6", "points: 7"), @r"
    error: the tasks of `d1-first` sum to 6 points, not 7
     --> demo/course.yaml:8:50
      |
    7 |   domains:
    8 |     - {id: d1-first, title: First steps, points: 7}
      |                                                  ^
      |
      = help: correct the points, or say `draft: true` while tasks are missing

    1 error
    ");
}

#[test]
fn the_sums_of_a_draft_are_reported_only() {
    let mut tree = demo_with("course.yaml", "points: 6", "points: 7");
    let text = String::from_utf8(tree.file("course.yaml").expect("there").to_vec()).expect("text");
    tree.insert_file("course.yaml", text.replace("spec:\n", "spec:\n  draft: true\n").as_bytes());
    insta::assert_snapshot!(said(tree), @r"
    warning: the tasks of `d1-first` sum to 6 points, not 7
     --> demo/course.yaml:9:50
      |
    8 |   domains:
    9 |     - {id: d1-first, title: First steps, points: 7}
      |                                                  ^
      |
      = help: nothing to do while tasks are missing: a draft's sums are only reported

    no errors, 1 warning
    ");
}

#[test]
fn a_checkpoint_id_is_unique() {
    insta::assert_snapshot!(task_with("- id: sealed", "- id: there"), @r#"
    error: the checkpoint id `there` is used twice
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:23:11
       |
    22 |       manifest: {in: web.yaml, select: {kind: Deployment}, match: {spec: {replicas: "${replicas}"}}}
    23 |     - id: there
       |           ^^^^^
       |
       = help: checkpoint ids are unique in the task: rename one

    1 error
    "#);
}

#[test]
fn a_checkpoint_id_that_is_used_twice_is_told_without_its_consequences() {
    let said = task_with("- id: replicas", "- id: there");
    assert!(said.starts_with("error: the checkpoint id `there` is used twice"), "{said}");
    assert!(said.ends_with("\n1 error\n"), "{said}");
}

#[test]
fn a_dependency_exists() {
    insta::assert_snapshot!(task_with("dependsOn: [there]", "dependsOn: [their]"), @r"
    error: no checkpoint is called `their`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:19:19
       |
    18 |       points: 3
    19 |       dependsOn: [their]
       |                   ^^^^^
       |
       = help: did you mean `there`?

    1 error
    ");
}

#[test]
fn a_dependency_cycle_is_shown() {
    insta::assert_snapshot!(task_with("      points: 1\n      file:", "      points: 1\n      dependsOn: [replicas]\n      file:"), @r"
    error: checkpoints depend on each other: there → replicas → there
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:7
       |
    14 |       points: 1
    15 |       dependsOn: [replicas]
       |       ^^^^^^^^^
       |
       = help: remove one of these `dependsOn`

    1 error
    ");
}

#[test]
fn a_checkpoint_has_exactly_one_kind() {
    insta::assert_snapshot!(task_with("      file: {path: web.yaml, expect: exists}\n", ""), @r"
    error: checkpoint `there` needs exactly one of `file`, `manifest`, `cel`, `git`, `live`, `argocd`, `rbac`, `admission`, `scenario`, `http`, `promql` and has none
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:12:7
       |
    11 |   checkpoints:
    12 |     - id: there
       |       ^^
       |
       = help: each checkpoint has one kind: file, manifest, cel, git, live, argocd, rbac, admission, scenario, http, promql

    1 error
    ");
    insta::assert_snapshot!(
        task_with("      file: {path: web.yaml", "      git: {}\n      file: {path: web.yaml"), @r"
    error: checkpoint `there` needs exactly one of `file`, `manifest`, `cel`, `git`, `live`, `argocd`, `rbac`, `admission`, `scenario`, `http`, `promql` and has `file` and `git`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:7
       |
    14 |       points: 1
    15 |       git: {}
       |       ^^^
       |
       = help: each checkpoint has one kind: file, manifest, cel, git, live, argocd, rbac, admission, scenario, http, promql

    1 error
    ");
    insta::assert_snapshot!(task_with("file: {path: web.yaml, expect: exists}", "withheld: hidden"), @r"
    error: `withheld` is for published workspaces only
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:17
       |
    14 |       points: 1
    15 |       withheld: hidden
       |                 ^^^^^^
       |
       = help: write one of file, manifest, cel, git, live, argocd, rbac, admission, scenario, http, promql

    1 error
    ");
}

#[test]
fn an_expression_that_does_not_compile_is_refused() {
    // What is wrong with it is said in the words of the kind.
    let said = task_with("rule: object.spec.replicas < case.limit", "rule: object.spec.replicas <");
    assert!(said.starts_with("error: ") && said.contains("task.yaml:31:") && said.ends_with("1 error\n"), "{said}");
}

#[test]
fn a_missing_hidden_file_is_named() {
    insta::assert_snapshot!(without(&format!("{TASK}/hidden/cases.yaml")), @r"
    error: the file `hidden/cases.yaml` is missing
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:31:62
       |
    30 | ...     points: 1
    31 | ...     cel: {in: web.yaml, select: {kind: Deployment}, cases: hidden/cases.yaml, rule: object.spec.replicas < case.limit}
       |                                                                ^^^^^^^^^^^^^^^^^
       |
       = help: add d1-first/module-1-1/tasks/replicas/hidden/cases.yaml

    1 error
    ");
    insta::assert_snapshot!(task_with("hidden/cases.yaml", "hidden/case.yaml"), @r"
    error: the file `hidden/case.yaml` is missing
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:31:62
       |
    30 | ...     points: 1
    31 | ...     cel: {in: web.yaml, select: {kind: Deployment}, cases: hidden/case.yaml, rule: object.spec.replicas < case.limit}
       |                                                                ^^^^^^^^^^^^^^^^
       |
       = help: did you mean `hidden/cases.yaml`?

    1 error
    ");
}

#[test]
fn a_missing_solution_or_brief_is_named() {
    insta::assert_snapshot!(without(&format!("{TASK}/solution/web.yaml.hbs")), @r"
    error: the task has no solution
    --> demo/d1-first/module-1-1/tasks/replicas/solution
     |
     = help: add what differs from the starter

    1 error
    ");
    insta::assert_snapshot!(without(&format!("{TASK}/brief.md")), @r"
    error: the file is missing
    --> demo/d1-first/module-1-1/tasks/replicas/brief.md
     |
     = help: add the brief, beginning with `# Title`

    1 error
    ");
    insta::assert_snapshot!(without(&format!("{TASK}/task.yaml")), @r"
    error: the file is missing
    --> demo/d1-first/module-1-1/tasks/replicas/task.yaml
     |
     = help: add the task's points and checkpoints (`gradus new task` writes one)

    1 error
    ");
}

#[test]
fn a_name_without_a_parameter_is_refused() {
    insta::assert_snapshot!(task_with("title: The Deployment is there", "title: The Deployment of ${tema}"), @r"
    error: no parameter is called `tema`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:13:14
       |
    12 |     - id: there
    13 |       title: The Deployment of ${tema}
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: did you mean `${team}`?

    1 error
    ");
    insta::assert_snapshot!(said_with(&format!("{TASK}/brief.md"), "{{team}}", "{{#if tema}}x{{/if}}{{team}}"), @r"
    error: no parameter is called `tema`
     --> demo/d1-first/module-1-1/tasks/replicas/brief.md:3:12
      |
    2 |
    3 | Team {{#if tema}}x{{/if}}{{team}} wants {{replicas}} replicas.
      |            ^^^^
      |
      = help: did you mean `team`?

    1 error
    ");
    insta::assert_snapshot!(mutant_with("${team}", "${owner}"), @r"
    error: no parameter is called `owner`
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:3:6
      |
    2 | kind: Mutant
    3 | why: A wrong number that ${owner} would not take.
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: declare it in `spec.parameters`, or write `$${owner}` for the text itself

    1 error
    ");
}

#[test]
fn a_broken_template_has_a_place() {
    insta::assert_snapshot!(said_with(&format!("{TASK}/brief.md"), "wants", "{{#if team}} wants"), @r"
    error: not a handlebars template: something is not understood here, or a block (`{{#if …}}`) is left open
     --> demo/d1-first/module-1-1/tasks/replicas/brief.md:4:1
      |
    3 | Team {{team}} {{#if team}} wants {{replicas}} replicas.
      |                                                        ^
      |
      = help: only values are available here; write `\{{` for the text itself

    1 error
    ");
}

#[test]
fn a_parameter_that_nothing_uses_is_refused() {
    insta::assert_snapshot!(task_with("  parameters:\n", "  parameters:\n    colour: {oneOf: [red, blue]}\n"), @r"
    error: nothing uses the parameter `colour`
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:8:5
      |
    7 |   parameters:
    8 |     colour: {oneOf: [red, blue]}
      |     ^^^^^^
      |
      = help: use it as `${colour}`, `params.colour` or `{{colour}}`, or remove it

    1 error
    ");
}

#[test]
fn a_parameter_that_cannot_be_drawn_is_refused() {
    insta::assert_snapshot!(task_with("{min: 20, max: 40}", "{min: 40, max: 20}"), @r"
    error: `spare`: `max` must not be less than `min`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:10:5
       |
     9 |     replicas: {int: {min: 3, max: 9}, scope: learner}
    10 |     spare: {int: {min: 40, max: 20}}
       |     ^^^^^

    1 error
    ");
}

#[test]
fn a_learners_value_does_not_get_into_the_starter() {
    insta::assert_snapshot!(said_with(&format!("{TASK}/starter/web.yaml.hbs"), "replicas: 1", "replicas: {{replicas}}"), @r"
    error: the starter is the same for everybody and cannot hold `replicas`
     --> demo/d1-first/module-1-1/tasks/replicas/starter/web.yaml.hbs:5:15
      |
    4 | spec:
    5 |   replicas: {{replicas}}
      |               ^^^^^^^^
      |
      = help: use it in the brief and in checkpoints, or drop `scope: learner`

    1 error
    ");
}

#[test]
fn an_id_is_the_directorys_name() {
    insta::assert_snapshot!(task_with("{id: replicas,", "{id: replica,"), @r#"
    error: the id `replica` is not the directory's name `replicas`
     --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:3:16
      |
    2 | kind: Task
    3 | metadata: {id: replica, title: "Scale the web of ${team}"}
      |                ^^^^^^^
      |
      = help: rename one of the two

    1 error
    "#);
    insta::assert_snapshot!(said_with("course.yaml", "{id: demo,", "{id: demonstration,"), @r"
    error: the id `demonstration` is not the directory's name `demo`
     --> demo/course.yaml:3:16
      |
    2 | kind: Course
    3 | metadata: {id: demonstration, title: A demonstration}
      |                ^^^^^^^^^^^^^
      |
      = help: rename one of the two

    1 error
    ");
    insta::assert_snapshot!(said_with("d1-first/module-1-1/module.yaml", "{id: module-1-1,", "{id: Module_1,"), @r"
    error: `Module_1` is not an identifier: use 1 to 63 of a-z, 0-9 and `-`, starting and ending with a letter or digit
     --> demo/d1-first/module-1-1/module.yaml:3:16
      |
    2 | kind: Module
    3 | metadata: {id: Module_1, title: Fields}
      |                ^^^^^^^^

    1 error
    ");
}

#[test]
fn lists_and_directories_agree() {
    insta::assert_snapshot!(said_with("d1-first/module-1-1/module.yaml", "[replicas]", "[replicas, replica]"), @r"
    error: the task `replica` has no directory
     --> demo/d1-first/module-1-1/module.yaml:5:21
      |
    4 | spec:
    5 |   tasks: [replicas, replica]
      |                     ^^^^^^^
      |
      = help: did you mean `replicas`?

    1 error
    ");
    insta::assert_snapshot!(said_with("d1-first/module-1-1/module.yaml", "[replicas]", "[]"), @r"
    error: module.yaml does not list this task
    --> demo/d1-first/module-1-1/tasks/replicas
     |
     = help: add `replicas` to `spec.tasks` of d1-first/module-1-1/module.yaml

    1 error
    ");
    insta::assert_snapshot!(said_with("course.yaml", "[module-1-1]", "[module-1-1, module-1-2]"), @r"
    error: the module `module-1-2` has no directory
     --> demo/course.yaml:9:25
      |
    8 |     - {id: d1-first, title: First steps, points: 6}
    9 |   modules: [module-1-1, module-1-2]
      |                         ^^^^^^^^^^
      |
      = help: did you mean `module-1-1`?

    1 error
    ");
    insta::assert_snapshot!(said_with("course.yaml", "[module-1-1]", "[]"), @r"
    error: course.yaml does not list this module
    --> demo/d1-first/module-1-1/module.yaml
     |
     = help: add `module-1-1` to `spec.modules` of course.yaml

    1 error
    ");
    insta::assert_snapshot!(said_with("course.yaml", "{id: d1-first,", "{id: d1-second,"), @r"
    error: the module `module-1-1` has no directory
     --> demo/course.yaml:9:13
      |
    8 |     - {id: d1-second, title: First steps, points: 6}
    9 |   modules: [module-1-1]
      |             ^^^^^^^^^^
      |
      = help: add DOMAIN/module-1-1/module.yaml, or take the module out of the list

    error: the domain `d1-first` is not in course.yaml
    --> demo/d1-first/module-1-1/module.yaml
     |
     = help: add `d1-first` to `spec.domains` of course.yaml

    2 errors
    ");
}

#[test]
fn a_path_stays_in_its_directory() {
    insta::assert_snapshot!(task_with("{path: web.yaml, expect", "{path: ../web.yaml, expect"), @r"
    error: the path `../web.yaml` leaves the directory by `..`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:20
       |
    14 |       points: 1
    15 |       file: {path: ../web.yaml, expect: exists}
       |                    ^^^^^^^^^^^
       |
       = help: paths are relative to the task's directory, `/` between names

    1 error
    ");
    insta::assert_snapshot!(mutant_with("file: web.yaml", "file: /etc/passwd"), @r"
    error: the path `/etc/passwd` begins with `/`
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:6:12
      |
    5 | edits:
    6 |   - {file: /etc/passwd, set: /spec/replicas, to: 2}
      |            ^^^^^^^^^^^
      |
      = help: paths are relative to `tasks/TASK-ID/` of the workspace

    1 error
    ");
    insta::assert_snapshot!(added(&format!("{TASK}/solution/.removed"), b"../../x\n"), @r"
    error: the path `../../x` leaves the directory by `..`
     --> demo/d1-first/module-1-1/tasks/replicas/solution/.removed:1:1
      |
    1 | ../../x
      | ^^^^^^^
      |
      = help: paths are relative to `tasks/TASK-ID/` of the workspace

    1 error
    ");
}

#[test]
fn a_brief_has_a_title_and_a_lesson_a_heading() {
    insta::assert_snapshot!(said_with(&format!("{TASK}/brief.md"), "# Scale", "Scale"), @r"
    error: the brief has no title
     --> demo/d1-first/module-1-1/tasks/replicas/brief.md:1:1
      |
    1 | Scale
      | ^
      |
      = help: begin it with a heading: `# Title`

    1 error
    ");
    insta::assert_snapshot!(said_with("d1-first/module-1-1/lessons/01-fields.md", "# Fields", "Fields"), @r"
    error: the lesson has no title
     --> demo/d1-first/module-1-1/lessons/01-fields.md:1:1
      |
    1 | Fields
      | ^
      |
      = help: begin it with a heading: `# Title`

    1 error
    ");
    insta::assert_snapshot!(added("d1-first/module-1-1/lessons/fields.md", b"# Fields\n"), @r"
    error: not the name of a lesson
    --> demo/d1-first/module-1-1/lessons/fields.md
     |
     = help: name lessons NN-slug.md, as in 01-health-checks.md; put pictures into a directory

    1 error
    ");
}

#[test]
fn text_is_utf_8() {
    insta::assert_snapshot!(added(&format!("{TASK}/brief.md"), b"# Caf\xe9\n"), @r"
    error: not UTF-8 text
    --> demo/d1-first/module-1-1/tasks/replicas/brief.md:1:1
     |
     = help: save the file as UTF-8

    1 error
    ");
    insta::assert_snapshot!(added(&format!("{TASK}/task.yaml"), b"a: 1\nb: \xff\n"), @r"
    error: not UTF-8 text
    --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:2:1
     |
     = help: save the file as UTF-8

    1 error
    ");
}

#[test]
fn a_mutant_names_checkpoints_that_exist() {
    insta::assert_snapshot!(mutant_with("fails: [replicas]", "fails: [replica]"), @r"
    error: no checkpoint is called `replica`
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:4:9
      |
    3 | why: A wrong number that ${team} would not take.
    4 | fails: [replica]
      |         ^^^^^^^
      |
      = help: did you mean `replicas`?

    1 error
    ");
    insta::assert_snapshot!(mutant_with("fails: [replicas]", "fails: []"), @r"
    error: a mutant makes at least one checkpoint fail
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:4:1
      |
    3 | why: A wrong number that ${team} would not take.
    4 | fails: []
      | ^^^^^
      |
      = help: a right answer belongs into alternatives/

    1 error
    ");
}

#[test]
fn an_edit_does_one_thing_and_changes_something() {
    insta::assert_snapshot!(mutant_with("set: /spec/replicas, to: 2", "set: /spec/replicas"), @r"
    error: `set` needs `to`
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:6:5
      |
    5 | edits:
    6 |   - {file: web.yaml, set: /spec/replicas}
      |     ^
      |
      = help: an edit is one of: file + set + to, file + delete, file + replace + with, add + text, remove

    1 error
    ");
    insta::assert_snapshot!(mutant_with("/spec/replicas, to: 2", "/spec/replica/s, to: 2"), @r"
    error: nothing is at `/spec/replica`
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:6:5
      |
    5 | edits:
    6 |   - {file: web.yaml, set: /spec/replica/s, to: 2}
      |     ^

    1 error
    ");
    insta::assert_snapshot!(mutant_with("{file: web.yaml, set: /spec/replicas, to: 2}", "{remove: wep.yaml}"), @r"
    error: the solution has no file `wep.yaml`: did you mean `web.yaml`?
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:6:5
      |
    5 | edits:
    6 |   - {remove: wep.yaml}
      |     ^

    1 error
    ");
    insta::assert_snapshot!(mutant_with("set: /spec/replicas, to: 2", "replace: 'kind: Service', with: x"), @r"
    error: `kind: Service` occurs 0 times in `web.yaml`, not once
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:6:5
      |
    5 | edits:
    6 |   - {file: web.yaml, replace: 'kind: Service', with: x}
      |     ^

    1 error
    ");
    insta::assert_snapshot!(mutant_with("set: /spec/replicas, to: 2", "set: /kind, to: Deployment"), @r"
    error: this edit changes nothing
     --> demo/d1-first/module-1-1/tasks/replicas/mutants/too-few.yaml:6:5
      |
    5 | edits:
    6 |   - {file: web.yaml, set: /kind, to: Deployment}
      |     ^

    1 error
    ");
}

#[test]
fn a_file_that_nothing_reads_is_refused() {
    insta::assert_snapshot!(added(&format!("{TASK}/mutant/x.yaml"), b"a: 1\n"), @r"
    error: nothing reads this
    --> demo/d1-first/module-1-1/tasks/replicas/mutant/x.yaml
     |
     = help: did you mean `mutants`?

    1 error
    ");
    insta::assert_snapshot!(added(&format!("{TASK}/mutants/x.yml"), b"a: 1\n"), @r"
    error: not a mutant
    --> demo/d1-first/module-1-1/tasks/replicas/mutants/x.yml
     |
     = help: a mutant is a file mutants/NAME.yaml

    1 error
    ");
    insta::assert_snapshot!(added(&format!("{TASK}/alternatives/x.yaml"), b"a: 1\n"), @r"
    error: not an alternative
    --> demo/d1-first/module-1-1/tasks/replicas/alternatives/x.yaml
     |
     = help: an alternative is a directory alternatives/NAME/

    1 error
    ");
}

#[test]
fn hints_are_ordered() {
    insta::assert_snapshot!(task_with("A hint that stays here}", "A hint that stays here}\n        - {after: 0, text: Early}"), @r"
    error: this hint comes before the one above it
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:22:19
       |
    21 |         - {after: 1, text: A hint that stays here}
    22 |         - {after: 0, text: Early}
       |                   ^
       |
       = help: order hints by `after`

    error: a hint is for somebody who failed: `after` is 1 or more
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:22:19
       |
    21 |         - {after: 1, text: A hint that stays here}
    22 |         - {after: 0, text: Early}
       |                   ^

    2 errors
    ");
}

#[test]
fn a_task_without_proofs_is_warned_about() {
    let mut tree = demo();
    tree.remove(&format!("{TASK}/mutants/too-few.yaml"));
    tree.remove(&format!("{TASK}/alternatives/notes/web.yaml.hbs"));
    tree.remove(&format!("{TASK}/alternatives/notes/.removed"));
    insta::assert_snapshot!(said(tree), @r"
    warning: the task has no alternative
    --> demo/d1-first/module-1-1/tasks/replicas/alternatives
     |
     = help: add another right answer: it proves that checkpoints ask for no more than the brief

    warning: the task has no mutant
    --> demo/d1-first/module-1-1/tasks/replicas/mutants
     |
     = help: add wrong answers: `gradus test` asks for one per checkpoint at least

    no errors, 2 warnings
    ");
}

#[test]
fn a_hidden_file_that_nothing_reads_is_warned_about() {
    insta::assert_snapshot!(added(&format!("{TASK}/hidden/case.yaml.hbs"), b"- {limit: 10}\n"), @r"
    warning: no checkpoint reads this hidden file
    --> demo/d1-first/module-1-1/tasks/replicas/hidden/case.yaml.hbs
     |
     = help: name it in a checkpoint, or remove it

    no errors, 1 warning
    ");
}

#[test]
fn an_overlay_holds_differences_only() {
    insta::assert_snapshot!(added(&format!("{TASK}/solution/note.txt"), b"Braces of others: {{ .Values.x }}\n"), @r"
    error: the same as in the starter
    --> demo/d1-first/module-1-1/tasks/replicas/solution/note.txt
     |
     = help: remove it: an overlay holds differences

    1 error
    ");
    insta::assert_snapshot!(added(&format!("{TASK}/solution/.removed"), b"notes.txt\n"), @r"
    error: the starter has no file `notes.txt`
     --> demo/d1-first/module-1-1/tasks/replicas/solution/.removed:1:1
      |
    1 | notes.txt
      | ^^^^^^^^^
      |
      = help: did you mean `note.txt`?

    1 error
    ");
}

#[test]
fn a_link_is_refused() {
    let mut tree = demo();
    tree.insert(format!("{TASK}/starter/link"), crate::submission::tree::Entry::Symlink("/etc/passwd".to_owned()));
    insta::assert_snapshot!(said(tree), @r"
    error: a course holds regular files only
    --> demo/d1-first/module-1-1/tasks/replicas/starter/link
     |
     = help: replace the link by the file itself

    1 error
    ");
}

#[test]
fn the_page_for_authors_shows_what_is_printed() {
    let page = include_str!("../../../docs/authoring.md");
    assert!(page.contains(&task_with("minutes:", "minuets:")), "docs/authoring.md shows another text");
}

#[test]
fn an_environment_that_would_share_too_much_is_refused_at_its_line() {
    let with = |kind: &str| {
        let block = format!(
            "  environment:\n    tier: namespace\n    path: manifests\n    allow:\n      kinds:\n        - {kind}\n  checkpoints:\n"
        );
        let mut tree = demo_with(&format!("{TASK}/task.yaml"), "  checkpoints:\n", &block);
        tree.insert_file(format!("{TASK}/starter/manifests/web.yaml"), *b"kind: Deployment\n");
        said(tree)
    };
    assert_eq!(with("{group: apps, kind: Deployment}"), "no errors\n");
    insta::assert_snapshot!(with("{kind: Namespace}"), @r"
    error: Namespace is of the whole cluster, which is shared
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:16:18
       |
    15 |       kinds:
    16 |         - {kind: Namespace}
       |                  ^^^^^^^^^
       |
       = help: use `tier: controlPlane`

    1 error
    ");
    insta::assert_snapshot!(with("{kind: Pod, scop: cluster}"), @r"
    error: unknown field `scop`
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:16:23
       |
    15 |       kinds:
    16 |         - {kind: Pod, scop: cluster}
       |                       ^^^^
       |
       = help: did you mean `scope`?

    error: Pod is of the whole cluster, which is shared
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:16:18
       |
    15 |       kinds:
    16 |         - {kind: Pod, scop: cluster}
       |                  ^^^
       |
       = help: use `tier: controlPlane`

    2 errors
    ");
}

#[test]
fn workloads_are_asked_where_they_run() {
    let with = |tier: &str, kind: &str| {
        let block = format!(
            "  environment: {{tier: {tier}, path: manifests, allow: {{kinds: [{{kind: Service}}]}}}}\n  checkpoints:\n"
        );
        let mut tree = demo_with(&format!("{TASK}/task.yaml"), "  checkpoints:\n", &block);
        tree.insert_file(format!("{TASK}/starter/manifests/web.yaml"), *b"kind: Service\n");
        let path = format!("{TASK}/task.yaml");
        let task = String::from_utf8(tree.file(&path).unwrap().to_vec()).unwrap();
        let offline = "offline: {file: {path: web.yaml, expect: exists}}";
        let kind = format!("{kind}, {offline}}}\n");
        let task = task.replace("file: {path: web.yaml, expect: exists}\n", &kind);
        tree.insert_file(path, task.into_bytes());
        said(tree)
    };
    let http = "http: {via: {service: web, port: 80}, get: /healthz, expect: {json: {ok: true}}";
    let promql = "promql: {via: {service: web, port: 9090}, query: up, expect: {value: 1}";
    for kind in [http, promql] {
        assert_eq!(with("namespace", kind), "no errors\n");
        let refused = with("controlPlane", kind);
        assert!(refused.contains("nobody answers on a control plane") && refused.contains("task.yaml:"), "{refused}");
    }
    let operators = "promql: {via: {address: prometheus}, query: 'up{namespace=\"$namespace\"}', expect: {value: 1}";
    for tier in ["namespace", "controlPlane"] {
        assert_eq!(with(tier, operators), "no errors\n");
    }
    let everybodys = with("namespace", "promql: {via: {address: prometheus}, query: up, expect: {value: 1}");
    assert!(everybodys.contains("knows of every learner") && everybodys.contains("1 error"), "{everybodys}");
    let broken = with("namespace", "http: {via: {service: web, port: 80}, get: healthz, expect: {status: {$gtt: 1}}");
    assert!(broken.contains("write a path of an address") && broken.contains("2 errors"), "{broken}");
}

#[test]
fn what_ends_waiting_early_is_compiled_and_only_where_something_is_waited_for() {
    let text = |yaml: &str| task_with("file: {path: web.yaml, expect: exists}", yaml);
    insta::assert_snapshot!(text("failFast: object.status.failed == true\n      file: {path: web.yaml, expect: exists}"), @r"
    error: `failFast` looks at objects of `live`, which `file` has none of: delete it
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:15:17
       |
    14 |       points: 1
    15 |       failFast: object.status.failed == true
       |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 error
    ");
    let live = |rule: &str| {
        let block = "  environment: {tier: namespace, path: manifests, allow: {kinds: [{group: apps, kind: Deployment}]}}\n  checkpoints:\n";
        let mut tree = demo_with(&format!("{TASK}/task.yaml"), "  checkpoints:\n", block);
        tree.insert_file(format!("{TASK}/starter/manifests/web.yaml"), *b"kind: Deployment\n");
        let path = format!("{TASK}/task.yaml");
        let kind = format!(
            "failFast: {rule}\n      live: {{select: {{kind: Deployment}}, match: {{}}, offline: {{file: {{path: web.yaml, expect: exists}}}}}}"
        );
        let task = String::from_utf8(tree.file(&path).unwrap().to_vec()).unwrap();
        let task = task.replace("file: {path: web.yaml, expect: exists}\n", &format!("{kind}\n"));
        tree.insert_file(path, task.into_bytes());
        said(tree)
    };
    assert_eq!(live("object.status.?failed.orValue(false)"), "no errors\n");
    insta::assert_snapshot!(live("object.status.failed =="), @r"
    error: the expression ends where a value is expected (at column 24 of the expression)
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:16:17
       |
    15 |       points: 1
    16 |       failFast: object.status.failed ==
       |                 ^^^^^^^^^^^^^^^^^^^^^^^

    1 error
    ");
    insta::assert_snapshot!(live("objects.size() == 1"), @r"
    error: undeclared variable `objects`; there is `object` (at column 1 of the expression)
      --> demo/d1-first/module-1-1/tasks/replicas/task.yaml:16:17
       |
    15 |       points: 1
    16 |       failFast: objects.size() == 1
       |                 ^^^^^^^^^^^^^^^^^^^

    1 error
    ");
}
