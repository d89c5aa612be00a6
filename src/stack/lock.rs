//! One at a time starts or ends a stack.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::plan::Spec;

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
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
