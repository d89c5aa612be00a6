//! What parent and child say to each other. Neither trusts the other's lengths: the parent's come from learner files, and
//! the child may have been taken over by them.
//!
//! Request: `u32` length and a JSON header, then the contents of the files it names, one after the other.
//! Answer: frames of `u32` length, `u8` kind and a body. Integers are little-endian.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::confine::{Confined, Walls};
use super::{Advising, Judged, Screening, Tracing, Work};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::observed::Environs;
use crate::course::values::Values;
use crate::submission::advice::Advice;
use crate::submission::history::History;
use crate::submission::tree::{Entry, Tree};
use crate::submission::yaml::Dialect;

/// Longest header in bytes: checkpoints, values, history and all paths.
const MAX_HEADER: u64 = 64 << 20;

/// Most bytes of files in one request; a submission's own limits are tighter.
const MAX_FILES: u64 = 512 << 20;

/// Longest frame of an answer in bytes: a clipped judgement with its trace.
pub const MAX_FRAME: usize = 16 << 20;

/// A request as the child reads it; each field as in [`Work`].
#[derive(Debug)]
pub struct Request {
    checkpoints: Vec<Checkpoint>,
    files: Tree,
    base: Tree,
    hidden: Option<Tree>,
    params: Values,
    history: Option<History>,
    environs: Option<Environs>,
    prefix: String,
    dialect: Dialect,
    tracing: Tracing,
    screening: Screening,
    advising: Advising,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    checkpoints: Vec<Cow<'a, Checkpoint>>,
    /// Lengths in bytes of the contents that follow.
    contents: Vec<u64>,
    files: Vec<(Cow<'a, str>, WireEntry<'a>)>,
    base: Vec<(Cow<'a, str>, WireEntry<'a>)>,
    hidden: Option<Vec<(Cow<'a, str>, WireEntry<'a>)>>,
    params: Cow<'a, Values>,
    history: Option<Cow<'a, History>>,
    environs: Option<Cow<'a, Environs>>,
    prefix: Cow<'a, str>,
    dialect: Dialect,
    tracing: Tracing,
    screening: Screening,
    advising: Advising,
}

#[derive(Serialize, Deserialize)]
enum WireEntry<'a> {
    /// Position in `contents`, executable bit.
    File(usize, bool),
    Symlink(Cow<'a, str>),
    Submodule,
}

/// A request as bytes, file contents still shared.
pub struct Outgoing<'a> {
    head: Vec<u8>,
    contents: Vec<&'a [u8]>,
}

impl<'a> Outgoing<'a> {
    /// Files that occur in several trees are sent once.
    pub fn new(work: &Work<'a>) -> Self {
        let mut contents: Vec<&'a [u8]> = Vec::new();
        let mut known: HashMap<&'a [u8], usize> = HashMap::new();
        let mut entries = |tree: &'a Tree| -> Vec<(Cow<'a, str>, WireEntry<'a>)> {
            tree.iter()
                .map(|(path, entry)| {
                    let entry = match entry {
                        Entry::File { bytes, executable } => {
                            let position = *known.entry(bytes).or_insert_with(|| {
                                contents.push(bytes);
                                contents.len() - 1
                            });
                            WireEntry::File(position, *executable)
                        }
                        Entry::Symlink(target) => WireEntry::Symlink(target.into()),
                        Entry::Submodule => WireEntry::Submodule,
                    };
                    (path.into(), entry)
                })
                .collect()
        };
        let (files, base, hidden) = (entries(work.files), entries(work.base), work.hidden.map(&mut entries));
        let header = Header {
            checkpoints: work.checkpoints.iter().map(|c| Cow::Borrowed(*c)).collect(),
            contents: contents.iter().map(|bytes| bytes.len() as u64).collect(),
            files,
            base,
            hidden,
            params: Cow::Borrowed(work.params),
            history: work.history.map(Cow::Borrowed),
            environs: work.environs.map(Cow::Borrowed),
            prefix: work.prefix.into(),
            dialect: work.dialect,
            tracing: work.tracing,
            screening: work.screening,
            advising: work.advising,
        };
        let mut head = vec![0; 4];
        serde_json::to_writer(&mut head, &header).expect("plain data without maps keyed by anything but text");
        // A header beyond 4 GiB cannot be told from a short one, and is refused by its first byte.
        let length = u32::try_from(head.len() - 4).unwrap_or(u32::MAX);
        head[..4].copy_from_slice(&length.to_le_bytes());
        Outgoing { head, contents }
    }

    /// The bytes in pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.head.as_slice()).chain(self.contents.iter().copied())
    }
}

impl Request {
    /// Reads a request. Asks for the proof that nothing can be done with what is in it.
    pub fn read(_confined: Confined, from: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let head = take(from, u64::from(u32::from_le_bytes(length)), MAX_HEADER)?;
        let header: Header<'static> = serde_json::from_slice(&head)?;
        let mut left = MAX_FILES;
        let contents = header
            .contents
            .iter()
            .map(|length| {
                let bytes = take(from, *length, left)?;
                left -= length;
                Ok(Arc::from(bytes))
            })
            .collect::<io::Result<Vec<Arc<[u8]>>>>()?;
        let tree = |entries: Vec<(Cow<'static, str>, WireEntry<'static>)>| -> io::Result<Tree> {
            let entry = |entry| match entry {
                WireEntry::File(position, executable) => match contents.get(position) {
                    Some(bytes) => Ok(Entry::File { bytes: Arc::clone(bytes), executable }),
                    None => Err(invalid("a file without contents")),
                },
                WireEntry::Symlink(target) => Ok(Entry::Symlink(target.into_owned())),
                WireEntry::Submodule => Ok(Entry::Submodule),
            };
            entries.into_iter().map(|(path, held)| Ok((path.into_owned(), entry(held)?))).collect()
        };
        Ok(Request {
            checkpoints: header.checkpoints.into_iter().map(Cow::into_owned).collect(),
            files: tree(header.files)?,
            base: tree(header.base)?,
            hidden: header.hidden.map(tree).transpose()?,
            params: header.params.into_owned(),
            history: header.history.map(Cow::into_owned),
            environs: header.environs.map(Cow::into_owned),
            prefix: header.prefix.into_owned(),
            dialect: header.dialect,
            tracing: header.tracing,
            screening: header.screening,
            advising: header.advising,
        })
    }

    /// The work in it.
    pub fn with_work<T>(&self, run: impl FnOnce(&Work<'_>) -> T) -> T {
        let checkpoints: Vec<&Checkpoint> = self.checkpoints.iter().collect();
        run(&Work {
            checkpoints: &checkpoints,
            files: &self.files,
            base: &self.base,
            hidden: self.hidden.as_ref(),
            params: &self.params,
            history: self.history.as_ref(),
            environs: self.environs.as_ref(),
            prefix: &self.prefix,
            dialect: self.dialect,
            tracing: self.tracing,
            screening: self.screening,
            advising: self.advising,
        })
    }
}

/// Reads exactly `length` bytes, at most `most`; takes no memory on the word of a length.
fn take(from: &mut impl Read, length: u64, most: u64) -> io::Result<Vec<u8>> {
    if length > most {
        return Err(invalid("the request is too large"));
    }
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What the child says, in this order: `Ready` or `Refused`, then `Begun` and `Judged` in turn, then `Advised` where that
/// was wanted, then `Finished`. A child asked to test its walls says `Ready`, then `Holes`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Frame {
    /// The walls stand; input will be read now.
    Ready(Walls),
    /// The walls do not stand and had to, for this reason.
    Refused(String),
    /// The checkpoint at this position is now being judged.
    Begun(usize),
    /// The answer for the checkpoint at this position.
    Judged(usize, Judged),
    /// Advice on the files. No checkpoint is begun after it.
    Advised(Vec<Advice>),
    /// What could be done that must not be possible.
    Holes(Vec<String>),
    /// Nothing follows.
    Finished,
}

impl Frame {
    /// Writes the frame whole.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = vec![0; 4];
        serde_json::to_writer(&mut bytes, self)?;
        let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        to.write_all(&bytes)?;
        to.flush()
    }
}

/// Frames out of bytes that arrive in pieces.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, none until it is there.
    pub fn next(&mut self) -> Result<Option<Frame>, String> {
        let Some(length) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_FRAME {
            return Err(format!("it sent {length} bytes at once"));
        }
        let Some(body) = self.bytes.get(4..4 + length) else { return Ok(None) };
        let frame = serde_json::from_slice(body).map_err(|error| format!("it sent something else: {error}"))?;
        self.bytes.drain(..4 + length);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let mut bytes = Vec::new();
        for frame in [Frame::Begun(3), Frame::Finished] {
            frame.write(&mut bytes).unwrap();
        }
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        for byte in bytes {
            frames.push(&[byte]);
            seen.extend(frames.next().unwrap());
        }
        assert_eq!(seen, [Frame::Begun(3), Frame::Finished]);
    }

    #[test]
    fn a_child_cannot_make_the_parent_wait_for_a_huge_frame_or_believe_nonsense() {
        for bytes in [&u32::MAX.to_le_bytes()[..], &[2, 0, 0, 0, b'{', b'}'], &[1, 0, 0, 0, 0xff]] {
            let mut frames = Frames::default();
            frames.push(bytes);
            assert!(frames.next().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_length_without_its_bytes_costs_no_memory_and_is_an_error() {
        assert!(take(&mut &b"abc"[..], MAX_FILES, MAX_FILES).is_err());
        assert!(take(&mut &b"abc"[..], MAX_FILES + 1, MAX_FILES).is_err());
        assert_eq!(take(&mut &b"abc"[..], 2, MAX_FILES).unwrap(), b"ab");
    }
}
