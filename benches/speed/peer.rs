//! Peers, built once from the Go module proxy and kept outside the checkout.

use std::path::PathBuf;
use std::process::Command;

/// conftest, the usual way to check YAML in CI. Pinned, so that ratios of two days compare.
const CONFTEST: &str = "v0.71.1";

/// The program, built when it is not there yet. None, with a line that says so, where it cannot be had.
pub fn conftest() -> Option<PathBuf> {
    let cache = std::env::var_os("GRADUS_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
            .map(|c| c.join("gradus"))
    })?;
    let dir = cache.join(format!("conftest-{CONFTEST}"));
    let program = dir.join("conftest");
    if !program.exists() {
        eprintln!("building conftest {CONFTEST} (once, about 2 minutes)");
        let built = Command::new("go")
            .args(["install", &format!("github.com/open-policy-agent/conftest@{CONFTEST}")])
            .env("GOBIN", &dir)
            .env("CGO_ENABLED", "0")
            .status();
        if !built.is_ok_and(|status| status.success()) {
            println!("conftest could not be built here: no peer in this run.\n");
            return None;
        }
    }
    Some(program)
}
