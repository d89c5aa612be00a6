//! One at a time starts or ends a stack.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::plan::Spec;
use super::process::TICK;

/// How long a lock may still be held by nobody: a child that another thread is starting has a copy of every open file until it
/// becomes its program, also of one that we closed a moment ago.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held while a stack is started or ended; let go by the system however we end.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// None while somebody else holds it.
    pub fn take(spec: &Spec) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(&spec.data)?;
        // Beside the directory, which comes and goes.
        Self::at(&spec.data.join(format!(".{}.lock", spec.name)))
    }

    /// The same of any file, which is made.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        let (file, begun) = (File::create(path)?, Instant::now());
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => std::thread::sleep(TICK),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_when_the_last_copy_of_its_file_is_closed_within_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::at(&path).unwrap().unwrap();
        // As a child has it.
        let copy = held._file.try_clone().unwrap();
        drop(held);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(TICK * 2);
                drop(copy);
            });
            let again = Lock::at(&path).unwrap();
            assert!(again.is_some());
            assert!(Lock::at(&path).unwrap().is_none(), "somebody holds it");
        });
    }
}
