//! Answers with ETags, kept to ask whether they changed: a 304 is free of GitHub's primary limit.
//!
//! Bounded in bytes; what was not used for longest goes first. Every hit is asked about again, so nothing here is ever
//! out of date.

use std::collections::{BTreeMap, HashMap};

use http::HeaderValue;
use http::header::ETAG;

use super::Response;

/// Bytes of answers that are kept: a thousand pages of reviews, or 50 of pull requests.
pub const MAX_BYTES: usize = 32 << 20;

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
    answer: Response,
    used: u64,
    size: usize,
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
        let tag = kept.answer.headers().get(ETAG)?.clone();
        Some((tag, kept.answer.clone()))
    }

    /// Keeps an answer that has a tag.
    pub fn put(&mut self, address: &str, answer: &Response) {
        self.forget(address);
        // What the map, the headers and the answer itself take, roughly.
        let size = answer.body().len() + 2 * address.len() + 1_024;
        if !answer.headers().contains_key(ETAG) || size > self.limit / 2 {
            return;
        }
        self.clock += 1;
        self.bytes += size;
        self.used.insert(self.clock, address.to_owned());
        self.kept.insert(address.to_owned(), Kept { answer: answer.clone(), used: self.clock, size });
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
    use bytes::Bytes;

    use super::*;

    fn answer(tag: Option<&str>, size: usize) -> Response {
        let mut response = http::Response::builder();
        if let Some(tag) = tag {
            response = response.header(ETAG, tag);
        }
        response.body(Bytes::from(vec![b'x'; size])).unwrap()
    }

    #[test]
    fn an_answer_with_a_tag_is_kept_and_replaced() {
        let mut cache = Cache::new(MAX_BYTES);
        cache.put("a", &answer(None, 1));
        assert!(cache.get("a").is_none());
        cache.put("a", &answer(Some("1"), 1));
        cache.put("a", &answer(Some("2"), 2));
        let (tag, kept) = cache.get("a").unwrap();
        assert_eq!((tag.to_str().unwrap(), kept.body().len()), ("2", 2));
        cache.put("a", &answer(None, 1));
        assert!(cache.get("a").is_none(), "an answer without a tag takes its place");
        assert_eq!((cache.bytes, cache.used.len()), (0, 0));
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
