//! Where checkpoints are evaluated: in a restricted child process (design §9), or in this one.
//!
//! `evaluate` is the loop over checkpoints that both share; everything else of this room is about the child.

pub mod child;
mod confine;
mod evaluate;
mod launcher;
mod parent;
mod probe;
#[cfg(target_os = "linux")]
mod syscalls;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::checkpoint::observed::Environs;
use crate::checkpoint::{Checkpoint, Judgement};
use crate::course::id::CheckpointId;
use crate::course::values::Values;
use crate::submission::advice::Advice;
use crate::submission::history::History;
use crate::submission::tree::Tree;
use crate::submission::yaml::Dialect;

pub use confine::{Strictness, Walls};
pub use launcher::{Launcher, Limits, Unusable};

/// Where checkpoints are evaluated.
#[derive(Debug, Clone)]
pub enum Sandbox {
    /// In a restricted child process: the only choice for anybody else's work.
    Child(Launcher),
    /// In this process: for the child itself, for benchmarks and unit tests. Never for anybody else's work.
    InProcess,
}

/// Whether to record how verdicts come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tracing {
    /// Grading.
    Off,
    /// `gradus explain`.
    On,
}

/// Whether to go through the objects for all checkpoints at once before each is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Screening {
    /// What one waits for least.
    On,
    /// What a child died of is found out checkpoint by checkpoint.
    Off,
}

/// Whether to give advice on the YAML files once all is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Advising {
    /// What a person will read.
    On,
    /// What is counted and compared.
    Off,
}

/// What is to be judged, on what.
#[derive(Debug, Clone)]
pub struct Work<'a> {
    /// Dependencies first. A checkpoint is left out of the answer when one it depends on did not pass.
    pub checkpoints: &'a [&'a Checkpoint],
    /// The files of the task's directory in the submission.
    pub files: &'a Tree,
    /// The same directory where the learner started.
    pub base: &'a Tree,
    /// None where hidden fixtures are not to be had.
    pub hidden: Option<&'a Tree>,
    /// Values of the task's parameters.
    pub params: &'a Values,
    /// None for a working tree.
    pub history: Option<&'a History>,
    /// None where there is no environment.
    pub environs: Option<&'a Environs>,
    /// `tasks/TASK-ID/`.
    pub prefix: &'a str,
    /// How scalars read unless a checkpoint says otherwise.
    pub dialect: Dialect,
    /// Whether to record how verdicts come about.
    pub tracing: Tracing,
    /// Whether objects are screened. Never when verdicts are recorded: all of it is told.
    pub screening: Screening,
    /// Whether advice is wanted.
    pub advising: Advising,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// One per checkpoint, but for those that wait for another.
    pub judged: BTreeMap<CheckpointId, Judged>,
    /// Where it was wanted and could be given; files below the task's directory. Whatever it takes, no judgement suffers.
    pub advice: Vec<Advice>,
}

/// One checkpoint's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What the kind found; paths below the task's directory.
    pub judgement: Judgement,
    /// How, when asked: depth and text.
    pub trace: Vec<(usize, String)>,
}

impl Sandbox {
    /// Children of `program`, which must be gradus itself.
    pub fn child(program: impl Into<PathBuf>, strictness: Strictness) -> Self {
        Self::Child(Launcher::new(program.into(), strictness, Limits::default()))
    }

    /// Children of the running program.
    pub fn this_program(strictness: Strictness) -> std::io::Result<Self> {
        // This link leads to the running program even after an update has replaced its file.
        let running = std::path::Path::new("/proc/self/exe");
        let program = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
        Ok(Self::child(program, strictness))
    }

    /// Whether grading is possible and how well others' work is walled in. The daemon asks before it starts.
    pub fn check(&self) -> Result<(), Unusable> {
        match self {
            Sandbox::Child(launcher) => launcher.check().map(drop),
            Sandbox::InProcess => Ok(()),
        }
    }

    /// One line for people when the walls around the children so far have gaps.
    pub fn gap(&self) -> Option<String> {
        match self {
            Sandbox::Child(launcher) => launcher.walls().and_then(Walls::gap),
            Sandbox::InProcess => None,
        }
    }

    /// Judges the checkpoints, then gives advice. Never fails: what goes wrong is a judgement too.
    pub fn judge(&self, work: &Work<'_>) -> Answers {
        match self {
            Sandbox::Child(launcher) => launcher.judge(work),
            Sandbox::InProcess => {
                let mut all = Answers::default();
                evaluate::evaluate(work, |event| match event {
                    evaluate::Event::Begun(_) => {}
                    evaluate::Event::Judged(index, judged) => {
                        all.judged.insert(work.checkpoints[index].id.clone(), judged);
                    }
                    evaluate::Event::Advised(advice) => all.advice = advice,
                });
                all
            }
        }
    }
}
