//! The figures of `docs/performance.md`, each beside its peer in one run. Prints Markdown; judges nothing.
//!
//! `make bench`, or `cargo bench --bench speed -- grade` for one part.

mod backend;
mod forge;
mod grade;
#[path = "../../tests/it/http.rs"]
mod http;
mod peer;
mod sample;
#[allow(dead_code, reason = "shared with the tests of `gradus up`")]
#[path = "../../tests/it/up/world.rs"]
mod world;

fn main() {
    // `cargo bench` passes `--bench`; what is left names the parts to run.
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    sample::machine();
    if wanted("grade") {
        grade::run();
    }
    if wanted("forge") {
        forge::run();
    }
}
