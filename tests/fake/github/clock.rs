//! The clock that the fake reads: never the system's unless a test passes that.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds since the epoch, UTC.
pub type Millis = i64;

/// One second.
pub const SECOND: Millis = 1_000;
/// One minute.
pub const MINUTE: Millis = 60 * SECOND;
/// One hour.
pub const HOUR: Millis = 60 * MINUTE;

/// Where the fake learns what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// A clock that asks this function.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands still until a test moves it, beginning 2026-11-24T08:00:00Z.
    pub fn manual() -> (Self, Hands) {
        let hands = Hands(Arc::new(AtomicI64::new(1_795_507_200_000)));
        let read = hands.clone();
        (Self::new(move || read.now()), hands)
    }

    /// What time it is.
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

/// Moves a manual clock.
#[derive(Clone)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    /// What time it is.
    pub fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }

    /// That much later.
    pub fn advance(&self, millis: Millis) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

fn moment(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).expect("a test's clock stays within the years that chrono knows")
}

/// As GitHub writes it: `2026-11-24T08:15:30Z`, to the second.
pub fn rfc3339(at: Millis) -> String {
    moment(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// As the `Date` header has it: `Tue, 24 Nov 2026 08:15:30 GMT`.
pub fn http_date(at: Millis) -> String {
    moment(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads what [`rfc3339`] and clients write.
pub fn parse(text: &str) -> Option<Millis> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
}
