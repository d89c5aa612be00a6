//! Git's hooks: this program, called by `git receive-pack` under another name. No shell is involved.
//!
//! `pre-receive` looks at names and sizes while the objects are still in quarantine, and refuses what cannot be graded
//! with a sentence that says what to do. `post-receive` tells the daemon which refs moved and prints what it answers.
//! When it is killed or the daemon is not there, nothing is lost: the sweep compares refs with pull requests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::course::id::{CourseId, Learner};
use crate::forge::pull::Branch;
use crate::submission::deadline::Deadline;
use crate::submission::sha::CommitId;
use crate::submission::{ReadError, incoming};

/// Names under which Git calls this program.
pub const NAMES: [&str; 2] = [PRE, POST];
const PRE: &str = "pre-receive";
const POST: &str = "post-receive";

/// Environment: the daemon's socket.
pub const SOCKET: &str = "GRADUS_HOOK_SOCKET";
/// Environment: the fork's learner.
pub const LEARNER: &str = "GRADUS_LEARNER";
/// Environment: the fork's course.
pub const COURSE: &str = "GRADUS_COURSE";

/// Most refs that one push may move; somebody who pushes more pushed something by mistake.
pub const MAX_UPDATES: usize = 50;

/// Most sentences of a refusal.
const MAX_REFUSALS: usize = 10;

/// How long looking at a push may take.
const LOOKING: Duration = Duration::from_secs(30);

/// How long `post-receive` listens to the daemon, which itself waits at most ten seconds for reviews.
const PATIENCE: Duration = Duration::from_secs(15);

/// What `post-receive` tells the daemon: one line of JSON. The answer is text for the learner's terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Whose fork.
    pub learner: Learner,
    /// Of which course.
    pub course: CourseId,
    /// What moved, in the order of the push.
    pub updates: Vec<Update>,
}

/// A branch that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Which one.
    pub branch: Branch,
    /// Where it is now; none when it was deleted.
    pub head: Option<CommitId>,
}

/// Runs as a hook when the program was called under a hook's name.
pub fn main_if_hook() -> Option<ExitCode> {
    let called = std::env::args_os().next()?;
    match Path::new(&called).file_name()?.to_str()? {
        PRE => Some(pre_receive()),
        POST => Some(post_receive()),
        _ => None,
    }
}

fn pre_receive() -> ExitCode {
    let refusals = match parse(io::stdin().lock()) {
        Ok(moved) => match contents(&moved) {
            Ok(violations) => violations,
            Err(error) => vec![format!("the push could not be looked at ({error}): push again")],
        },
        Err(refusal) => vec![refusal.to_string()],
    };
    for line in refusals.iter().take(MAX_REFUSALS) {
        eprintln!("{line}");
    }
    if let Some(more @ 1..) = refusals.len().checked_sub(MAX_REFUSALS) {
        eprintln!("and {more} more like this");
    }
    if refusals.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the pushed commits may not hold. Git runs hooks in the repository's directory.
fn contents(moved: &[Moved]) -> Result<Vec<String>, ReadError> {
    let quarantine = std::env::var_os("GIT_QUARANTINE_PATH").map(PathBuf::from);
    let repository = incoming::open(Path::new("."), quarantine.as_deref())?;
    let deadline = Deadline::after(LOOKING);
    let mut found = Vec::new();
    for (new, old) in moved.iter().filter_map(|moved| Some((moved.update.head.as_ref()?, moved.old.as_ref()))) {
        for violation in incoming::check_incoming(&repository, old, new, deadline)? {
            let place = if violation.path.is_empty() { String::new() } else { format!("{}: ", violation.path) };
            found.push(format!("{place}{violation}"));
        }
    }
    Ok(found)
}

/// A push that is refused, with what to do instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("`{}` is not a branch: push branches only, as in `git push origin HEAD:refs/heads/my-answer`", .0.escape_debug())]
    NotABranch(String),
    #[error(transparent)]
    Name(#[from] crate::forge::pull::InvalidBranch),
    #[error("`main` cannot be deleted: it is where your workspace starts; delete your own branches as you like")]
    DeleteMain,
    #[error("this push moves more than {MAX_UPDATES} branches: push those you mean, as in `git push origin my-answer`")]
    TooMany,
    #[error("git told something unreadable about the push: {0}")]
    Unreadable(String),
}

/// A branch that moves or moved, and where it was; nowhere when it is new.
#[derive(Debug, PartialEq, Eq)]
struct Moved {
    update: Update,
    old: Option<CommitId>,
}

/// Reads what Git writes to a hook: lines of `OLD NEW REF`.
fn parse(input: impl Read) -> Result<Vec<Moved>, Refusal> {
    let mut all = Vec::new();
    for line in BufReader::new(input).lines() {
        let line = line.map_err(|error| Refusal::Unreadable(error.to_string()))?;
        let unreadable = || Refusal::Unreadable(line.escape_debug().to_string());
        let mut words = line.splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
            return Err(unreadable());
        };
        let branch = name.strip_prefix("refs/heads/").ok_or_else(|| Refusal::NotABranch(name.to_owned()))?;
        let branch: Branch = branch.parse()?;
        let commit = |text: &str| match text.parse() {
            Ok(_) if text.bytes().all(|byte| byte == b'0') => Ok(None),
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(unreadable()),
        };
        let (old, head) = (commit(old)?, commit(new)?);
        if branch.is_main() && head.is_none() {
            return Err(Refusal::DeleteMain);
        }
        all.push(Moved { update: Update { branch, head }, old });
        if all.len() > MAX_UPDATES {
            return Err(Refusal::TooMany);
        }
    }
    Ok(all)
}

fn post_receive() -> ExitCode {
    if let Err(error) = report() {
        // The push itself went well; only its answer is late.
        println!("gradus: pushed. The grader does not answer ({error}); the review will follow.");
    }
    ExitCode::SUCCESS
}

fn report() -> Result<(), Box<dyn std::error::Error>> {
    let learner = std::env::var(LEARNER)?.parse()?;
    let course = std::env::var(COURSE)?.parse()?;
    let updates = parse(io::stdin().lock())?.into_iter().map(|moved| moved.update).collect();
    let received = Received { learner, course, updates };
    let mut socket = UnixStream::connect(std::env::var_os(SOCKET).ok_or("no socket is named")?)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    serde_json::to_writer(&socket, &received)?;
    socket.write_all(b"\n")?;
    let mut out = io::stdout().lock();
    io::copy(&mut socket, &mut out)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const HEAD: &str = "4f2c9ab4f2c9ab4f2c9ab4f2c9ab4f2c9ab4f2c9";

    #[test]
    fn what_git_writes_is_read_in_order() {
        let text = format!("{ZERO} {HEAD} refs/heads/one\n{HEAD} {ZERO} refs/heads/you/two\n");
        let moved = parse(text.as_bytes()).unwrap();
        let found: Vec<_> = moved
            .iter()
            .map(|moved| (moved.update.branch.as_str(), moved.old.is_some(), moved.update.head.is_some()))
            .collect();
        assert_eq!(found, [("one", false, true), ("you/two", true, false)]);
    }

    #[test]
    fn only_branches_with_harmless_names_are_taken() {
        let refusal = |name: &str| parse(format!("{ZERO} {HEAD} {name}\n").as_bytes()).unwrap_err().to_string();
        assert!(refusal("refs/tags/v1").contains("push branches only"));
        assert!(refusal("refs/replace/aaaa").contains("push branches only"));
        assert!(refusal("refs/heads/a$(id)").contains("is not a branch name"));
        assert!(!refusal("refs/heads/a\u{1b}[31m").contains('\u{1b}'));
        let deletion = parse(format!("{HEAD} {ZERO} refs/heads/main\n").as_bytes()).unwrap_err();
        assert_eq!(deletion, Refusal::DeleteMain);
    }

    #[test]
    fn a_push_of_everything_is_refused() {
        let text: String = (0..=MAX_UPDATES).map(|n| format!("{ZERO} {HEAD} refs/heads/b{n}\n")).collect();
        assert_eq!(parse(text.as_bytes()), Err(Refusal::TooMany));
    }
}
