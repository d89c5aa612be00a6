//! A course with things that nobody may see, each marked so that it can be searched for.

use std::fs;
use std::path::Path;

/// In what is hidden, and nowhere else.
pub const HIDDEN: [&str; 4] =
    ["canary-expectation-93b1", "canary-fixture-77aa", "canary-solution-5e02", "canary-mutant-c41f"];

/// Writes the course `hello` into a directory of that name below `parent`.
pub fn write(parent: &Path) {
    let [expectation, fixture, solution, mutant] = HIDDEN;
    let put = |path: &str, text: &str| {
        let path = parent.join("hello").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(
        "course.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Course\nmetadata: {id: hello, title: Hello}\nspec:\n  description: For \
         tests.\n  salt: grain\n  domains: [{id: basics, title: Basics, points: 8}]\n  modules: [start]\n",
    );
    put(
        "basics/start/module.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {id: start, title: Start}\nspec: {tasks: [copies, note]}\n",
    );
    let task = "basics/start/tasks/copies";
    put(
        &format!("{task}/task.yaml"),
        &format!(
            r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {{id: copies, title: Three copies}}
spec:
  points: 6
  minutes: 3
  checkpoints:
    - id: count
      title: There are three copies
      points: 2
      manifest: {{in: web.yaml, select: {{kind: Deployment}}, match: {{spec: {{replicas: 3}}}}}}
    - id: motto
      title: The motto is a good one
      points: 2
      visibility: never
      message: this is not the motto of the shop
      manifest: {{in: web.yaml, select: {{kind: Deployment}}, match: {{metadata: {{annotations: {{motto: {expectation}}}}}}}}}
    - id: teams
      title: It belongs to a team
      points: 2
      cel:
        in: web.yaml
        cases: hidden/teams.yaml
        rule: objects.exists(d, d.metadata.?labels.?team.orValue('') == case.team)
"#
        ),
    );
    put(&format!("{task}/hidden/teams.yaml"), &format!("- {{describe: a team that exists, team: {fixture}}}\n"));
    put(&format!("{task}/brief.md"), "# Three copies\n\nMake it three.\n");
    put(&format!("{task}/debrief.md"), "Three is enough.\n");
    put(&format!("{task}/starter/web.yaml"), &deployment(1, "", ""));
    put(&format!("{task}/solution/web.yaml"), &(deployment(3, expectation, fixture) + &format!("# {solution}\n")));
    put(
        &format!("{task}/mutants/one.yaml"),
        &format!(
            "apiVersion: gradus.dev/v1alpha1\nkind: Mutant\nwhy: {mutant}\nfails: [count]\nedits: [{{file: web.yaml, \
             set: /spec/replicas, to: 1}}]\n"
        ),
    );
    let task = "basics/start/tasks/note";
    put(
        &format!("{task}/task.yaml"),
        "apiVersion: gradus.dev/v1alpha1\nkind: Task\nmetadata: {id: note, title: A note}\nspec:\n  points: 2\n  minutes: \
         1\n  checkpoints:\n    - {id: done, title: There is a note, points: 2, file: {path: note.txt, text: {contains: \
         [done]}}}\n",
    );
    put(&format!("{task}/brief.md"), "# A note\n\nLeave a note that says done.\n");
    put(&format!("{task}/debrief.md"), "Notes help.\n");
    put(&format!("{task}/starter/README.md"), "A place for a note.\n");
    put(&format!("{task}/solution/note.txt"), "done\n");
}

/// What a learner works on.
pub fn deployment(replicas: u32, motto: &str, team: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {{team: \"{team}\"}}\n  annotations: \
         {{motto: \"{motto}\"}}\nspec:\n  replicas: {replicas}\n"
    )
}
