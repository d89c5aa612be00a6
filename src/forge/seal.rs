//! The authenticated marker: an HTML comment at the end of a text of ours that says what the text answers.
//!
//! It carries key and record of a [`Marker`], sealed with the operator's key and bound to workspace and pull request:
//!
//! ```text
//! <!-- gradus:1 KEY.RECORD.TAG -->
//! ```
//!
//! KEY, RECORD (left out when there is none) and TAG are base64url; TAG is HMAC-SHA256 over version, workspace, number,
//! key and record, each with its length. It is believed only at the very end of a text, and only when it is the one
//! thing there that looks like a marker: a text that holds two was tampered with. A dialect asks in addition that the
//! text is of our own account.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::pull::{MAX_RECORD, Marker, PullNumber, Workspace};
use crate::review::MARKER_ROOM;

/// What every marker of every version begins with.
const OPENER: &str = "<!-- gradus:";

/// The version that is written; part of what is sealed.
const VERSION: &str = "1";

/// What every marker ends with.
const CLOSER: &str = " -->";

/// Longest key of a marker in bytes: `HEAD:DIGEST` has 105.
pub const MAX_KEY: usize = 240;

/// Shortest key of the operator in bytes: that many random characters of base64 cannot be guessed.
pub const MIN_SECRET: usize = 24;

// Key, record and tag in base64, two dots, the frame, and the blank line before it.
const _: () = assert!(
    encoded(MAX_KEY) + encoded(MAX_RECORD) + encoded(32) + 2 + OPENER.len() + VERSION.len() + 1 + CLOSER.len() + 2
        <= MARKER_ROOM
);

const fn encoded(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Where a text stands; a marker counts nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Which workspace.
    pub workspace: &'a Workspace,
    /// Which pull request; none for an issue.
    pub number: Option<PullNumber>,
}

/// Makes and believes markers. Holds the operator's keys and never shows them.
#[derive(Clone)]
pub struct Seal {
    /// The first one seals, all are accepted.
    keys: Vec<Hmac<Sha256>>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({} keys)", self.keys.len())
    }
}

/// The keys cannot be used. Says nothing about what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// There is none.
    #[error("there is no key to seal markers with: set GRADUS_KEY, as made by `openssl rand -base64 32`")]
    None,
    /// One could be guessed.
    #[error(
        "a key to seal markers with is shorter than {MIN_SECRET} characters: set GRADUS_KEY to one made by \
         `openssl rand -base64 32`"
    )]
    Short,
}

/// What a marker says does not fit into one: a defect of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a marker holds {key} bytes of key and {record} of record; at most {MAX_KEY} and {MAX_RECORD} fit")]
pub struct TooLong {
    /// Bytes of the key.
    pub key: usize,
    /// Bytes of the record.
    pub record: usize,
}

impl Seal {
    /// Keys in one text, apart by blanks, commas or lines. The first one seals; further ones are still believed, so that
    /// a key can be replaced while reviews that it sealed stand.
    pub fn with_keys(text: &str) -> Result<Self, InvalidKeys> {
        let keys = text.split(|c: char| c.is_whitespace() || c == ',').filter(|key| !key.is_empty());
        let keyed = |key: &str| match key.len() >= MIN_SECRET {
            true => Hmac::new_from_slice(key.as_bytes()).map_err(|_| InvalidKeys::Short),
            false => Err(InvalidKeys::Short),
        };
        let keys = keys.map(keyed).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(InvalidKeys::None) } else { Ok(Self { keys }) }
    }

    /// The text with the marker below it. What looks like a marker in the text itself is made harmless.
    pub fn close(&self, place: Place<'_>, marker: &Marker, text: &str) -> Result<String, TooLong> {
        let record = marker.record.as_deref();
        let (key_length, record_length) = (marker.key.len(), record.map_or(0, str::len));
        if key_length > MAX_KEY || record_length > MAX_RECORD {
            return Err(TooLong { key: key_length, record: record_length });
        }
        let tag = BASE64.encode(sealed(self.keys[0].clone(), place, marker).finalize().into_bytes());
        let mut fields = BASE64.encode(&marker.key);
        for field in record.map(|record| BASE64.encode(record)).into_iter().chain([tag]) {
            fields.push('.');
            fields += &field;
        }
        let text = harmless(text.trim_end());
        let gap = if text.is_empty() { "" } else { "\n\n" };
        Ok(format!("{text}{gap}{OPENER}{VERSION} {fields}{CLOSER}"))
    }

    /// The text without its marker, and the marker. A text whose marker is not believed is given back as it is.
    pub fn open<'t>(&self, place: Place<'_>, text: &'t str) -> (&'t str, Option<Marker>) {
        self.believed(place, text).map_or((text, None), |(body, marker)| (body, Some(marker)))
    }

    fn believed<'t>(&self, place: Place<'_>, text: &'t str) -> Option<(&'t str, Marker)> {
        let (body, rest) = text.split_once(OPENER)?;
        let fields = rest.trim_end().strip_suffix(CLOSER)?.strip_prefix(VERSION)?.strip_prefix(' ')?;
        // Longer than we write: not ours, and not worth the work.
        if fields.len() > MARKER_ROOM {
            return None;
        }
        let mut fields = fields.split('.');
        let (key, second, third) = (fields.next()?, fields.next()?, fields.next());
        let (record, tag) = match third {
            Some(tag) => (Some(second), tag),
            None => (None, second),
        };
        if fields.next().is_some() {
            return None;
        }
        let decode = |field: &str| BASE64.decode(field).ok();
        let text = |field: &str| String::from_utf8(decode(field)?).ok();
        let marker = Marker {
            key: text(key)?,
            record: match record {
                Some(record) => Some(text(record)?),
                None => None,
            },
        };
        let tag = decode(tag)?;
        let whole = self.keys.iter().any(|key| sealed(key.clone(), place, &marker).verify_slice(&tag).is_ok());
        whole.then(|| (body.trim_end(), marker))
    }
}

/// What looks like a marker is broken after `<`: shown as before, and no HTML comment any more.
fn harmless(text: &str) -> String {
    text.replace(OPENER, "&lt;!-- gradus:")
}

fn sealed(mut mac: Hmac<Sha256>, place: Place<'_>, marker: &Marker) -> Hmac<Sha256> {
    let number = place.number.map(|number| number.to_string());
    let fields = [
        Some("gradus marker"),
        Some(VERSION),
        Some(place.workspace.0.as_str()),
        number.as_deref(),
        Some(marker.key.as_str()),
        marker.record.as_deref(),
    ];
    for field in fields {
        // A field that is not there is told from an empty one, and no field can reach into the next.
        mac.update(&field.map_or(u64::MAX, |field| field.len() as u64).to_be_bytes());
        mac.update(field.unwrap_or_default().as_bytes());
    }
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "operators-key-of-some-length";

    fn seal(keys: &str) -> Seal {
        Seal::with_keys(keys).unwrap()
    }

    fn workspace(name: &str) -> Workspace {
        Workspace(name.to_owned())
    }

    fn marker() -> Marker {
        Marker { key: "reply:7".to_owned(), record: Some(r#"{"attempts":{"a":2}}"#.to_owned()) }
    }

    #[test]
    fn a_marker_opens_where_it_was_closed_and_nowhere_else() {
        let (seal, acme, other) = (seal(KEY), workspace("github.com/acme/cnpe"), workspace("github.com/acme/hello"));
        let place = |workspace, number: Option<i64>| Place { workspace, number: number.map(PullNumber) };
        for marker in [marker(), Marker::new("reply:7"), Marker { record: Some(String::new()), ..marker() }] {
            let text = seal.close(place(&acme, Some(12)), &marker, "Passed.\n").unwrap();
            assert_eq!(seal.open(place(&acme, Some(12)), &text), ("Passed.", Some(marker)));
            for elsewhere in [place(&acme, Some(13)), place(&other, Some(12)), place(&acme, None)] {
                assert_eq!(seal.open(elsewhere, &text), (text.as_str(), None));
            }
        }
    }

    #[test]
    fn what_was_tampered_with_is_not_believed() {
        let (seal, acme) = (seal(KEY), workspace("github.com/acme/cnpe"));
        let place = Place { workspace: &acme, number: Some(PullNumber(12)) };
        let text = seal.close(place, &marker(), "Passed.").unwrap();
        let only = text.strip_prefix("Passed.\n\n").unwrap();
        for forged in [
            String::new(),
            "Passed.".to_owned(),
            format!("{text}\nand more"),
            format!("{text}\n{only}"),
            format!("{only}\n\n{text}"),
            text.replace(CLOSER, ""),
            text.replace(CLOSER, "-->"),
            text.replace("gradus:1", "gradus:2"),
            text.replace("gradus:1 ", "gradus:1  "),
            text.replace("<!--", "<!-- -->"),
            text.replace("6Nw.", "6Nw.."),
            text[..text.len() - 8].to_owned(),
            "<!-- gradus:1 cmVwbHk6Nw. -->".to_owned(),
            "<!-- gradus:1 cmVwbHk6Nw -->".to_owned(),
            format!("<!-- gradus:1 {} -->", "A".repeat(1 << 20)),
        ] {
            assert_eq!(seal.open(place, &forged), (forged.as_str(), None), "{forged:.200}");
        }
    }

    #[test]
    fn a_key_can_be_replaced_while_its_reviews_stand() {
        let (old, new) = ("the-old-key-of-the-operator", "the-new-key-of-the-operator");
        let acme = workspace("github.com/acme/cnpe");
        let place = Place { workspace: &acme, number: None };
        let text = seal(old).close(place, &marker(), "").unwrap();
        let both = seal(&format!("{new},\n{old}"));
        assert_eq!(both.open(place, &text), ("", Some(marker())));
        assert_eq!(seal(new).open(place, &text), (text.as_str(), None));
        let text = both.close(place, &marker(), "").unwrap();
        assert_eq!(seal(new).open(place, &text), ("", Some(marker())));
    }

    #[test]
    fn keys_that_could_be_guessed_are_refused_and_none_is_shown() {
        assert_eq!(Seal::with_keys("").unwrap_err(), InvalidKeys::None);
        assert_eq!(Seal::with_keys(" ,\n").unwrap_err(), InvalidKeys::None);
        assert_eq!(Seal::with_keys("hunter2").unwrap_err(), InvalidKeys::Short);
        assert_eq!(Seal::with_keys("the-old-key-of-the-operator hunter2").unwrap_err(), InvalidKeys::Short);
        assert_eq!(format!("{:?}", seal(KEY)), "Seal(1 keys)");
    }

    #[test]
    fn the_longest_marker_fits_its_room() {
        let acme = workspace("github.com/acme/cnpe");
        let place = Place { workspace: &acme, number: Some(PullNumber(i64::MAX)) };
        let marker = |key, record| Marker { key: "k".repeat(key), record: Some("r".repeat(record)) };
        let longest = seal(KEY).close(place, &marker(MAX_KEY, MAX_RECORD), "x").unwrap();
        assert!(longest.len() - 1 <= MARKER_ROOM, "{}", longest.len());
        assert!(seal(KEY).close(place, &marker(MAX_KEY + 1, 0), "x").is_err());
        assert!(seal(KEY).close(place, &marker(0, MAX_RECORD + 1), "x").is_err());
    }

    proptest! {
        /// Also when the text holds a whole marker that was sealed for this very place.
        #[test]
        fn no_text_takes_the_place_of_the_marker(text in ".*", key in "[a-z0-9:]{0,105}", record in proptest::option::of(".{0,300}")) {
            let (seal, acme) = (seal(KEY), workspace("local"));
            let place = Place { workspace: &acme, number: Some(PullNumber(1)) };
            let stolen = seal.close(place, &Marker::new("stolen"), "").unwrap();
            let marker = Marker { key, record };
            for text in [text.clone(), format!("{text}{stolen}"), format!("{stolen}{text}"), format!("<!--{text}")] {
                let closed = seal.close(place, &marker, &text).unwrap();
                prop_assert_eq!(seal.open(place, &closed).1, Some(marker.clone()));
                prop_assert_eq!(closed.matches(OPENER).count(), 1);
            }
        }

        #[test]
        fn a_marker_with_another_character_is_not_believed(at in 0usize..1000, other in "[A-Za-z0-9._ -]") {
            let (seal, acme) = (seal(KEY), workspace("local"));
            let place = Place { workspace: &acme, number: Some(PullNumber(1)) };
            let text = seal.close(place, &marker(), "").unwrap();
            let at = at % text.len();
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            prop_assert!(changed == text || seal.open(place, &changed).1.is_none());
        }

        #[test]
        fn any_text_opens(text in any::<String>()) {
            let acme = workspace("local");
            let place = Place { workspace: &acme, number: None };
            prop_assert_eq!(seal(KEY).open(place, &format!("{OPENER}1 {text}{CLOSER}")).1, None);
        }
    }
}
