//! `gradus watch`: grade again whenever a file changes.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::grade::{ignored, near_misses};
use super::output::{Format, render};
use super::snippet::Colour;
use super::subject::Where;
use super::{EXIT_PASS, trouble};
use crate::sandbox::{Sandbox, Strictness};

/// How long nothing may change before grading: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(120);

/// How long to wait at most while files keep changing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Grade again whenever a file changes
///
/// Ends with Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: Where,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let sandbox = match Sandbox::this_program(Strictness::BestEffort) {
        Ok(sandbox) => sandbox,
        Err(error) => return trouble::fail(&error),
    };
    // What cannot be read at the start is a wrong call; what breaks later is somebody typing.
    let root = match args.what.read() {
        Ok(subject) => subject.root,
        Err(trouble) => return trouble.tell(),
    };
    let (sender, changes) = mpsc::channel();
    let watched = notify::recommended_watcher(sender).and_then(|mut watcher| {
        // Directories, not files: editors put a new file in the place of the old one.
        watcher.watch(&root, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    let _watcher = match watched {
        Ok(watcher) => watcher,
        Err(error) => return trouble::fail(&error),
    };
    loop {
        grade(&args.what, &sandbox);
        println!("Watching {}; Ctrl-C ends.", root.display());
        if !wait(&changes, &root) {
            return ExitCode::from(EXIT_PASS);
        }
    }
}

fn grade(what: &Where, sandbox: &Sandbox) {
    let out = std::io::stdout();
    if out.is_terminal() {
        // Clears the screen and what was scrolled off it: there is one result, the newest.
        print!("\u{1b}[2J\u{1b}[3J\u{1b}[H");
    }
    match what.read() {
        Err(trouble) => {
            trouble.tell();
        }
        Ok(subject) if subject.items.is_empty() => {
            near_misses(&subject);
            ignored(&subject, &[]);
            println!("Nothing to grade yet: no file below tasks/TASK-ID/ is changed.");
        }
        Ok(subject) => {
            near_misses(&subject);
            let graded = subject.grade(sandbox, Format::Text.advising());
            print!("{}", render(&graded, Format::Text, Colour::of(&out)));
            ignored(&subject, &graded);
        }
    }
}

/// Waits for a change and then until nothing changes any more. False when there is nothing left to wait for.
fn wait(changes: &Receiver<notify::Result<Event>>, root: &Path) -> bool {
    loop {
        match changes.recv() {
            Ok(event) if matters(&event, root) => break,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET && Instant::now() < deadline {
        match changes.recv_timeout(QUIET.saturating_sub(quiet_since.elapsed())) {
            Ok(event) if matters(&event, root) => quiet_since = Instant::now(),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Reading is no change, and neither is what Git writes for itself. An error of the watcher may hide a change.
fn matters(event: &notify::Result<Event>, root: &Path) -> bool {
    let Ok(event) = event else { return true };
    let of_git = |path: &Path| path.strip_prefix(root).is_ok_and(|inside| inside.starts_with(".git"));
    !matches!(event.kind, EventKind::Access(_)) && (event.need_rescan() || event.paths.iter().any(|path| !of_git(path)))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use notify::event::{AccessKind, CreateKind};

    use super::*;

    #[test]
    fn only_changes_of_the_learners_files_matter() {
        let root = Path::new("/clone");
        let event = |kind, path: &str| Ok(Event::new(kind).add_path(PathBuf::from(path)));
        let create = EventKind::Create(CreateKind::File);
        assert!(matters(&event(create, "/clone/tasks/a/x.yaml"), root));
        assert!(matters(&event(create, "/clone/.gitignore"), root));
        assert!(!matters(&event(create, "/clone/.git/index.lock"), root));
        assert!(!matters(&event(EventKind::Access(AccessKind::Any), "/clone/tasks/a/x.yaml"), root));
        assert!(matters(&Err(notify::Error::generic("overflow")), root));
    }
}
