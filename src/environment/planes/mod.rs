//! Control planes of learners' own: API servers as plain processes on this machine, all on one etcd, each below a prefix of
//! its own (`docs/environments.md`).
//!
//! `pool` decides who gets which and which of them run; `etcd` and `unit` start and end processes; here both meet. A control
//! plane takes about 400 MiB when fresh, and the limit of a pool is there for that.

mod error;
mod etcd;
mod lent;
mod pool;
mod unit;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ring::rand::SecureRandom;

pub use self::error::PlanesError;
use self::etcd::Shared;
pub use self::lent::Plane;
use self::pool::{Full, Holder, Id, Lend, Place, Pool};
use self::unit::Unit;
use crate::stack::crew::Trouble;
use crate::stack::gateway;
use crate::stack::lock::Lock;
use crate::stack::plan::etcd::EtcdAt;
use crate::stack::process::Identity;
use crate::stack::{Programs, Stop};

/// Held by the owner of a directory; besides it says that the directory is ours.
const LOCK: &str = "planes.lock";

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Where everything is kept: data of etcd, keys and addresses. Of one owner at a time.
    pub dir: PathBuf,
    /// How many may run at once, those that wait for somebody among them: count 500 MiB for each.
    pub limit: usize,
    /// How many run in advance, so that a new one is there at once.
    pub warm: usize,
}

/// Control planes of one directory. Every process ends when this is dropped, which takes a moment: [`Planes::end`] waits for
/// that without blocking. What they know is kept.
#[derive(Debug)]
pub struct Planes {
    inner: Arc<Inner>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Run or are about to, for somebody or in advance.
    pub running: usize,
    /// Of those, wait for somebody.
    pub spare: usize,
    /// Are lent, but their processes are ended.
    pub parked: usize,
}

/// One that runs.
#[derive(Debug)]
struct Running {
    kubeconfig: String,
    processes: Vec<Identity>,
}

/// Shared by whoever uses one. Everything in it blocks.
#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    limit: usize,
    programs: Programs,
    stop: Stop,
    /// Read by whatever starts something, written by the end: nothing is started after it.
    gate: RwLock<()>,
    lock: Mutex<Option<Lock>>,
    etcd: Mutex<Shared>,
    pool: Mutex<Pool>,
    /// Never locked while `pool` is; two of them never at once.
    units: Mutex<BTreeMap<Id, Arc<Mutex<Unit>>>>,
    /// One at a time is started in advance.
    refilling: Mutex<()>,
}

impl Planes {
    /// Starts etcd and, in the background, as many control planes as are to wait. What an earlier owner left running, because
    /// it was killed, is ended first.
    pub async fn open(spec: Spec, programs: Programs) -> Result<Self, PlanesError> {
        let inner = blocking(move || Inner::open(&spec, programs)).await?;
        inner.refill();
        Ok(Self { inner })
    }

    /// The control plane of this name, running. It is not taken away while the answer is held; when all places are needed
    /// and nobody holds it, its processes are ended until it is lent again. New names get one in which nobody ever was.
    pub async fn lend(&self, name: &str) -> Result<Plane, PlanesError> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        let lent = blocking(move || inner.lend(&name)).await;
        self.inner.refill();
        lent
    }

    /// Ends the control plane of this name, also for whoever still holds it, and deletes all that it knew. Nothing happens
    /// when there is none.
    pub async fn give_back(&self, name: &str) -> Result<(), PlanesError> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        let done = blocking(move || inner.give_back(&name)).await;
        self.inner.refill();
        done
    }

    /// How many there are.
    pub fn count(&self) -> Count {
        held(&self.inner.pool).count()
    }

    /// Ends every process and waits for that.
    pub async fn end(self) {
        let inner = self.inner.clone();
        let _ = tokio::task::spawn_blocking(move || inner.end()).await;
    }
}

impl Drop for Planes {
    fn drop(&mut self) {
        self.inner.end();
    }
}

/// Runs what blocks beside the runtime; it goes on when the caller gives up.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, PlanesError> + Send + 'static,
) -> Result<T, PlanesError> {
    // Not run to its end only when the runtime ends or it panicked.
    tokio::task::spawn_blocking(job).await.unwrap_or(Err(PlanesError::Ended))
}

/// What we guard stays whole when somebody panics.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn open(spec: &Spec, programs: Programs) -> Result<Arc<Self>, PlanesError> {
        let io = |source| PlanesError::io("make the directory of control planes", &spec.dir, source);
        if !is_ours(&spec.dir) {
            return Err(PlanesError::NotOurs(spec.dir.clone()));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&spec.dir).map_err(io)?;
        // Processes are known by this path: one pool, one path.
        let dir = spec.dir.canonicalize().map_err(io)?;
        let lock = Lock::at(&dir.join(LOCK)).map_err(io)?.ok_or_else(|| PlanesError::Busy(dir.clone()))?;
        fs::create_dir_all(dir.join("planes")).map_err(io)?;
        let mut pool = Pool::new(spec.limit, spec.warm);
        let (mut units, mut broken) = (BTreeMap::new(), Vec::new());
        for entry in fs::read_dir(dir.join("planes")).map_err(io)? {
            let entry = entry.map_err(io)?;
            let id = Id::new(&entry.file_name().to_string_lossy());
            match Unit::open(entry.path(), &id) {
                Some(unit) => {
                    pool.restore(id.clone(), unit.holder().clone());
                    units.insert(id, Arc::new(Mutex::new(unit)));
                }
                None => broken.push(id),
            }
        }
        let inner = Arc::new(Self {
            etcd: Mutex::new(Shared::open(dir.join("etcd"))?),
            dir,
            limit: spec.limit,
            programs,
            stop: Stop::default(),
            gate: RwLock::new(()),
            lock: Mutex::new(Some(lock)),
            pool: Mutex::new(pool),
            units: Mutex::new(units),
            refilling: Mutex::new(()),
        });
        // Should any of this fail, nothing that was started stays.
        let opened = inner.etcd().and_then(|at| {
            for id in &broken {
                erase(&at, id)?;
                unit::delete(&inner.home(id))?;
            }
            let leaving = held(&inner.pool).leaving();
            leaving.iter().try_for_each(|id| inner.remove(id))
        });
        match opened {
            Ok(()) => Ok(inner),
            Err(error) => {
                inner.end();
                Err(error)
            }
        }
    }

    fn lend(self: &Arc<Self>, name: &str) -> Result<Plane, PlanesError> {
        let _open = self.enter()?;
        loop {
            let decided = held(&self.pool).lend(name, fresh()?);
            let Lend { id, park } = decided.map_err(|Full| PlanesError::Full { limit: self.limit })?;
            // From here on it is given up when we fail.
            let mut plane = Plane::using(self.clone(), id.clone());
            if let Some(id) = park {
                self.park(&id);
            }
            let started = self.start(&id, &Holder::Lent(name.to_owned()));
            match started {
                Ok(Some(running)) => {
                    plane.runs(running)?;
                    return Ok(plane);
                }
                // It was given back a moment ago: the name has another one now.
                Ok(None) => {}
                Err(error) => {
                    drop(plane);
                    held(&self.pool).failed(&id);
                    return Err(error);
                }
            }
        }
    }

    /// Makes sure that one runs which is this holder's; none when it is not any more.
    fn start(&self, id: &Id, holder: &Holder) -> Result<Option<Running>, PlanesError> {
        let unit = self.unit(id)?;
        let mut unit = held(&unit);
        let wanted = {
            let pool = held(&self.pool);
            pool.holder(id) == Some(holder) && pool.place(id) == Some(Place::Taken)
        };
        if !wanted {
            return Ok(None);
        }
        unit.set_holder(holder.clone())?;
        let at = self.etcd()?;
        let failed = |source| match source {
            Trouble::Stopped => PlanesError::Ended,
            source => PlanesError::Start { what: describe(holder), source },
        };
        unit.ensure(&at, &self.programs, &self.stop).map_err(failed)?;
        unit.ensure_node()?;
        Ok(Some(Running { kubeconfig: unit.kubeconfig()?, processes: unit.processes() }))
    }

    /// Ends the processes of one whose place is somebody else's, unless it has got one again.
    fn park(&self, id: &Id) {
        let unit = held(&self.units).get(id).cloned();
        let Some(unit) = unit else { return };
        let mut unit = held(&unit);
        if held(&self.pool).place(id) == Some(Place::Parked) {
            unit.end();
        }
    }

    fn give_back(&self, name: &str) -> Result<(), PlanesError> {
        let _open = self.enter()?;
        let id = held(&self.pool).give_back(name);
        id.map_or(Ok(()), |id| self.remove(&id))
    }

    /// Ends and deletes one. What cannot be deleted now is deleted by the next owner.
    fn remove(&self, id: &Id) -> Result<(), PlanesError> {
        let unit = self.unit(id)?;
        let mut unit = held(&unit);
        let noted = unit.set_holder(Holder::Leaving);
        unit.end();
        held(&self.pool).ended(id);
        noted?;
        erase(&self.etcd()?, id)?;
        unit.delete()?;
        held(&self.units).remove(id);
        held(&self.pool).forget(id);
        Ok(())
    }

    /// Starts as many as are to wait for somebody, one after another, in the background.
    fn refill(self: &Arc<Self>) {
        if !held(&self.pool).wants_more() {
            return;
        }
        let inner = self.clone();
        // Where no thread is to be had there is nothing in advance.
        let _ = std::thread::Builder::new().name("planes".to_owned()).spawn(move || {
            let _alone = held(&inner.refilling);
            while let Ok(_open) = inner.enter() {
                let next = fresh().map(|id| held(&inner.pool).refill(id));
                let Ok(Some(id)) = next else { return };
                if let Err(error) = inner.start(&id, &Holder::Nobody) {
                    held(&inner.pool).failed(&id);
                    if !inner.stop.asked() {
                        tracing::warn!(error = &error as &dyn std::error::Error, "no control plane in advance");
                    }
                    return;
                }
            }
        });
    }

    /// Ends every process. Nothing is started from now on.
    fn end(&self) {
        self.stop.now();
        let _closed = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let units: Vec<_> = held(&self.units).values().cloned().collect();
        std::thread::scope(|scope| {
            for unit in &units {
                scope.spawn(|| held(unit).end());
            }
        });
        held(&self.etcd).end();
        held(&self.lock).take();
    }

    /// Who is in can go on; the end waits for them.
    fn enter(&self) -> Result<impl Drop + '_, PlanesError> {
        let open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if self.stop.asked() { Err(PlanesError::Ended) } else { Ok(open) }
    }

    /// The shared etcd, running.
    fn etcd(&self) -> Result<EtcdAt, PlanesError> {
        held(&self.etcd).ensure(&self.programs, &self.stop).map_err(|trouble| match trouble {
            Trouble::Stopped => PlanesError::Ended,
            trouble => PlanesError::Etcd(trouble),
        })
    }

    /// The files and processes of one, which is made when it is not there.
    fn unit(&self, id: &Id) -> Result<Arc<Mutex<Unit>>, PlanesError> {
        let mut units = held(&self.units);
        if let Some(unit) = units.get(id) {
            return Ok(unit.clone());
        }
        let unit = Arc::new(Mutex::new(Unit::create(self.home(id), id)?));
        units.insert(id.clone(), unit.clone());
        Ok(unit)
    }

    fn home(&self, id: &Id) -> PathBuf {
        self.dir.join("planes").join(id.as_str())
    }
}

/// Whether we may delete what is in a directory: it is not there, empty, or was made by us.
fn is_ours(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none() || dir.join(LOCK).is_file(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Deletes all that etcd knows of one and makes sure of that.
fn erase(at: &EtcdAt, id: &Id) -> Result<(), PlanesError> {
    let prefix = format!("{}/", unit::prefix(id));
    let erased = gateway::forget(at, &prefix).and_then(|_| gateway::count(at, &prefix));
    match erased {
        Ok(0) => Ok(()),
        Ok(left) => {
            Err(PlanesError::Erase { prefix, source: io::Error::other(format!("{left} keys are left")).into() })
        }
        Err(source) => Err(PlanesError::Erase { prefix, source }),
    }
}

fn describe(holder: &Holder) -> String {
    match holder {
        Holder::Lent(name) => format!("of `{name}`"),
        Holder::Nobody | Holder::Leaving => "in advance".to_owned(),
    }
}

fn fresh() -> Result<Id, PlanesError> {
    let mut bytes = [0; 8];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| PlanesError::Keys(rcgen::Error::RingUnspecified))?;
    Ok(Id::new(&hex::encode(bytes)))
}
