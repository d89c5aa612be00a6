//! One control plane: its files and its processes. What it knows is in etcd, below its prefix.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PlanesError;
use super::pool::{Holder, Id};
use crate::stack::crew::{Crew, Stop, Trouble};
use crate::stack::keys::PlaneKeys;
use crate::stack::node::Admin;
use crate::stack::plan::Process;
use crate::stack::plan::etcd::EtcdAt;
use crate::stack::plan::plane::{self, Plane};
use crate::stack::probe::Unwell;
use crate::stack::process::{self, Identity};
use crate::stack::{Part, Programs, disk, ports};

/// What is noted about one; the last file to be made: a directory without it is of a plane that never was.
const RECORD: &str = "plane.json";

/// How long processes may take to end when asked. An API server takes half a minute for its watches; what it was told is in
/// etcd by then.
pub const GRACE: Duration = Duration::from_millis(500);

/// How long a control plane that ran may say that it is not well before it is started again.
const PATIENCE: Duration = Duration::from_secs(15);

/// What runs of one, the API server first, which the others ask.
const PARTS: [Part; 4] = [Part::KubeApiserver, Part::KubeControllerManager, Part::KubeScheduler, Part::Kwok];

/// What is kept for the next owner.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    holder: Holder,
    /// Of its API server; the same as long as nobody else takes it.
    port: u16,
    /// For where processes carry no mark.
    processes: Vec<Identity>,
}

/// One control plane.
#[derive(Debug)]
pub struct Unit {
    dir: PathBuf,
    prefix: String,
    record: Record,
    crew: Crew,
    /// The etcd that its processes know.
    etcd: Option<EtcdAt>,
}

/// Below which all keys of a control plane are, without the `/` at its end.
pub fn prefix(id: &Id) -> String {
    format!("/planes/{id}")
}

impl Unit {
    /// A new one, with keys of its own. Nothing runs yet.
    pub fn create(dir: PathBuf, id: &Id) -> Result<Self, PlanesError> {
        let keys = PlaneKeys::generate()?;
        let io = |source| PlanesError::io("make a control plane", &dir, source);
        let [port] = ports::free().map_err(io)?;
        let kubeconfig = plane::kubeconfig(&keys, &plane::address(port), &format!("gradus-plane-{id}"), "default");
        for below in ["tmp", "logs"] {
            fs::create_dir_all(dir.join(below)).map_err(io)?;
        }
        for file in plane::files(&keys) {
            disk::replace(&dir, &file.path, &file.content).map_err(io)?;
        }
        disk::replace(&dir, "kubeconfig".as_ref(), &format!("{kubeconfig:#}\n")).map_err(io)?;
        let record = Record { holder: Holder::Nobody, port, processes: Vec::new() };
        let unit = Self { prefix: prefix(id), crew: Crew::new(dir.clone()), dir, record, etcd: None };
        unit.save()?;
        Ok(unit)
    }

    /// One of an earlier owner, whose processes are ended. None where it never was complete.
    pub fn open(dir: PathBuf, id: &Id) -> Option<Self> {
        let text = fs::read(dir.join(RECORD)).unwrap_or_default();
        let record: Option<Record> = serde_json::from_slice(&text).ok();
        let known = record.as_ref().map(|record| record.processes.clone()).unwrap_or_default();
        process::end(&dir, &known, GRACE, &mut || {});
        Some(Self { prefix: prefix(id), crew: Crew::new(dir.clone()), dir, record: record?, etcd: None })
    }

    /// Whose it is.
    pub fn holder(&self) -> &Holder {
        &self.record.holder
    }

    /// Notes whose it is.
    pub fn set_holder(&mut self, holder: Holder) -> Result<(), PlanesError> {
        if self.record.holder == holder {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.record.holder, holder);
        // What is not on disk is not so: the next owner would take a used one for nobody's.
        self.save().inspect_err(|_| self.record.holder = before)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> Result<String, PlanesError> {
        let path = self.dir.join("kubeconfig");
        fs::read_to_string(&path).map_err(|source| PlanesError::io("read a kubeconfig", &self.dir, source))
    }

    /// The processes that were started.
    pub fn processes(&self) -> Vec<Identity> {
        self.crew.identities()
    }

    /// Makes sure that it runs and is healthy, on this etcd.
    pub fn ensure(&mut self, etcd: &EtcdAt, programs: &Programs, stop: &Stop) -> Result<(), Trouble> {
        if self.etcd.as_ref() == Some(etcd) && self.crew.lives() {
            match self.crew.wait(&PARTS, Some(PATIENCE), stop, &mut |_, _| {}) {
                Ok(()) => return Ok(()),
                Err(Trouble::Stopped) => return Err(Trouble::Stopped),
                Err(trouble) => tracing::warn!(%trouble, plane = self.prefix, "a control plane is started again"),
            }
        }
        ports::until_ours(Trouble::port_taken, || {
            self.end();
            let started = self.start(etcd, programs, stop);
            if started.is_err() {
                self.end();
            }
            started
        })
    }

    fn start(&mut self, etcd: &EtcdAt, programs: &Programs, stop: &Stop) -> Result<(), Trouble> {
        let dir = self.dir.clone();
        let io = |what: &str| {
            let (what, dir) = (what.to_owned(), dir.clone());
            move |source| Trouble::Io { what, dir, source }
        };
        // Of this start only: nobody else makes them shorter.
        let _ = fs::remove_dir_all(self.dir.join("logs"));
        fs::create_dir_all(self.dir.join("logs")).map_err(io("make a directory"))?;
        let [other, controllers, scheduler, kwok] = ports::free().map_err(io("find free ports"))?;
        if !ports::is_free(self.record.port) {
            self.record.port = other;
        }
        self.point().map_err(io("write a kubeconfig"))?;
        let plane = Plane { dir: &dir, etcd, prefix: &self.prefix, api: self.record.port, controllers, programs };
        self.etcd = Some(etcd.clone());
        let apiserver = plane.apiserver();
        let others = vec![plane.controller_manager(), plane.scheduler(scheduler), plane.kwok(kwok)];
        self.start_together(vec![apiserver], stop)?;
        if let Err(why) = self.as_admin(|admin| admin.release_node()) {
            // Then its node is ready half a minute later.
            tracing::warn!(%why, plane = self.prefix, "the node of a control plane is still somebody's");
        }
        self.start_together(others, stop)
    }

    /// Starts these and waits until all of them are healthy.
    fn start_together(&mut self, processes: Vec<Process>, stop: &Stop) -> Result<(), Trouble> {
        let parts: Vec<Part> = processes.iter().map(|process| process.part).collect();
        for process in processes {
            if let Some(identity) = self.crew.start(process)? {
                self.record.processes.push(identity);
            }
            let failed = |source| Trouble::Io { what: "write a record".to_owned(), dir: self.dir.clone(), source };
            self.write().map_err(failed)?;
        }
        self.crew.wait(&parts, None, stop, &mut |_, _| {})
    }

    fn as_admin<T>(&self, ask: impl FnOnce(&Admin) -> Result<T, Unwell>) -> Result<T, Unwell> {
        let kubeconfig = fs::read_to_string(self.dir.join("kubeconfig"))?;
        ask(&Admin::of(&kubeconfig, &self.dir.join("pki/ca.crt"))?)
    }

    /// Makes sure that what runs has a node for its pods.
    pub fn ensure_node(&mut self) -> Result<(), PlanesError> {
        let made = self.as_admin(|admin| admin.ensure_node());
        made.inspect_err(|_| self.end()).map_err(PlanesError::Node)
    }

    /// Ends its processes.
    pub fn end(&mut self) {
        self.crew.end(GRACE);
        self.record.processes.clear();
        self.etcd = None;
    }

    /// Deletes its files.
    pub fn delete(&self) -> Result<(), PlanesError> {
        delete(&self.dir)
    }

    /// The kubeconfig has the address of now.
    fn point(&self) -> std::io::Result<()> {
        let path = self.dir.join("kubeconfig");
        let mut kubeconfig: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let address = Value::from(plane::address(self.record.port));
        if kubeconfig["clusters"][0]["cluster"]["server"] == address {
            return Ok(());
        }
        kubeconfig["clusters"][0]["cluster"]["server"] = address;
        disk::replace(&self.dir, "kubeconfig".as_ref(), &format!("{kubeconfig:#}\n"))
    }

    fn save(&self) -> Result<(), PlanesError> {
        self.write().map_err(|source| PlanesError::io("write a record", &self.dir, source))
    }

    fn write(&self) -> std::io::Result<()> {
        disk::replace(&self.dir, RECORD.as_ref(), &serde_json::to_string_pretty(&self.record)?)
    }
}

/// Deletes the files of a control plane, also of one that never was complete.
pub fn delete(dir: &Path) -> Result<(), PlanesError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(PlanesError::io("delete a control plane", dir, error))
        }
        _ => Ok(()),
    }
}
