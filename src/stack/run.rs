//! Brings a stack up, and ends it when its owner lets go of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::down;
use super::keys::Keys;
use super::lock::Lock;
use super::name::Name;
use super::part::Part;
use super::plan::{Command, Endpoints, Failing, Plan, Ports, Process, Spec, Step, short_enough};
use super::process::{self, Identity, TICK};
use super::programs::Programs;
use super::state::{self, Phase, Running, State};

/// How many lines of a log are shown, and how many bytes are looked at for them.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 8192;

/// What to say when a part found its port taken.
const TAKEN: &str = "address already in use";

/// What happens, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This many processes of an earlier stack of the name were still there and are ended.
    Cleaned(usize),
    /// A command is run.
    Doing(&'static str),
    /// A part is started.
    Started(Part),
    /// A part is healthy, so long after its start.
    Ready(Part, Duration),
}

/// Asks a start to be given up; may be called from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Gives up.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a stack did not come up. Whatever had been started is ended again.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// Somebody is at it.
    #[error(
        "the stack `{0}` is being started or ended by another `gradus stack`: wait for that, or end it with Ctrl-C"
    )]
    Busy(Name),
    /// It is there.
    #[error("the stack `{0}` is up: see `gradus stack status --name {0}`, or end it by `gradus stack down --name {0}`")]
    AlreadyUp(Name),
    /// We would have to delete somebody's files.
    #[error("{} holds files that are not a stack's: choose another `--data DIR` or `--name NAME`", .0.display())]
    NotOurs(PathBuf),
    /// Sockets have short names.
    #[error("{} is too deep in the file system for sockets: choose a shorter `--data DIR`", .0.display())]
    TooDeep(PathBuf),
    /// A file or a program.
    #[error("cannot {what}: look whether the disk is full and {} is yours", dir.display())]
    Io {
        /// What was tried.
        what: String,
        /// Where all files are.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No certificates.
    #[error("cannot make certificates")]
    Keys(#[from] rcgen::Error),
    /// A part ended.
    #[error("{part} ended ({status}) instead of starting; the end of its log:\n{tail}\n{remedy}")]
    Died {
        /// Which.
        part: Part,
        /// How.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
        /// What to do.
        remedy: String,
    },
    /// A part is not healthy in time.
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
    /// A command failed.
    #[error("{says}: `{program}` failed ({how}); it said:\n{tail}\nLogs of the other parts are in {}", logs.display())]
    Failed {
        /// What was to be done.
        says: &'static str,
        /// By which program.
        program: String,
        /// How it ended.
        how: String,
        /// Its last words.
        tail: String,
        /// Where other logs are.
        logs: PathBuf,
    },
    /// We were asked to stop.
    #[error("stopped; what had been started is ended")]
    Stopped,
}

/// A running stack, which ends when this is dropped.
#[derive(Debug)]
pub struct Stack {
    dir: PathBuf,
    state: State,
    /// Ours to reap.
    children: Vec<(Part, Instant, Child)>,
    /// Which were said to be healthy.
    told: BTreeSet<Part>,
    fate: Fate,
}

/// What becomes of a stack when its owner lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// End it, leave nothing.
    Remove,
    /// End it, leave the logs.
    KeepLogs,
    /// Let it run.
    Leave,
}

impl Stack {
    /// Brings it up and waits until every part is healthy. What is left of an earlier one of the name is ended first. Blocks;
    /// not to be called from asynchronous code.
    pub fn up(spec: &Spec, programs: &Programs, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<Self, UpError> {
        // Processes are known by this path: one stack, one path.
        let io = |what: &str, source| UpError::Io { what: what.to_owned(), dir: spec.data.clone(), source };
        fs::create_dir_all(&spec.data).map_err(|error| io("make the data directory", error))?;
        let data = spec.data.canonicalize().map_err(|error| io("find the data directory", error))?;
        let spec = &Spec { data, ..spec.clone() };
        let dir = spec.dir();
        if !short_enough(&dir) {
            return Err(UpError::TooDeep(dir));
        }
        let lock = Lock::take(spec).map_err(|error| io("lock the stack", error))?;
        let Some(_lock) = lock else { return Err(UpError::Busy(spec.name.clone())) };
        clean(spec, tell)?;
        let keys = Keys::generate()?;
        let ports = Ports::find().map_err(|error| io("find free ports", error))?;
        let plan = Plan::new(spec, programs, ports, &keys);
        fs::DirBuilder::new().mode(0o700).create(&dir).map_err(|error| io("make its directory", error))?;
        let mut stack = Self {
            state: State {
                name: spec.name.clone(),
                phase: Phase::Starting,
                starter: Identity::own(),
                parts: Vec::new(),
                endpoints: plan.endpoints.clone(),
            },
            dir,
            children: Vec::new(),
            told: BTreeSet::new(),
            fate: Fate::KeepLogs,
        };
        stack.save()?;
        for file in &plan.files {
            write(&stack.dir, &file.path, &file.content).map_err(|error| stack.io("write its files", error))?;
        }
        for step in &plan.steps {
            match step {
                Step::Dir(path) => {
                    fs::create_dir_all(stack.dir.join(path)).map_err(|error| stack.io("make a directory", error))?;
                }
                Step::Run(command) => {
                    tell(Event::Doing(command.says));
                    stack.run(command, &plan, stop, tell)?;
                }
                Step::Start(process) => {
                    tell(Event::Started(process.part));
                    stack.start(process)?;
                }
                Step::Await(parts) => stack.wait(parts, &plan, stop, tell)?,
            }
        }
        stack.state.phase = Phase::Up;
        stack.save()?;
        stack.fate = Fate::Remove;
        Ok(stack)
    }

    /// Where it is found.
    pub fn endpoints(&self) -> &Endpoints {
        &self.state.endpoints
    }

    /// What is noted about it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lets it run on when we end; `down` ends it.
    pub fn detach(mut self) {
        self.fate = Fate::Leave;
    }

    fn save(&self) -> Result<(), UpError> {
        self.state.save(&self.dir).map_err(|error| self.io("write its state", error))
    }

    fn io(&self, what: &str, source: io::Error) -> UpError {
        UpError::Io { what: what.to_owned(), dir: self.dir.clone(), source }
    }

    fn start(&mut self, process: &Process) -> Result<(), UpError> {
        let what = || format!("start {}", process.part);
        let log = state::log(&self.dir, process.part);
        let output = private().append(true).open(log).map_err(|error| self.io(&what(), error))?;
        let command = of(&process.program, &process.args, &process.env);
        let child = process::start(command, &self.dir, output).map_err(|error| self.io(&what(), error))?;
        // One that ended at once has no identity any more; waiting for it tells how it ended.
        if let Some(process_identity) = Identity::of(child.id()) {
            self.state.parts.push(Running {
                part: process.part,
                process: process_identity,
                address: process.address.clone(),
                probe: process.ready.clone(),
            });
        }
        self.children.push((process.part, Instant::now(), child));
        self.save()
    }

    /// Waits until these parts are healthy.
    fn wait(&mut self, parts: &[Part], plan: &Plan, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<(), UpError> {
        let mut left: Vec<&Process> = plan.processes().filter(|process| parts.contains(&process.part)).collect();
        let begun = Instant::now();
        loop {
            self.look(stop)?;
            let mut still = Vec::new();
            for process in left {
                match process.ready.ask() {
                    Ok(()) => self.tell_ready(process.part, tell),
                    // It may have been started while a command ran for long.
                    Err(why) if begun.elapsed().min(self.age(process.part)) > process.within => {
                        return Err(UpError::Late {
                            part: process.part,
                            within: process.within,
                            why: why.to_string(),
                            tail: self.tail(process.part),
                            log: state::log(&self.dir, process.part),
                        });
                    }
                    Err(_) => still.push(process),
                }
            }
            if still.is_empty() {
                return Ok(());
            }
            left = still;
            std::thread::sleep(TICK);
        }
    }

    /// Runs a command to its end, several times where that may help.
    fn run(&mut self, command: &Command, plan: &Plan, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<(), UpError> {
        let begun = Instant::now();
        loop {
            let result = self.run_once(command, stop);
            // Who became healthy meanwhile is told now, not when somebody waits for it.
            for process in plan.processes() {
                if self.is_started(process.part) && !self.told.contains(&process.part) && process.ready.ask().is_ok() {
                    self.tell_ready(process.part, tell);
                }
            }
            match result {
                Err(UpError::Failed { .. })
                    if command.failing == Failing::Again && begun.elapsed() < command.within =>
                {
                    std::thread::sleep(TICK);
                }
                result => return result,
            }
        }
    }

    fn run_once(&mut self, command: &Command, stop: &Stop) -> Result<(), UpError> {
        // Not in a log: it may print a token.
        let mut output = tempfile::tempfile().map_err(|error| self.io("make a file for output", error))?;
        let copy = output.try_clone().map_err(|error| self.io("make a file for output", error))?;
        let program = of(&command.program, &command.args, &command.env);
        let mut child = process::start(program, &self.dir, copy)
            .map_err(|error| self.io(&format!("run {}", command.says), error))?;
        let begun = Instant::now();
        let how = loop {
            if let Some(status) = child.try_wait().map_err(|error| self.io("wait", error))? {
                if status.success() {
                    break None;
                }
                break Some(status.to_string());
            }
            let over = begun.elapsed() > command.within;
            if let Err(error) = self.look(stop) {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(error);
            }
            if over {
                let _ = child.kill().and_then(|()| child.wait());
                break Some(format!("not done after {} s", command.within.as_secs()));
            }
            std::thread::sleep(TICK);
        };
        let mut said = String::new();
        let read = output.rewind().and_then(|()| output.read_to_string(&mut said));
        read.map_err(|error| self.io("read what a command said", error))?;
        let fail = |how: String, tail: String| UpError::Failed {
            says: command.says,
            program: command.program.display().to_string(),
            how,
            tail,
            logs: self.dir.join("logs"),
        };
        if let Some(how) = how {
            return Err(fail(how, last_lines(&said)));
        }
        if let Some(path) = &command.token {
            let token = said.split_whitespace().find(|word| is_token(word));
            let token = token.ok_or_else(|| fail("no token in its output".to_owned(), String::new()))?;
            write(&self.dir, path, token).map_err(|error| self.io("keep a token", error))?;
        }
        Ok(())
    }

    /// Fails when a part ended or we are to stop.
    fn look(&mut self, stop: &Stop) -> Result<(), UpError> {
        if stop.asked() {
            return Err(UpError::Stopped);
        }
        let mut dead = None;
        for (part, _, child) in &mut self.children {
            if let Ok(Some(status)) = child.try_wait() {
                dead = Some((*part, status));
                break;
            }
        }
        let Some((part, status)) = dead else { return Ok(()) };
        let tail = self.tail(part);
        let remedy = if tail.contains(TAKEN) {
            "Another program took its port in the meantime: run `gradus stack up` again".to_owned()
        } else {
            format!("Everything else is ended. The whole log is {}", state::log(&self.dir, part).display())
        };
        Err(UpError::Died { part, status, tail, remedy })
    }

    fn tell_ready(&mut self, part: Part, tell: &mut dyn FnMut(Event)) {
        if self.told.insert(part) {
            tell(Event::Ready(part, self.age(part)));
        }
    }

    fn is_started(&self, part: Part) -> bool {
        self.children.iter().any(|(started, _, _)| *started == part)
    }

    fn age(&self, part: Part) -> Duration {
        let started = self.children.iter().find(|(started, _, _)| *started == part);
        started.map(|(_, at, _)| at.elapsed()).unwrap_or_default()
    }

    fn tail(&self, part: Part) -> String {
        tail(&state::log(&self.dir, part)).unwrap_or_else(|error| format!("(it cannot be read: {error})"))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.fate == Fate::Leave {
            return;
        }
        let children = &mut self.children;
        let mut reap = || {
            for (_, _, child) in children.iter_mut() {
                let _ = child.try_wait();
            }
        };
        process::end(&self.dir, &self.state.processes(), down::GRACE, &mut reap);
        if self.fate == Fate::Remove {
            let _ = fs::remove_dir_all(&self.dir);
            return;
        }
        self.state.phase = Phase::Failed;
        self.state.parts.clear();
        let _ = self.state.save(&self.dir);
    }
}

/// Ends and removes what is left of an earlier stack of this name.
fn clean(spec: &Spec, tell: &mut dyn FnMut(Event)) -> Result<(), UpError> {
    let dir = spec.dir();
    if !state::is_ours(&dir) {
        return Err(UpError::NotOurs(dir));
    }
    let io = |what: &str, source| UpError::Io { what: what.to_owned(), dir: dir.clone(), source };
    // A state that cannot be read is of another version of us; processes are found by their mark.
    let state = State::read(&dir).ok().flatten();
    if state.as_ref().is_some_and(State::is_whole) {
        return Err(UpError::AlreadyUp(spec.name.clone()));
    }
    let known = state.map(|state| state.processes()).unwrap_or_default();
    let ended = process::end(&dir, &known, down::GRACE, &mut || {});
    if ended.all() > 0 {
        tell(Event::Cleaned(ended.all()));
    }
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("remove what is left of it", error)),
        _ => Ok(()),
    }
}

fn of(
    program: &Path,
    args: &[std::ffi::OsString],
    env: &[(&'static str, std::ffi::OsString)],
) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.args(args).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    command
}

/// As Gitea prints it.
fn is_token(word: &str) -> bool {
    word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Files that only we may read.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.create(true).mode(0o600);
    options
}

fn write(dir: &Path, below: &Path, content: &str) -> io::Result<()> {
    let path = dir.join(below);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    private().write(true).truncate(true).open(path)?.write_all(content.as_bytes())
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(last_lines(&String::from_utf8_lossy(&bytes)))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    if shown.is_empty() { "(nothing)".to_owned() } else { shown.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn files_of_a_stack_are_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Path::new("pki/a.key"), "x").unwrap();
        let mode = fs::metadata(dir.path().join("pki/a.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
