//! One at a time starts or ends a stack.

use std::fs::File;
use std::io;
use std::path::Path;

use super::plan::Spec;
use crate::store::flock::{Holder, LEFT, Sharing, lock};

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
        let holder = lock(&file, Sharing::Alone, LEFT)?;
        Ok((holder == Holder::Us).then_some(Self { _file: file }))
    }
}
