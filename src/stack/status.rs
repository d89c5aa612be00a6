//! How each part of a stack is.

use std::io;

use super::part::Part;
use super::plan::{Endpoints, Spec};
use super::probe;
use super::state::{Phase, State};

/// How a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It says so.
    Healthy,
    /// It runs, and this is wrong.
    Unwell(String),
    /// Its process ended.
    Dead,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartStatus {
    /// Which.
    pub part: Part,
    /// How it is.
    pub health: Health,
    /// Its process.
    pub pid: u32,
    /// MiB that it holds, where the system says so.
    pub memory: Option<u64>,
    /// Where it listens.
    pub address: String,
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far it is.
    pub phase: Phase,
    /// Whether whoever is starting it still runs.
    pub starter_lives: bool,
    /// Every part that was started.
    pub parts: Vec<PartStatus>,
    /// Where it is found.
    pub endpoints: Endpoints,
}

impl Status {
    /// Whether it came up and all of it is healthy.
    pub fn is_well(&self) -> bool {
        self.phase == Phase::Up && self.parts.iter().all(|part| part.health == Health::Healthy)
    }
}

/// Asks every part. None when there is no such stack.
pub fn status(spec: &Spec) -> io::Result<Option<Status>> {
    let Some(state) = State::read(&spec.dir())? else { return Ok(None) };
    let parts = state.parts.iter().map(|running| PartStatus {
        part: running.part,
        health: match running.probe.ask(probe::PATIENCE) {
            // Somebody else may have its port by now.
            _ if !running.process.lives() => Health::Dead,
            Ok(()) => Health::Healthy,
            Err(why) => Health::Unwell(why.to_string()),
        },
        pid: running.process.pid,
        memory: running.process.memory(),
        address: running.address.clone(),
    });
    Ok(Some(Status {
        parts: parts.collect(),
        phase: state.phase,
        starter_lives: state.starter.is_some_and(|starter| starter.lives()),
        endpoints: state.endpoints,
    }))
}
