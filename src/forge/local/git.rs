//! Git's own program, found once and called with nothing of the user's or the learner's configuration.

use std::path::PathBuf;

use tokio::process::Command;

/// Largest pack that a push may bring, in bytes; far above any answer, far below a disk.
pub const MAX_PACK: u64 = 64 << 20;

/// The program and what every call of it is told.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
}

/// There is no `git` to be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`git` is not in PATH: install Git (2.20 or newer) and start again")]
pub struct NoGit;

impl Git {
    /// Looks for `git` in this process's PATH.
    pub fn find() -> Result<Self, NoGit> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program =
            std::env::split_paths(&path).map(|dir| dir.join("git")).find(|file| file.is_file()).ok_or(NoGit)?;
        Ok(Self { program })
    }

    /// A call with a cleared environment, in its own process group (a Ctrl-C in the terminal is ours to handle), killed
    /// when it is dropped.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().kill_on_drop(true).process_group(0);
        // Git finds its own parts without PATH.
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", "/nonexistent");
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        // Learners' repositories are small and borrow from upstream: nothing of theirs is repacked behind our back, and
        // no hook runs whatever lies in them.
        command.args(["-c", "gc.auto=0", "-c", "core.hooksPath=/dev/null"]);
        command
    }
}
