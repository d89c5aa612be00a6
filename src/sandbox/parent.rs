//! The parent's side of one child: start it, feed it, read its answers against the clock, end it.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::child::Invocation;
use super::wire::{Frame, Frames, MAX_FRAME};

/// How a child came to its end, unless it did all it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// It was too slow and was killed after this time.
    TimedOut(Duration),
    /// It ended by itself or by a limit, in these words.
    Ended(String),
    /// It said what a healthy child does not say.
    Nonsense(String),
    /// It refused to work without walls, in these words.
    Refused(String),
    /// It did not start.
    NotStarted(String),
}

/// What to do after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait for the next frame, at most this long.
    Within(Duration),
    /// All is said.
    Enough,
    /// That was not expected here.
    Unexpected,
}

/// Runs one child: sends `pieces`, hands each frame to `hear`. `start` is the time until the first frame after which
/// `hear` names another.
pub fn run<'a>(
    program: &Path,
    invocation: &Invocation,
    pieces: impl Iterator<Item = &'a [u8]>,
    start: Duration,
    mut hear: impl FnMut(Frame) -> Next,
) -> Result<(), Death> {
    let mut child = Running::start(program, invocation).map_err(|error| Death::NotStarted(error.to_string()))?;
    let mut outgoing = pieces.filter(|piece| !piece.is_empty());
    let mut piece = outgoing.next();
    if piece.is_none() {
        child.input = None;
    }
    let mut frames = Frames::default();
    let mut allowed = start;
    let mut since = Instant::now();
    let mut late = false;
    let mut buffer = vec![0; 64 << 10];
    loop {
        while let Some(frame) = frames.next().map_err(Death::Nonsense)? {
            if let Frame::Refused(why) = frame {
                return Err(Death::Refused(why));
            }
            match hear(frame) {
                Next::Within(time) => (allowed, since, late) = (time, Instant::now(), false),
                Next::Enough => return Ok(()),
                Next::Unexpected => return Err(Death::Nonsense("it answered out of turn".to_owned())),
            }
        }
        if late {
            return Err(Death::TimedOut(allowed));
        }
        let left = allowed.saturating_sub(since.elapsed());
        late = left.is_zero();
        let ready = child.wait(left).map_err(|error| Death::Ended(error.to_string()))?;
        // An answer that is there counts, also when it was we who were late; one that is still to come does not.
        if late && !ready.output {
            return Err(Death::TimedOut(allowed));
        }
        if ready.output {
            match child.output.read(&mut buffer) {
                Ok(0) => return Err(child.last_words()),
                Ok(count) => frames.push(&buffer[..count.min(MAX_FRAME)]),
                Err(error) if is_for_later(&error) => {}
                Err(error) => return Err(Death::Ended(error.to_string())),
            }
        }
        if let (true, Some(input), Some(bytes)) = (ready.input, &mut child.input, piece) {
            match input.write(bytes) {
                Ok(count) => {
                    piece = Some(&bytes[count..]).filter(|rest| !rest.is_empty()).or_else(|| outgoing.next());
                    if piece.is_none() {
                        child.input = None;
                    }
                }
                Err(error) if is_for_later(&error) => {}
                // It is gone or going: its end says more than this error.
                Err(_) => child.input = None,
            }
        }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A started child. Dropping it kills its whole process group and waits for it.
struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

/// Which pipes can be used without waiting.
struct Ready {
    input: bool,
    output: bool,
}

impl Running {
    fn start(program: &Path, invocation: &Invocation) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let mut process = Command::new(program)
            .args(invocation.args())
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("its pipes are missing"));
        };
        let running = Self { process, input: Some(input), output };
        if let Some(input) = &running.input {
            rustix::io::ioctl_fionbio(input, true)?;
        }
        rustix::io::ioctl_fionbio(&running.output, true)?;
        Ok(running)
    }

    fn wait(&self, most: Duration) -> io::Result<Ready> {
        let mut pipes = vec![PollFd::new(&self.output, PollFlags::IN)];
        pipes.extend(self.input.as_ref().map(|input| PollFd::new(input, PollFlags::OUT)));
        let timeout =
            Timespec { tv_sec: most.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: most.subsec_nanos().into() };
        match poll(&mut pipes, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |position: usize| pipes.get(position).is_some_and(|pipe| !pipe.revents().is_empty());
        Ok(Ready { output: ready(0), input: ready(1) })
    }

    /// Why its output ended.
    fn last_words(&mut self) -> Death {
        use std::os::unix::process::ExitStatusExt;
        // Closing its output is the last thing a child does, unless it was taken over: then it is killed on drop.
        let deadline = Instant::now() + Duration::from_millis(500);
        let status = loop {
            match self.process.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) => return Death::Nonsense("it closed its output and went on".to_owned()),
                Err(error) => return Death::Ended(error.to_string()),
            }
        };
        Death::Ended(match status.signal() {
            Some(signal) if signal == Signal::ABORT.as_raw() || signal == Signal::SEGV.as_raw() => {
                "it ran out of memory or stack".to_owned()
            }
            Some(signal) if signal == Signal::XCPU.as_raw() => "it used up its processor time".to_owned(),
            Some(signal) if signal == Signal::KILL.as_raw() => "it was killed, most likely for memory".to_owned(),
            Some(signal) => format!("it was ended by signal {signal}"),
            None => format!("it ended early ({status})"),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already waited for: its number may belong to somebody else by now.
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        let group = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // Fails only when it has just ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
