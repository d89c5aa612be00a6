//! Answers with ETags, kept to ask whether they changed: a 304 is free of GitHub's primary limit.
//!
//! Packed, since they are JSON that repeats itself, and bounded in bytes; what was not used for longest goes first. Every
//! hit is asked about again, so nothing here is ever out of date.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use http::header::{DATE, ETAG, LINK};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Response;

/// Packed bytes that are kept: what is read again and again of some 8,000 pull requests.
pub const MAX_BYTES: usize = 16 << 20;

/// Bytes of memory that an answer takes beside its body and its address.
const OVERHEAD: usize = 512;

/// Headers that somebody reads of an answer that is used again.
const HEADERS: [HeaderName; 4] = [ETAG, LINK, DATE, HeaderName::from_static("x-total-count")];

/// Answers by address, for one identity.
#[derive(Debug)]
pub struct Cache {
    limit: usize,
    bytes: usize,
    clock: u64,
    kept: HashMap<String, Kept>,
    /// Addresses by when they were used last.
    used: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    packed: Box<[u8]>,
    used: u64,
    size: usize,
}

impl Kept {
    fn answer(&self) -> Option<Response> {
        let mut body = Vec::new();
        ZlibDecoder::new(&*self.packed).read_to_end(&mut body).ok()?;
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers.clone();
        Some(answer)
    }
}

fn packed(body: &[u8]) -> Option<Box<[u8]>> {
    let mut packing = ZlibEncoder::new(Vec::new(), Compression::fast());
    packing.write_all(body).ok()?;
    Some(packing.finish().ok()?.into_boxed_slice())
}

impl Cache {
    /// Keeps up to so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, clock: 0, kept: HashMap::new(), used: BTreeMap::new() }
    }

    /// What was answered there last, and the tag to ask with.
    pub fn get(&mut self, address: &str) -> Option<(HeaderValue, Response)> {
        let kept = self.kept.get_mut(address)?;
        self.clock += 1;
        self.used.remove(&kept.used);
        kept.used = self.clock;
        self.used.insert(self.clock, address.to_owned());
        Some((kept.headers.get(ETAG)?.clone(), kept.answer()?))
    }

    /// Keeps an answer that has a tag.
    pub fn put(&mut self, address: &str, answer: &Response) {
        self.forget(address);
        if !answer.headers().contains_key(ETAG) {
            return;
        }
        let Some(packed) = packed(answer.body()) else { return };
        let size = packed.len() + 2 * address.len() + OVERHEAD;
        if size > self.limit / 2 {
            return;
        }
        let mut headers = HeaderMap::with_capacity(HEADERS.len());
        for name in &HEADERS {
            // A copy: what came from a socket is a slice of all that was read with it.
            if let Some(Ok(value)) = answer.headers().get(name).map(|value| HeaderValue::from_bytes(value.as_bytes())) {
                headers.insert(name, value);
            }
        }
        self.clock += 1;
        self.bytes += size;
        self.used.insert(self.clock, address.to_owned());
        let kept = Kept { status: answer.status(), headers, packed, used: self.clock, size };
        self.kept.insert(address.to_owned(), kept);
        while self.bytes > self.limit
            && let Some((_, oldest)) = self.used.first_key_value()
        {
            let oldest = oldest.clone();
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, address: &str) {
        if let Some(kept) = self.kept.remove(address) {
            self.used.remove(&kept.used);
            self.bytes -= kept.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(tag: Option<&str>, size: usize) -> Response {
        let mut response = http::Response::builder();
        if let Some(tag) = tag {
            response = response.header(ETAG, tag);
        }
        // Nothing that packing makes smaller.
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        response.body((0..size).map(|_| noise()).collect::<Vec<_>>().into()).unwrap()
    }

    #[test]
    fn an_answer_with_a_tag_is_kept_and_replaced() {
        let mut cache = Cache::new(MAX_BYTES);
        cache.put("a", &answer(None, 1));
        assert!(cache.get("a").is_none());
        cache.put("a", &answer(Some("1"), 1));
        cache.put("a", &answer(Some("2"), 2));
        let (tag, kept) = cache.get("a").unwrap();
        assert_eq!((tag.to_str().unwrap(), kept.body()), ("2", answer(Some("2"), 2).body()));
        cache.put("a", &answer(None, 1));
        assert!(cache.get("a").is_none(), "an answer without a tag takes its place");
        assert_eq!((cache.bytes, cache.used.len()), (0, 0));
    }

    #[test]
    fn json_takes_a_fraction_and_comes_back_whole_with_the_headers_that_are_read() {
        let text = r#"{"login":"ada","url":"https://api.github.com/users/ada"},"#.repeat(100);
        let asked = http::Response::builder().header(ETAG, "t").header(LINK, "<next>").header("x-other", "long");
        let mut cache = Cache::new(MAX_BYTES);
        cache.put("a", &asked.body(Bytes::from(text.clone())).unwrap());
        assert!(cache.bytes < text.len() / 4, "{} of {}", cache.bytes, text.len());
        let (_, kept) = cache.get("a").unwrap();
        assert_eq!((kept.status(), kept.body(), kept.headers().len()), (StatusCode::OK, &Bytes::from(text), 2));
    }

    #[test]
    fn memory_is_bounded_and_the_longest_unused_goes_first() {
        let mut cache = Cache::new(100_000);
        for address in 0..200 {
            cache.put(&address.to_string(), &answer(Some("t"), 9_000));
            cache.get("0");
            assert!(cache.bytes <= 100_000);
        }
        assert!(cache.get("0").is_some() && cache.get("199").is_some());
        assert!(cache.get("100").is_none());
        assert_eq!(cache.kept.len(), cache.used.len());
        cache.put("huge", &answer(Some("t"), 60_000));
        assert!(cache.get("huge").is_none(), "one answer does not push out all others");
    }
}
