//! The figures of `docs/performance.md` about `gradus serve`, against the fake GitHub. Prints Markdown; judges nothing.
//!
//! `cargo bench --bench daemon`, or with `-- live`, `webhooks`, `kill`, `limits` or `sweep` for one part. `GRADUS_OPEN=100`
//! leaves the larger workspaces out.

#![allow(clippy::unwrap_used, reason = "a benchmark says what is wrong by panicking")]

#[path = "../../tests/fake/github/mod.rs"]
mod fake_github;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/http.rs"]
mod http;
mod kill;
mod limits;
mod live;
#[allow(dead_code, reason = "shared with the other benchmark")]
#[path = "../speed/sample.rs"]
mod sample;
#[allow(dead_code, reason = "the storms use more of it")]
#[path = "../../tests/it/storm/script.rs"]
mod script;
#[allow(dead_code, reason = "shared with the tests of `gradus up`")]
mod sweep;
#[allow(dead_code, reason = "shared with the tests of `gradus up`")]
mod up;
mod webhooks;
#[allow(dead_code, reason = "shared with the tests of `gradus serve`")]
#[path = "../../tests/it/serve/world.rs"]
mod world;

use std::time::Duration;

/// How long the forge takes for each answer.
const FORGE: Duration = Duration::from_millis(50);

/// Open pull requests of a workspace.
const OPEN: [usize; 3] = [100, 500, 1_000];

fn main() {
    // `cargo bench` passes `--bench`; what is left names the parts to run.
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    let most = std::env::var("GRADUS_OPEN").map_or(usize::MAX, |most| most.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    sample::machine();
    println!("## `gradus serve` on a GitHub that takes {} ms for each answer\n", FORGE.as_millis());
    if wanted("live") {
        live::head();
        for open in OPEN.into_iter().filter(|open| *open <= most) {
            runtime.block_on(live::run(open));
        }
    }
    if wanted("webhooks") {
        runtime.block_on(webhooks::run());
    }
    if wanted("kill") {
        runtime.block_on(kill::run());
    }
    if wanted("limits") {
        runtime.block_on(limits::run());
    }
    if wanted("sweep") {
        runtime.block_on(sweep::run());
    }
}

/// A row of a table.
fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
