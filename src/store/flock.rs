//! Locks between programs: on a file, let go by the kernel however its holder ends.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long a lock may be held by nobody: a child that another thread is starting has a copy of every open file until it
/// becomes its program, also of one that we closed a moment ago.
pub const LEFT: Duration = Duration::from_secs(1);

/// How often it is tried again.
const TICK: Duration = Duration::from_millis(10);

/// Who has a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// We do.
    Us,
    /// Somebody else does.
    Other,
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// By one alone.
    Alone,
    /// Together with others who share it.
    Shared,
}

/// Tries to lock a file, for as long as `patience`.
pub fn lock(file: &File, sharing: Sharing, patience: Duration) -> io::Result<Holder> {
    let operation = match sharing {
        Sharing::Alone => FlockOperation::NonBlockingLockExclusive,
        Sharing::Shared => FlockOperation::NonBlockingLockShared,
    };
    let begun = Instant::now();
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(Holder::Us),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < patience => std::thread::sleep(TICK),
            Err(Errno::WOULDBLOCK) => return Ok(Holder::Other),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_when_the_last_copy_of_its_file_is_closed_within_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::create(dir.path().join("lock")).unwrap();
        let held = open();
        assert_eq!(lock(&held, Sharing::Alone, Duration::ZERO).unwrap(), Holder::Us);
        assert_eq!(lock(&open(), Sharing::Shared, TICK * 2).unwrap(), Holder::Other);
        // As a child has it.
        let copy = held.try_clone().unwrap();
        drop(held);
        assert_eq!(lock(&open(), Sharing::Alone, Duration::ZERO).unwrap(), Holder::Other);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(TICK * 2);
                drop(copy);
            });
            assert_eq!(lock(&open(), Sharing::Alone, Duration::from_secs(60)).unwrap(), Holder::Us);
        });
    }
}
