//! `check.yml`: what everybody may see, judged without secrets.

use super::course::{HIDDEN, deployment};
use super::world::{HEAD, World};

#[test]
fn an_unprivileged_run_annotates_what_everybody_may_see() {
    let world = World::new();
    let web = deployment(2, HEAD, "");
    let at = world.open(&[("tasks/copies/web.yaml", &web), (".gradus/tasks/copies.yaml", "spec: {}\n")]);
    let run = world.run("check", "pull_request", world.payload(at, "opened"));
    assert!(!run.good, "a checkpoint fails");
    assert!(run.raw.contains("::error file=tasks/copies/web.yaml,line=8,"), "{}", run.log);
    assert!(HIDDEN.iter().all(|secret| !run.log.contains(secret) && !run.raw.contains(secret)), "{}", run.raw);
    world.assert_discreet(&run);
    world.hub.finish();
}
