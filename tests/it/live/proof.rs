//! `gradus test --live`: a checkpoint whose twin says yes where the environment says no is found, which `gradus test` cannot.

use std::path::Path;
use std::process::Command;

use crate::serve::world::PROGRAM;

/// The twin looks at what is written; what counts is what the API server makes of it.
const TASK: &str = "apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: door, title: A door that opens}
spec:
  points: 2
  minutes: 5
  environment:
    tier: namespace
    path: manifests
    allow: {kinds: [{kind: ConfigMap}, {kind: Service}]}
  checkpoints:
    - id: open
      title: It is open
      points: 1
      eventually: {within: 5s}
      live:
        select: {kind: ConfigMap, name: door}
        match: {data: {open: \"yes\"}}
        offline: {manifest: {select: {kind: ConfigMap, name: door}, match: {data: {open: \"yes\"}}}}
    - id: reached
      title: It is reached on port 80
      points: 1
      eventually: {within: 5s}
      live:
        select: {kind: Service, name: door}
        match: {spec: {ports: [{port: 80, targetPort: 80}]}}
        offline: {manifest: {select: {kind: Service, name: door}, match: {spec: {ports: [{port: 80}]}}}}
";

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: door}\ndata: {open: \"yes\"}\n";
const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: door}\nspec: {selector: {app: door}, ports: [{port: 80}]}\n";

fn course(dir: &Path) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let head = "apiVersion: gradus.dev/v1alpha1\n";
    let spec = "{description: For tests., salt: grain, domains: [{id: all, title: All, points: 2}], modules: [one]}";
    write("course.yaml", &format!("{head}kind: Course\nmetadata: {{id: doors, title: Doors}}\nspec: {spec}\n"));
    write(
        "all/one/module.yaml",
        &format!("{head}kind: Module\nmetadata: {{id: one, title: One}}\nspec: {{tasks: [door]}}\n"),
    );
    write("all/one/lessons/01-it.md", "# It\n\nRead.\n");
    let task = |path: &str, text: &str| write(&format!("all/one/tasks/door/{path}"), text);
    task("task.yaml", TASK);
    task("brief.md", "# A door\n\nOpen it.\n");
    task("debrief.md", "# Why\n\nBecause.\n");
    task("starter/manifests/README.md", "Here.\n");
    task("solution/manifests/door.yaml", &format!("{MAP}---\n{SERVICE}"));
    let mutant = |name: &str, why: &str, fails: &str, edit: &str| {
        let text = format!(
            "{head}kind: Mutant\nwhy: {why}\nfails: [{fails}]\nedits:\n  - {{file: manifests/door.yaml, {edit}}}\n"
        );
        task(&format!("mutants/{name}.yaml"), &text);
    };
    mutant("shut", "It is shut.", "open", "document: 0, set: /data/open, to: \"no\"");
    mutant("another-port", "Nobody knocks there.", "reached", "document: 1, set: /spec/ports/0/port, to: 81");
    // On the files nothing tells this one from the solution: its author calls it right.
    write(
        "all/one/tasks/door/alternatives/elsewhere/manifests/door.yaml",
        &format!("{MAP}---\n{}", SERVICE.replace("{port: 80}", "{port: 80, targetPort: 8080}")),
    );
}

fn test(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.current_dir(dir).env("TMPDIR", dir).args(["test", "--matrix", "doors"]).args(args);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn what_a_twin_lets_through_and_the_environment_does_not_is_found_where_it_runs() {
    // Sockets below it have short names only.
    let dir = tempfile::Builder::new().prefix("glp-").tempdir_in("/tmp").unwrap();
    course(&dir.path().join("doors"));
    let (code, said) = test(dir.path(), &["--no-cache"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = test(dir.path(), &["--live"]);
    assert_eq!(code, Some(1), "{said}");
    for row in [
        "solution               . .",
        "alternative elsewhere  . x",
        "mutant another-port    . x",
        "mutant shut            x .",
    ] {
        assert!(said.contains(row), "`{row}`: {said}");
    }
    assert!(
        said.contains("- alternative elsewhere fails `reached`: `ports[80].targetPort` is 8080, must be 80"),
        "{said}"
    );
    assert_eq!(said.matches("\n  - ").count(), 1, "nothing else is found: {said}");
    assert!(said.contains("Not proven in their environments: 1 of 1 task"), "{said}");
    // Why is told where the last words say that it is.
    let told = "alternative elsewhere judged after ";
    let told = said.split_once(told).unwrap().1.lines().nth(1).unwrap();
    assert!(told.starts_with("    reached: fail: `ports[80].targetPort` is 8080, must be 80"), "{said}");
    assert!(said.contains("Why a checkpoint did not pass stands above, where its submission was judged"), "{said}");
    // Nothing is left of it.
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["doors"]);
}
