//! The etcd that all control planes share.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::PlanesError;
use crate::stack::crew::{Crew, Stop, Trouble};
use crate::stack::keys::EtcdKeys;
use crate::stack::plan::etcd::{self, Durability, Etcd, EtcdAt, EtcdPorts};
use crate::stack::process::Identity;
use crate::stack::{Part, Programs, disk, ports, process};

/// The last of its files to be made.
const AUTHORITY: &str = "pki/etcd-ca.crt";

/// Its process, for where processes carry no mark.
const PROCESS: &str = "process.json";

/// It writes down what it has before it ends.
const GRACE: Duration = Duration::from_secs(5);

/// How long it may say that it is not well before it is started again.
const PATIENCE: Duration = Duration::from_secs(15);

/// The shared etcd.
#[derive(Debug)]
pub struct Shared {
    dir: PathBuf,
    crew: Crew,
    ports: Option<EtcdPorts>,
}

impl Shared {
    /// The one below this directory; what is left of an earlier owner's is ended.
    pub fn open(dir: PathBuf) -> Result<Self, PlanesError> {
        let known = fs::read(dir.join(PROCESS)).unwrap_or_default();
        let known: Vec<Identity> = serde_json::from_slice(&known).into_iter().collect();
        process::end(&dir, &known, GRACE, &mut || {});
        let io = |source| PlanesError::io("make the etcd of control planes", &dir, source);
        for below in ["tmp", "logs"] {
            fs::create_dir_all(dir.join(below)).map_err(io)?;
        }
        if !dir.join(AUTHORITY).is_file() {
            let mut files = etcd::files(&EtcdKeys::generate()?);
            files.sort_by_key(|file| file.path == Path::new(AUTHORITY));
            for file in files {
                disk::replace(&dir, &file.path, &file.content).map_err(io)?;
            }
        }
        Ok(Self { crew: Crew::new(dir.clone()), dir, ports: None })
    }

    /// Makes sure that it runs; with the same address as before when that is free.
    pub fn ensure(&mut self, programs: &Programs, stop: &Stop) -> Result<EtcdAt, Trouble> {
        if let Some(ports) = self.ports.filter(|_| self.crew.lives()) {
            match self.crew.wait(&[Part::Etcd], Some(PATIENCE), stop, &mut |_, _| {}) {
                Ok(()) => return Ok(self.plan(ports, programs).at()),
                Err(Trouble::Stopped) => return Err(Trouble::Stopped),
                Err(trouble) => tracing::warn!(%trouble, "the etcd of control planes is started again"),
            }
        }
        ports::until_ours(Trouble::port_taken, || {
            self.end();
            let started = self.start(programs, stop);
            if started.is_err() {
                self.end();
            }
            started
        })
    }

    fn start(&mut self, programs: &Programs, stop: &Stop) -> Result<EtcdAt, Trouble> {
        let dir = self.dir.clone();
        let io = |source| Trouble::Io { what: "prepare etcd".to_owned(), dir: dir.clone(), source };
        let _ = fs::remove_dir_all(self.dir.join("logs"));
        fs::create_dir_all(self.dir.join("logs")).map_err(io)?;
        let [client, peer, metrics] = ports::free().map_err(io)?;
        let all = |ports: &EtcdPorts| [ports.client, ports.peer, ports.metrics].into_iter().all(ports::is_free);
        let same = self.ports.filter(all);
        let ports = same.unwrap_or(EtcdPorts { client, peer, metrics });
        self.ports = Some(ports);
        let plan = self.plan(ports, programs);
        let (process, at) = (plan.process(), plan.at());
        if let Some(identity) = self.crew.start(process)? {
            let text = serde_json::to_string(&identity).map_err(|error| io(error.into()))?;
            disk::replace(&self.dir, PROCESS.as_ref(), &text).map_err(io)?;
        }
        self.crew.wait(&[Part::Etcd], None, stop, &mut |_, _| {})?;
        Ok(at)
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.crew.end(GRACE);
    }

    fn plan<'a>(&'a self, ports: EtcdPorts, programs: &'a Programs) -> Etcd<'a> {
        Etcd { dir: &self.dir, ports, programs, durability: Durability::Kept }
    }
}
