//! What goes wrong, and when.

use std::sync::Arc;

use super::clock::Millis;
use super::http::limits::Secondary;
use super::state::hooks::Delivery;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// No answer, nothing happened.
    TimeoutBefore,
    /// No answer, but it happened.
    TimeoutAfter,
    /// No answer; it happens when the clock is that much further.
    TimeoutThenEffect(Millis),
    /// This 5xx, nothing happened.
    ErrorBefore(u16),
    /// This 5xx, but it happened.
    ErrorAfter(u16),
    /// The secondary limit, nothing happened.
    Secondary(Secondary),
    /// 422, nothing happened.
    Unprocessable,
    /// The connection breaks before an answer, nothing happened.
    ResetBefore,
    /// The connection breaks before an answer, but it happened.
    ResetAfter,
    /// Headers and half the body come at once, the rest after so many milliseconds of tokio's clock.
    SlowBody(u64),
    /// The connection breaks in the middle of the body; it happened.
    CutBody,
    /// The whole answer comes after so many milliseconds of tokio's clock; it happened at once.
    Slow(u64),
    /// The request arrives twice; the second answer is seen.
    Twice,
    /// A read that serves what was true that long ago.
    Stale(Millis),
}

/// A request, as a schedule sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Counts from 1.
    pub number: u64,
    /// As in `POST`.
    pub method: String,
    /// As in `/repos/acme/cnpe/pulls/1/reviews`.
    pub path: String,
    /// As in `pulls/create-review`; `graphql`; empty when there is none.
    pub operation: String,
    /// GitHub's time.
    pub at: Millis,
}

impl Asked {
    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        self.method == "GET"
    }
}

/// Decides for each request what goes wrong.
pub type Schedule = Box<dyn FnMut(&Asked) -> Option<Fault> + Send>;

/// A small generator of numbers that are the same for a seed everywhere (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Every fault that this file knows, with usual figures.
pub fn all() -> Vec<Fault> {
    let secondary = |status, retry_after| Fault::Secondary(Secondary { status, retry_after });
    vec![
        Fault::TimeoutBefore,
        Fault::TimeoutAfter,
        Fault::TimeoutThenEffect(45_000),
        Fault::ErrorBefore(502),
        Fault::ErrorAfter(502),
        Fault::ErrorBefore(503),
        secondary(403, Some(60)),
        secondary(403, None),
        secondary(429, Some(30)),
        Fault::Unprocessable,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::SlowBody(3_000),
        Fault::CutBody,
        Fault::Slow(2_000),
        Fault::Twice,
        Fault::Stale(5_000),
    ]
}

/// One of these faults in so many of a hundred requests, by seed; none after `quiet` requests, so that every scenario ends.
pub fn seeded(seed: u64, chance: u64, faults: Vec<Fault>, quiet: u64) -> Schedule {
    let mut dice = Dice::new(seed);
    Box::new(move |asked| {
        let (hit, which) = (dice.percent(chance), dice.below(faults.len() as u64));
        let fault = faults[which as usize].clone();
        let fits = match fault {
            Fault::Stale(_) => asked.reads(),
            Fault::Unprocessable => !asked.reads() && asked.operation != "git/upload-pack",
            _ => true,
        };
        (hit && fits && asked.number <= quiet).then_some(fault)
    })
}

/// Deliveries on a bad road: each is lost or comes twice in so many of a hundred cases, and all are shuffled.
pub fn bad_road(deliveries: Vec<Arc<Delivery>>, seed: u64, lost: u64, twice: u64) -> Vec<Arc<Delivery>> {
    let mut dice = Dice::new(seed);
    let mut arriving = Vec::new();
    for delivery in deliveries {
        if dice.percent(lost) {
            continue;
        }
        if dice.percent(twice) {
            arriving.push(Arc::clone(&delivery));
        }
        arriving.push(delivery);
    }
    for last in (1..arriving.len()).rev() {
        arriving.swap(last, dice.below(last as u64 + 1) as usize);
    }
    arriving
}
