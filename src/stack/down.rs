//! Ends a stack that somebody started earlier.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::lock::Lock;
use super::name::Name;
use super::plan::Spec;
use super::process;
pub use super::process::Ended;
use super::state::{self, State};

/// How long processes may take to end when asked. All but the API server take less than a second; that one waits for its
/// watches, more than half a minute. Nothing of a stack is kept, so that nothing is lost with it.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Why a stack is not ended.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// Somebody is at it.
    #[error(
        "the stack `{0}` is being started or ended by another `gradus stack`: wait for that, or end it with Ctrl-C"
    )]
    Busy(Name),
    /// We would have to delete somebody's files.
    #[error("{} holds files that are not a stack's: look at `--data DIR` and `--name NAME`", .0.display())]
    NotOurs(PathBuf),
    /// A file.
    #[error("cannot remove {}: remove it yourself, every process is ended", dir.display())]
    Io {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Ends every process of a stack and removes its directory. None when there is no such stack.
pub fn down(spec: &Spec) -> Result<Option<Ended>, DownError> {
    let io = |dir: PathBuf| move |source| DownError::Io { dir, source };
    let Ok(data) = spec.data.canonicalize() else { return Ok(None) };
    let spec = &Spec { data, ..spec.clone() };
    let lock = Lock::take(spec).map_err(io(spec.data.clone()))?;
    let Some(_lock) = lock else { return Err(DownError::Busy(spec.name.clone())) };
    let dir = spec.dir();
    if !state::is_ours(&dir) {
        return Err(DownError::NotOurs(dir));
    }
    let there = dir.exists();
    let known = State::read(&dir).ok().flatten().map(|state| state.processes()).unwrap_or_default();
    let ended = process::end(&dir, &known, GRACE, &mut || {});
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(dir)(error)),
        _ => {}
    }
    Ok((there || ended.all() > 0).then_some(ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn spec(data: &std::path::Path) -> Spec {
        Spec { name: "one".parse().unwrap(), data: data.to_owned(), without: BTreeSet::new() }
    }

    #[test]
    fn ending_what_is_not_there_is_no_error_and_touches_nothing() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(down(&spec(data.path())).unwrap(), None);
        assert_eq!(down(&spec(&data.path().join("none"))).unwrap(), None);
        assert!(!data.path().join("none").exists());
    }

    #[test]
    fn files_of_somebody_else_are_never_removed() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("one")).unwrap();
        fs::write(data.path().join("one/thesis.tex"), "").unwrap();
        assert!(matches!(down(&spec(data.path())), Err(DownError::NotOurs(_))));
        assert!(data.path().join("one/thesis.tex").exists());
    }

    #[test]
    fn one_at_a_time_starts_or_ends_a_stack() {
        let data = tempfile::tempdir().unwrap();
        let _held = Lock::take(&spec(data.path())).unwrap().unwrap();
        assert!(matches!(down(&spec(data.path())), Err(DownError::Busy(_))));
        let other = Spec { name: "two".parse().unwrap(), ..spec(data.path()) };
        assert_eq!(down(&other).unwrap(), None);
    }
}
