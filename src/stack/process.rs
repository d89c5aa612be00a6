//! Processes that outlive us: who they are, whether they still run, and how they end.
//!
//! A process is remembered by its number and its birth, so that another one that got the number later is left alone.
//! Besides, each carries the stack's directory in its environment, and so do its children: what nobody could write down,
//! because we were killed between start and note, is found by that mark (on Linux).

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

/// The variable that holds the directory of the stack that a process belongs to.
const MARK: &str = "GRADUS_STACK";

/// Time between two looks.
pub const TICK: Duration = Duration::from_millis(50);

/// A process, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its number.
    pub pid: u32,
    /// When it began, in a form of the system's own.
    born: String,
}

impl Identity {
    /// Of a running process.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, born: born(pid)? })
    }

    /// This process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        born(self.pid).as_deref() == Some(&self.born)
    }

    /// Sends a signal to its group, which is its own, unless it ended.
    fn signal(&self, signal: Signal) {
        if let (true, Some(pid)) = (self.lives(), pid(self.pid)) {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Memory that it holds, in MiB.
    pub fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
    }
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// Boot and tick at which a process began; none when it ended, also while nobody has taken note of that yet.
#[cfg(target_os = "linux")]
fn born(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{}:{}", boot.trim(), fields.get(19)?))
}

#[cfg(not(target_os = "linux"))]
fn born(pid: u32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, born) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| born.trim().to_owned())
}

/// Starts a program that stays when we end. It reads nothing and writes to `output`; its environment has to be complete.
pub fn start(mut command: Command, dir: &Path, output: fs::File) -> io::Result<Child> {
    let errors = output.try_clone()?;
    command.env(MARK, dir).current_dir(dir).stdin(Stdio::null()).stdout(output).stderr(errors);
    // Ctrl-C on our terminal is not meant for it.
    command.process_group(0).spawn()
}

/// How many ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// When asked to.
    pub asked: usize,
    /// Killed, because they did not.
    pub killed: usize,
    /// Killed, though nobody had written them down.
    pub strays: usize,
}

impl Ended {
    /// How many there were.
    pub fn all(self) -> usize {
        self.asked + self.killed + self.strays
    }
}

/// Ends these processes and whatever else belongs to the stack in this directory. `reap` takes note of children that ended.
pub fn end(dir: &Path, known: &[Identity], grace: Duration, reap: &mut dyn FnMut()) -> Ended {
    let living: Vec<&Identity> = known.iter().filter(|process| process.lives()).collect();
    for process in &living {
        process.signal(Signal::TERM);
    }
    let left = wait_for(&living, grace, reap);
    for process in &left {
        process.signal(Signal::KILL);
    }
    wait_for(&left, grace, reap);
    let mut ended = Ended { asked: living.len() - left.len(), killed: left.len(), strays: 0 };
    // One that is killed may have begun another a moment before, and one that is just becoming another program (execve) has
    // no environment to read for that moment: only two looks in a row that find nobody mean that there is nobody.
    let mut none_before = false;
    for _ in 0..100 {
        let strays = marked(dir);
        if strays.is_empty() && none_before {
            break;
        }
        none_before = strays.is_empty();
        ended.strays = ended.strays.max(strays.len());
        for stray in strays.into_iter().filter_map(pid) {
            let _ = kill_process(stray, Signal::KILL);
        }
        std::thread::sleep(TICK);
        reap();
    }
    ended
}

fn wait_for<'a>(processes: &[&'a Identity], grace: Duration, reap: &mut dyn FnMut()) -> Vec<&'a Identity> {
    let deadline = Instant::now() + grace;
    loop {
        reap();
        let left: Vec<&Identity> = processes.iter().copied().filter(|process| process.lives()).collect();
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        std::thread::sleep(TICK);
    }
}

/// Running processes that carry the mark of this directory, other than ourselves, without those that are just becoming
/// another program. None where there is no `/proc`.
fn marked(dir: &Path) -> Vec<u32> {
    let mark = [MARK.as_bytes(), b"=", dir.as_os_str().as_encoded_bytes()].concat();
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(dir: &Path, script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        start(command, dir, fs::File::create(dir.join("log")).unwrap()).unwrap()
    }

    /// Waits until the script said something.
    fn spoken(dir: &Path) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while fs::metadata(dir.join("log")).unwrap().len() == 0 {
            assert!(Instant::now() < deadline, "the script says nothing");
            std::thread::sleep(TICK);
        }
    }

    #[test]
    fn another_process_with_the_same_number_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sh(dir.path(), "sleep 60");
        let mut other = Identity::of(child.id()).unwrap();
        assert!(other.lives());
        other.born.push('0');
        assert!(!other.lives());
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(end(elsewhere.path(), &[other], Duration::ZERO, &mut || {}), Ended::default());
        assert!(child.try_wait().unwrap().is_none());
        let known = Identity::of(child.id()).unwrap();
        let ended = end(dir.path(), &[known], Duration::from_secs(10), &mut || {
            let _ = child.try_wait();
        });
        assert_eq!(ended.asked, 1);
    }

    #[test]
    fn a_process_that_does_not_end_when_asked_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sh(dir.path(), "trap '' TERM; echo ready; while :; do sleep 60; done");
        spoken(dir.path());
        let known = Identity::of(child.id()).unwrap();
        let ended = end(dir.path(), std::slice::from_ref(&known), Duration::from_millis(200), &mut || {
            let _ = child.try_wait();
        });
        assert_eq!(ended.killed, 1);
        assert!(!known.lives());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_nobody_wrote_down_is_found_by_its_mark() {
        let dir = tempfile::tempdir().unwrap();
        // Its child outlives it, in a group of its own, and speaks when it has become what it stays.
        let mut child = sh(dir.path(), "setsid sh -c 'echo ready; kill -STOP $$' & exit 0");
        spoken(dir.path());
        child.wait().unwrap();
        assert_eq!(marked(dir.path()).len(), 1);
        assert_eq!(end(dir.path(), &[], Duration::ZERO, &mut || {}).strays, 1);
        assert!(marked(dir.path()).is_empty());
    }
}
