//! The sandbox from outside: real children of the real program.

use gradus::sandbox::{Sandbox, Strictness};

fn sandbox() -> Sandbox {
    Sandbox::child(env!("CARGO_BIN_EXE_gradus"), Strictness::Required)
}

/// The control is `without_walls_the_probe_finds_holes` in `src/sandbox/probe.rs`: the same attempts without walls.
#[test]
fn a_child_can_open_nothing_reach_nobody_start_nothing_and_knows_no_environment() {
    let sandbox = sandbox();
    sandbox.check().unwrap();
    assert_eq!(sandbox.gap(), None);
}
