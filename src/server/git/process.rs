//! A child of git: fed, listened to, and ended with all it started.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};

use super::incoming::Incoming;

/// A running child. Dropped before it has ended, its whole process group is killed.
pub struct Running {
    child: Child,
    group: Option<u32>,
}

impl Running {
    /// Takes charge of a child that was started in a group of its own.
    pub fn new(child: Child) -> Self {
        let group = child.id();
        Self { child, group }
    }

    /// Feeds the child while `listen` hears what it says, and waits for its end. Whether it went well.
    ///
    /// # Errors
    /// Of the client or of the pipes; the child is killed then.
    pub async fn run(
        mut self,
        first: &[u8],
        incoming: &mut Incoming,
        listen: impl Future<Output = Result<()>>,
    ) -> Result<bool> {
        let stdin = self.child.stdin.take().ok_or_else(|| Error::other("no pipe"))?;
        tokio::try_join!(feed(stdin, first, incoming), listen)?;
        let status = self.child.wait().await?;
        self.group = None;
        Ok(status.success())
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.group.and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // Fails only when it has just ended by itself.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn feed(mut stdin: ChildStdin, first: &[u8], incoming: &mut Incoming) -> Result<()> {
    write(&mut stdin, first).await?;
    while let Some(bytes) = incoming.next().await? {
        write(&mut stdin, &bytes).await?;
    }
    stdin.shutdown().await
}

async fn write(stdin: &mut ChildStdin, bytes: &[u8]) -> Result<()> {
    match stdin.write_all(bytes).await {
        // The child has read all it wants and says why in its answer.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
