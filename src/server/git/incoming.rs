//! What a client of git sends: unpacked when it is gzip, within limits of size and silence.

use std::io::{Error, ErrorKind, Result, Write};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use flate2::write::MultiGzDecoder;
use tokio_stream::StreamExt;

use crate::forge::local::git::MAX_PACK;

/// Largest request after unpacking: a pack and what goes with it.
pub const MAX_REQUEST: u64 = MAX_PACK + (1 << 20);

/// Most that is read of a request which is too large, so that its client hears why: it reads no answer while it sends.
const MAX_DRAINED: u64 = 1 << 30;

/// Longest silence of a client that is sending.
pub const IDLE: Duration = Duration::from_secs(60);

/// Compressed bytes that are unpacked at once: a bomb is noticed before it fills the memory.
const BITE: usize = 4 << 10;

/// How the client packs what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Plain,
    /// As git does with long requests.
    Gzip,
}

/// The body of a request.
pub struct Incoming {
    stream: BodyDataStream,
    decoder: Option<Box<MultiGzDecoder<Vec<u8>>>>,
    /// Compressed bytes that are not unpacked yet.
    packed: Bytes,
    left: u64,
}

impl Incoming {
    /// Reads nothing yet.
    pub fn new(body: Body, encoding: Encoding) -> Self {
        let decoder = (encoding == Encoding::Gzip).then(|| Box::new(MultiGzDecoder::new(Vec::new())));
        Self { stream: body.into_data_stream(), decoder, packed: Bytes::new(), left: MAX_REQUEST }
    }

    /// The next bytes, never none of them; `None` at the end.
    ///
    /// # Errors
    /// The client fell silent or went away, or what it sent is not gzip. [`ErrorKind::FileTooLarge`] when it sent too much.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let bytes = match self.unpack_bite()? {
                Some(bytes) => bytes,
                None => match self.receive().await? {
                    Some(chunk) if self.decoder.is_some() => {
                        self.packed = chunk;
                        continue;
                    }
                    Some(chunk) => chunk,
                    None => match self.decoder.take() {
                        Some(decoder) => decoder.finish()?.into(),
                        None => return Ok(None),
                    },
                },
            };
            let length = bytes.len() as u64;
            self.left = self.left.checked_sub(length).ok_or_else(too_large)?;
            if length > 0 {
                return Ok(Some(bytes));
            }
        }
    }

    /// Reads on to the end: a client that is answered while it still sends takes the connection for broken.
    pub async fn drain(&mut self) -> Result<()> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Reads on to the end of a request that is too large, without looking at it.
    ///
    /// # Errors
    /// As [`Incoming::next`].
    pub async fn discard(&mut self) -> Result<()> {
        let mut left = MAX_DRAINED;
        while let Some(chunk) = self.receive().await? {
            left = left.checked_sub(chunk.len() as u64).ok_or_else(too_large)?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<Option<Bytes>> {
        let next = tokio::time::timeout(IDLE, self.stream.next()).await;
        next.map_err(|_| Error::other("the client fell silent"))?.transpose().map_err(Error::other)
    }

    fn unpack_bite(&mut self) -> Result<Option<Bytes>> {
        let Some(decoder) = self.decoder.as_mut().filter(|_| !self.packed.is_empty()) else { return Ok(None) };
        let bite = self.packed.split_to(self.packed.len().min(BITE));
        decoder.write_all(&bite)?;
        Ok(Some(std::mem::take(decoder.get_mut()).into()))
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::FileTooLarge, "the request is too large")
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn in_pieces(bytes: &[u8], length: usize) -> Body {
        let pieces: Vec<_> = bytes.chunks(length).map(|piece| Ok::<_, Error>(Bytes::copy_from_slice(piece))).collect();
        Body::from_stream(tokio_stream::iter(pieces))
    }

    async fn all(mut incoming: Incoming) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(bytes) = incoming.next().await? {
            assert!(!bytes.is_empty());
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn bytes_arrive_however_they_are_cut_and_packed() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for length in [7, 4096, 100_000] {
            let plain = Incoming::new(in_pieces(&text, length), Encoding::Plain);
            assert!(all(plain).await.unwrap() == text);
            let packed = Incoming::new(in_pieces(&gzip(&text), length), Encoding::Gzip);
            assert!(all(packed).await.unwrap() == text);
        }
        assert!(all(Incoming::new(Body::empty(), Encoding::Plain)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_bomb_and_half_a_gzip_are_errors() {
        let bomb = gzip(&vec![0; MAX_REQUEST as usize + 1]);
        assert!(bomb.len() < 1 << 20);
        let error = all(Incoming::new(Body::from(bomb), Encoding::Gzip)).await.unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
        let whole = gzip(b"hello");
        let half = Body::from(whole[..whole.len() - 4].to_vec());
        assert!(all(Incoming::new(half, Encoding::Gzip)).await.is_err());
        assert!(all(Incoming::new(Body::from("not gzip"), Encoding::Gzip)).await.is_err());
    }
}
