//! What the child takes away from itself before it reads anything. Made for evaluators that compute and do nothing else:
//! no files, no network, no other process, no environment.

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde::{Deserialize, Serialize};

/// What to do where the kernel offers too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Refuse to grade: for anybody else's work.
    Required,
    /// Go on with what there is and say so: for one's own files.
    BestEffort,
}

/// What one child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Address space in bytes.
    pub memory: u64,
    /// Processor time in seconds: a backstop, the parent's clock comes first.
    pub cpu: u64,
}

/// Which walls stand around a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// Landlock: no path can be opened, no port reached.
    pub landlock: bool,
    /// seccomp: nothing but memory, threads, time and the two pipes.
    pub seccomp: bool,
}

impl Walls {
    /// What is missing, as one line for people; none when all walls stand.
    pub fn gap(self) -> Option<String> {
        let missing = match (self.landlock, self.seccomp) {
            (true, true) => return None,
            (false, true) => "Landlock",
            (true, false) => "seccomp",
            (false, false) => "Landlock and seccomp",
        };
        Some(format!("this system offers no {missing}: evaluators run with process limits only"))
    }
}

/// Proof that this process has given its rights away. Only [`confine`] makes one; reading input asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Confined {
    walls: Walls,
}

impl Confined {
    /// Which walls stand.
    pub fn walls(self) -> Walls {
        self.walls
    }
}

/// The walls could not be built and were required.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit could not be set.
    #[error("cannot limit this process: {0}")]
    Limit(#[from] rustix::io::Errno),
    /// The kernel lacks something that grading somebody else's work requires.
    #[error("{0}; grading other people's work needs Linux 5.13 or later with both")]
    Missing(String),
}

/// Gives up everything this process does not need, for good. To be called while the process has one thread: threads that
/// already run would keep their rights.
pub fn confine(limits: ProcessLimits, strictness: Strictness) -> Result<Confined, ConfineError> {
    // Nobody is left to read the answer when the parent is gone.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Before the limits: building the ruleset takes a descriptor.
    let landlock = landlock();
    for (resource, most) in [
        (Resource::As, limits.memory),
        (Resource::Cpu, limits.cpu),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        // Standard input, output and error are open; nothing else will be.
        (Resource::Nofile, 3),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // No limit on the number of processes: it counts all of the user's, and seccomp refuses new ones anyway.
    let walls = Walls { landlock, seccomp: seccomp() };
    match (walls.gap(), strictness) {
        (Some(gap), Strictness::Required) => Err(ConfineError::Missing(gap)),
        _ => Ok(Confined { walls }),
    }
}

/// Denies every path, port and signal beyond this process; as far as the kernel knows how.
#[cfg(target_os = "linux")]
fn landlock() -> bool {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, RulesetStatus,
        Scope,
    };
    let build = || -> Result<RulesetStatus, RulesetError> {
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V7))?
            .handle_access(AccessNet::from_all(ABI::V7))?
            .scope(Scope::from_all(ABI::V7))?
            .create()?
            .restrict_self()?;
        Ok(status.ruleset)
    };
    // Also false where a container's own filter refuses the system call.
    build().is_ok_and(|status| status != RulesetStatus::NotEnforced)
}

#[cfg(not(target_os = "linux"))]
fn landlock() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn seccomp() -> bool {
    super::syscalls::restrict().is_ok()
}

#[cfg(not(target_os = "linux"))]
fn seccomp() -> bool {
    false
}
