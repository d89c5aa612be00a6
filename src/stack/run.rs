//! Brings a stack up, and ends it when its owner lets go of it.

use std::fs;
use std::io::{self, Read, Seek};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::crew::{self, Crew, Stop, Trouble};
use super::disk;
use super::down;
use super::keys::Keys;
use super::lock::Lock;
use super::name::Name;
use super::part::Part;
use super::plan::{Command, Endpoints, Failing, Plan, Ports, Process, Spec, Step, short_enough};
use super::ports;
use super::process::{self, Identity, TICK};
use super::programs::Programs;
use super::state::{self, Phase, Running, State};

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
    /// No certificates.
    #[error("cannot make certificates")]
    Keys(#[from] rcgen::Error),
    /// A file, or a part that is not as it should be.
    #[error(transparent)]
    Trouble(#[from] Trouble),
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
}

impl UpError {
    /// Whether nothing is wrong but that we were asked to stop.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Trouble(Trouble::Stopped))
    }

    fn port_taken(&self) -> bool {
        matches!(self, Self::Trouble(trouble) if trouble.port_taken())
    }
}

/// A running stack, which ends when this is dropped.
#[derive(Debug)]
pub struct Stack {
    dir: PathBuf,
    state: State,
    crew: Crew,
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
        let io = |what: &str, source| Trouble::Io { what: what.to_owned(), dir: spec.data.clone(), source };
        fs::create_dir_all(&spec.data).map_err(|error| io("make the data directory", error))?;
        let data = spec.data.canonicalize().map_err(|error| io("find the data directory", error))?;
        let spec = &Spec { data, ..spec.clone() };
        if !short_enough(&spec.dir()) {
            return Err(UpError::TooDeep(spec.dir()));
        }
        let lock = Lock::take(spec).map_err(|error| io("lock the stack", error))?;
        let Some(_lock) = lock else { return Err(UpError::Busy(spec.name.clone())) };
        ports::until_ours(UpError::port_taken, || Self::start_all(spec, programs, stop, tell))
    }

    /// Starts every part, where nothing of the name is up; what is left of an earlier try is ended first.
    fn start_all(spec: &Spec, programs: &Programs, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<Self, UpError> {
        let dir = spec.dir();
        let io = |what: &str, source| Trouble::Io { what: what.to_owned(), dir: spec.data.clone(), source };
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
            crew: Crew::new(dir.clone()),
            dir,
            fate: Fate::KeepLogs,
        };
        stack.save()?;
        for file in &plan.files {
            disk::write(&stack.dir, &file.path, &file.content).map_err(|error| stack.io("write its files", error))?;
        }
        for step in &plan.steps {
            match step {
                Step::Dir(path) => {
                    fs::create_dir_all(stack.dir.join(path)).map_err(|error| stack.io("make a directory", error))?;
                }
                Step::Run(command) => {
                    tell(Event::Doing(command.says));
                    stack.run(command, stop, tell)?;
                }
                Step::Start(process) => {
                    tell(Event::Started(process.part));
                    stack.start(process)?;
                }
                Step::Await(parts) => stack.crew.wait(parts, None, stop, &mut ready(tell))?,
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
        Ok(self.state.save(&self.dir).map_err(|error| self.io("write its state", error))?)
    }

    fn io(&self, what: &str, source: io::Error) -> Trouble {
        Trouble::Io { what: what.to_owned(), dir: self.dir.clone(), source }
    }

    fn start(&mut self, process: &Process) -> Result<(), UpError> {
        if let Some(identity) = self.crew.start(process.clone())? {
            self.state.parts.push(Running {
                part: process.part,
                process: identity,
                address: process.address.clone(),
                probe: process.ready.clone(),
            });
        }
        self.save()
    }

    /// Runs a command to its end, several times where that may help.
    fn run(&mut self, command: &Command, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<(), UpError> {
        let begun = Instant::now();
        loop {
            let result = self.run_once(command, stop);
            // Who became healthy meanwhile is told now, not when somebody waits for it.
            self.crew.greet(&mut ready(tell));
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
        let program = crew::command(&command.program, &command.args, &command.env);
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
            if let Err(error) = self.crew.look(stop) {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(error.into());
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
            return Err(fail(how, crew::last_lines(&said)));
        }
        if let Some(path) = &command.token {
            let token = said.split_whitespace().find(|word| is_token(word));
            let token = token.ok_or_else(|| fail("no token in its output".to_owned(), String::new()))?;
            disk::write(&self.dir, path, token).map_err(|error| self.io("keep a token", error))?;
        }
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.fate == Fate::Leave {
            return;
        }
        self.crew.end(down::GRACE);
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
    let io = |what: &str, source| Trouble::Io { what: what.to_owned(), dir: dir.clone(), source };
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
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("remove what is left of it", error).into()),
        _ => Ok(()),
    }
}

/// Tells who is healthy.
fn ready(tell: &mut dyn FnMut(Event)) -> impl FnMut(Part, Duration) {
    move |part, age| tell(Event::Ready(part, age))
}

/// As Gitea prints it.
fn is_token(word: &str) -> bool {
    word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
