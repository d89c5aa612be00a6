//! The processes of one directory: started, watched, ended. Knows nothing of what they are for.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::disk;
use super::part::Part;
use super::plan::Process;
use super::probe;
use super::process::{self, Ended, Identity, TICK};
use super::state;

/// How many lines of a log are shown, and how many bytes are looked at for them.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 8192;

/// What to say when a part found its port taken.
const TAKEN: &str = "address already in use";

/// How long what is left of a killed process may take.
const REST: Duration = Duration::from_secs(5);

/// Asks a start to be given up; may be called from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Gives up.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody did.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a process is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A file or a program.
    #[error("cannot {what} in {}: look whether the disk is full and the directory is yours", dir.display())]
    Io {
        /// What was tried.
        what: String,
        /// Where.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended.
    #[error("{part} ended ({status}) instead of starting; the end of its log, {}:\n{tail}{}", log.display(), remedy(tail))]
    Died {
        /// Which.
        part: Part,
        /// How.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
        /// Where it is.
        log: PathBuf,
    },
    /// It is not healthy in time.
    #[error(
        "{part} is not healthy after {} s ({why}); the end of its log:\n{tail}\nThe whole log is {}; is the machine very busy or \
         out of memory? Then try again when it is not",
        within.as_secs(), log.display()
    )]
    Late {
        /// Which.
        part: Part,
        /// How long we waited.
        within: Duration,
        /// What it said last.
        why: String,
        /// The last lines of its log.
        tail: String,
        /// Where it is.
        log: PathBuf,
    },
    /// We were asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Trouble {
    /// Whether another port may help.
    pub fn port_taken(&self) -> bool {
        matches!(self, Trouble::Died { tail, .. } if is_taken(tail))
    }
}

/// Some begin it with a capital letter.
fn is_taken(tail: &str) -> bool {
    tail.to_ascii_lowercase().contains(TAKEN)
}

/// What helps, where the end of a log tells.
fn remedy(tail: &str) -> &'static str {
    if is_taken(tail) { "\nAnother program took its port in the meantime: try again" } else { "" }
}

/// Processes that were started here. They go on when this is dropped.
#[derive(Debug)]
pub struct Crew {
    dir: PathBuf,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    process: Process,
    since: Instant,
    /// Ours to reap.
    child: Child,
    /// None of one that ended at once.
    identity: Option<Identity>,
    greeted: bool,
}

impl Crew {
    /// Nobody yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, members: Vec::new() }
    }

    /// Starts one; answers who it is, unless it ended at once.
    pub fn start(&mut self, process: Process) -> Result<Option<Identity>, Trouble> {
        let io = |source| Trouble::Io { what: format!("start {}", process.part), dir: self.dir.clone(), source };
        let output = disk::private().append(true).open(state::log(&self.dir, process.part)).map_err(io)?;
        let command = command(&process.program, &process.args, &process.env);
        let child = process::start(command, &self.dir, output).map_err(io)?;
        // One that ended at once has no identity any more; waiting for it tells how it ended.
        let identity = Identity::of(child.id());
        let member = Member { process, since: Instant::now(), child, identity: identity.clone(), greeted: false };
        self.members.push(member);
        Ok(identity)
    }

    /// Fails when one ended or we are to stop.
    pub fn look(&mut self, stop: &Stop) -> Result<(), Trouble> {
        if stop.asked() {
            return Err(Trouble::Stopped);
        }
        for member in &mut self.members {
            if let Ok(Some(status)) = member.child.try_wait() {
                let part = member.process.part;
                let log = state::log(&self.dir, part);
                return Err(Trouble::Died { part, status, tail: shown(&log), log });
            }
        }
        Ok(())
    }

    /// Waits until these parts are healthy, each not longer than it may take, or than `patience`.
    pub fn wait(
        &mut self,
        parts: &[Part],
        patience: Option<Duration>,
        stop: &Stop,
        ready: &mut dyn FnMut(Part, Duration),
    ) -> Result<(), Trouble> {
        let mut left = parts.to_vec();
        let begun = Instant::now();
        loop {
            self.look(stop)?;
            for member in self.members.iter_mut().filter(|member| parts.contains(&member.process.part)) {
                let (part, within) = (member.process.part, patience.unwrap_or(member.process.within));
                if !left.contains(&part) {
                    continue;
                }
                match member.process.ready.ask(probe::MOMENT) {
                    Ok(()) => {
                        member.greet(ready);
                        left.retain(|other| *other != part);
                    }
                    // It may have been started while a command ran for long.
                    Err(why) if begun.elapsed().min(member.since.elapsed()) > within => {
                        let log = state::log(&self.dir, part);
                        return Err(Trouble::Late { part, within, why: why.to_string(), tail: shown(&log), log });
                    }
                    Err(_) => {}
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            std::thread::sleep(TICK);
        }
    }

    /// Tells who became healthy meanwhile.
    pub fn greet(&mut self, ready: &mut dyn FnMut(Part, Duration)) {
        for member in self.members.iter_mut().filter(|member| !member.greeted) {
            if member.process.ready.ask(probe::MOMENT).is_ok() {
                member.greet(ready);
            }
        }
    }

    /// Whether somebody was started and everybody still runs.
    pub fn lives(&mut self) -> bool {
        // One that is ending is not to be waited for yet.
        let lives = |member: &mut Member| {
            let known = member.identity.as_ref().is_some_and(Identity::lives);
            known && matches!(member.child.try_wait(), Ok(None))
        };
        !self.members.is_empty() && self.members.iter_mut().all(lives)
    }

    /// Who they are.
    pub fn identities(&self) -> Vec<Identity> {
        self.members.iter().filter_map(|member| member.identity.clone()).collect()
    }

    /// Ends them and whatever else belongs to the directory.
    pub fn end(&mut self, grace: Duration) -> Ended {
        let known = self.identities();
        let members = &mut self.members;
        let ended = process::end(&self.dir, &known, grace, &mut || {
            for member in members.iter_mut() {
                let _ = member.child.try_wait();
            }
        });
        // Its ports and files are free when all of its threads are gone, which is a moment after it looks dead.
        let deadline = Instant::now() + REST;
        let rests = |member: &mut Member| matches!(member.child.try_wait(), Ok(None));
        while self.members.iter_mut().any(rests) && Instant::now() < deadline {
            std::thread::sleep(TICK / 10);
        }
        self.members.clear();
        ended
    }
}

impl Member {
    fn greet(&mut self, ready: &mut dyn FnMut(Part, Duration)) {
        if !std::mem::replace(&mut self.greeted, true) {
            ready(self.process.part, self.since.elapsed());
        }
    }
}

/// A program with exactly this environment.
pub fn command(
    program: &Path,
    args: &[std::ffi::OsString],
    env: &[(&'static str, std::ffi::OsString)],
) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.args(args).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    command
}

fn shown(log: &Path) -> String {
    tail(log).unwrap_or_else(|error| format!("(it cannot be read: {error})"))
}

/// The last lines of a log.
pub fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(last_lines(&String::from_utf8_lossy(&bytes)))
}

/// The last lines of a text.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    if shown.is_empty() { "(nothing)".to_owned() } else { shown.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_tail_of_a_log_is_its_last_lines_however_long_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, (0..5000).map(|line| format!("line {line}\n")).collect::<String>()).unwrap();
        let tail = tail(&log).unwrap();
        assert_eq!((tail.lines().count(), tail.lines().last()), (TAIL_LINES, Some("line 4999")));
        assert_eq!(last_lines(""), "(nothing)");
    }

    #[test]
    fn who_ended_is_told_with_the_end_of_its_log_and_what_helps_where_that_tells() {
        let died = |tail: &str| {
            let status = std::os::unix::process::ExitStatusExt::from_raw(1 << 8);
            Trouble::Died { part: Part::Etcd, status, tail: tail.to_owned(), log: PathBuf::from("/d/etcd.log") }
                .to_string()
        };
        assert_eq!(
            died("the disk is on fire"),
            "etcd ended (exit status: 1) instead of starting; the end of its log, /d/etcd.log:\nthe disk is on fire"
        );
        let taken = died("bind: Address already in use");
        assert!(taken.ends_with("in use\nAnother program took its port in the meantime: try again"), "{taken}");
    }
}
