//! Time words of live checkpoints: when what was seen decides, and how.
//!
//! A kind judges one sample. These words make one verdict of all of them, or say that another look is needed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Judgement;
use super::matching::clip;
use super::outcome::Outcome;
use crate::config::span::Span;

/// How long a live checkpoint without any time words waits for what it expects: controllers act after a sync.
pub const EVENTUALLY: Duration = Duration::from_secs(15);

/// Longest wait of a checkpoint, all words together.
pub const MOST: Duration = Duration::from_secs(300);

/// The time words of a checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// It holds at some time within this.
    pub eventually: Option<Eventually>,
    /// It holds from the start, or from when it first did, without a break for so long.
    pub consistently: Option<Consistently>,
    /// It holds at some time for so long without a break.
    pub stable_for: Option<Span>,
}

/// It has to hold at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Eventually {
    /// At this time after the commit was applied at the latest.
    pub within: Span,
}

/// It has to hold without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consistently {
    /// For so long.
    #[serde(rename = "for")]
    pub span: Span,
}

/// What a kind made of one sample.
#[derive(Debug, Clone)]
pub struct Look {
    /// From when to when it was seen, since the first look.
    pub seen: (Duration, Duration),
    /// By that sample alone.
    pub judgement: Judgement,
    /// The object, in words, that told that waiting is in vain (`failFast`).
    pub hopeless: Option<String>,
}

impl Timing {
    /// Whether there are any words.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Problems of the words, as (field, message with the remedy).
    pub fn lint(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.consistently.is_some() && self.stable_for.is_some() {
            let message = "`consistently` and `stableFor` say two things about breaks: keep one of them";
            problems.push(("/stableFor", message.to_owned()));
        }
        if self.horizon() > MOST {
            let field = if self.eventually.is_some() { "/eventually/within" } else { "" };
            problems.push((field, format!("a learner waits no longer than {}: ask for less", Span(MOST))));
        }
        problems
    }

    /// For how long one has to look at most.
    pub fn horizon(&self) -> Duration {
        self.within() + self.lasting()
    }

    /// Until when it may begin to hold.
    fn within(&self) -> Duration {
        match (self.eventually, self.consistently) {
            (Some(eventually), _) => eventually.within.0,
            // It holds from the start.
            (None, Some(_)) => Duration::ZERO,
            (None, None) => EVENTUALLY,
        }
    }

    fn lasting(&self) -> Duration {
        self.consistently.map(|word| word.span.0).or(self.stable_for.map(|span| span.0)).unwrap_or_default()
    }

    /// The verdict; none while another look is needed, which there is none of once it is `over`.
    pub fn verdict(&self, looks: Vec<Look>, over: bool) -> Option<Judgement> {
        let (within, lasting) = (self.within(), self.lasting());
        let end = looks.last().map(|look| look.seen.1).unwrap_or_default();
        let mut run: Option<Duration> = None;
        for (index, look) in looks.iter().enumerate() {
            match look.judgement.outcome {
                Outcome::Pass if run.is_some() || look.seen.0 <= within => {
                    let since = *run.get_or_insert(look.seen.0);
                    // Seen up to the next look: in between it may have been anything, and nobody can tell.
                    if look.seen.1.saturating_sub(since) >= lasting {
                        return Some(look.judgement.clone());
                    }
                }
                // No answer is no break.
                Outcome::Inconclusive => {}
                Outcome::Error | Outcome::NotRun => return Some(look.judgement.clone()),
                Outcome::Fail if look.hopeless.is_some() => return Some(in_vain(look)),
                _ if run.is_some() && self.consistently.is_some() => return Some(broken(&looks[index], run)),
                _ => run = None,
            }
        }
        if run.is_none() && (over || end >= within) {
            return Some(closest(looks, end));
        }
        over.then(|| Judgement::inconclusive("there was no time to see whether it lasts"))
    }
}

/// It does not hold, and is not going to.
fn in_vain(look: &Look) -> Judgement {
    let what = look.hopeless.as_deref().map(clip).unwrap_or_default();
    said(look.judgement.clone(), &format!("nobody waited any longer: as {what} is, waiting is in vain"))
}

/// It held, and then did not.
fn broken(look: &Look, since: Option<Duration>) -> Judgement {
    let lasted = look.seen.0.saturating_sub(since.unwrap_or_default());
    said(look.judgement.clone(), &format!("it held for {} and then no more", shown(lasted)))
}

/// It never held: what came nearest, the newest of such.
fn closest(looks: Vec<Look>, end: Duration) -> Judgement {
    let failed = || looks.iter().filter(|look| look.judgement.outcome == Outcome::Fail);
    let Some(nearest) = failed().rev().min_by_key(|look| look.judgement.evidence.len()) else {
        let last = looks.last().map(|look| look.judgement.clone());
        return last.unwrap_or_else(|| Judgement::inconclusive("the environment was not looked at"));
    };
    let same = failed().all(|look| look.judgement.evidence == nearest.judgement.evidence);
    match (end.is_zero(), same) {
        (true, _) => nearest.judgement.clone(),
        (false, true) => said(nearest.judgement.clone(), &format!("so for {}", shown(end))),
        (false, false) => said(nearest.judgement.clone(), &format!("the nearest it came within {}", shown(end))),
    }
}

fn said(mut judgement: Judgement, words: &str) -> Judgement {
    if let Some(first) = judgement.evidence.first_mut() {
        first.message += &format!(" ({words})");
    }
    judgement
}

fn shown(span: Duration) -> String {
    format!("{} s", span.as_secs_f32().round())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::evidence::Evidence;

    fn timing(eventually: u64, consistently: u64, stable: u64) -> Timing {
        let some = |seconds: u64| (seconds > 0).then_some(Span::seconds(seconds));
        Timing {
            eventually: some(eventually).map(|within| Eventually { within }),
            consistently: some(consistently).map(|span| Consistently { span }),
            stable_for: some(stable),
        }
    }

    fn fail(differences: usize) -> Judgement {
        Judgement::fail(vec![Evidence { message: format!("{differences} wrong"), ..Evidence::default() }; differences])
    }

    /// Looks of these seconds: `+` right, `?` no answer, a number of differences; in vain with `!` behind.
    fn looks(all: &[(u64, u64, &str)]) -> Vec<Look> {
        let judged = |word: &str| match word {
            "+" => Judgement::pass(),
            "?" => Judgement::inconclusive("no answer"),
            number => fail(number.parse().unwrap()),
        };
        let span = |from, to| (Duration::from_secs(from), Duration::from_secs(to));
        let look = |(from, to, word): &(u64, u64, &str)| Look {
            seen: span(*from, *to),
            judgement: judged(word.trim_end_matches('!')),
            hopeless: word.ends_with('!').then(|| "Deployment web".to_owned()),
        };
        all.iter().map(look).collect()
    }

    fn verdict(timing: &Timing, all: &[(u64, u64, &str)], over: bool) -> Option<(Outcome, String)> {
        let judged = timing.verdict(looks(all), over)?;
        Some((judged.outcome, judged.evidence.first().map(|first| first.message.clone()).unwrap_or_default()))
    }

    fn pass() -> Option<(Outcome, String)> {
        Some((Outcome::Pass, String::new()))
    }

    fn failed(words: &str) -> Option<(Outcome, String)> {
        Some((Outcome::Fail, words.to_owned()))
    }

    #[test]
    fn eventually_takes_the_first_that_holds_and_the_nearest_when_none_does() {
        let ten = timing(10, 0, 0);
        assert_eq!(verdict(&ten, &[(0, 3, "2")], false), None);
        assert_eq!(verdict(&ten, &[(0, 3, "2"), (4, 4, "+")], false), pass());
        assert_eq!(
            verdict(&ten, &[(0, 3, "2"), (4, 5, "1"), (6, 10, "3")], false),
            failed("1 wrong (the nearest it came within 10 s)")
        );
        assert_eq!(verdict(&ten, &[(0, 10, "2")], false), failed("2 wrong (so for 10 s)"));
        assert_eq!(verdict(&ten, &[(0, 0, "2")], true), failed("2 wrong"), "nobody looks again");
        assert_eq!(verdict(&ten, &[(0, 9, "2"), (12, 12, "+")], false).unwrap().0, Outcome::Fail, "too late");
        let unasked = Timing::default();
        assert_eq!(verdict(&unasked, &[(0, 14, "1")], false), None);
        assert_eq!(verdict(&unasked, &[(0, 15, "1")], false).unwrap().0, Outcome::Fail);
    }

    #[test]
    fn no_answer_is_neither_a_failure_nor_a_break() {
        let ten = timing(10, 0, 0);
        assert_eq!(verdict(&ten, &[(0, 4, "?")], false), None);
        assert_eq!(verdict(&ten, &[(0, 10, "?")], false).unwrap().0, Outcome::Inconclusive);
        assert_eq!(verdict(&ten, &[], true).unwrap().0, Outcome::Inconclusive);
        assert_eq!(verdict(&timing(0, 5, 0), &[(0, 2, "+"), (3, 3, "?"), (4, 5, "+")], false), pass());
    }

    #[test]
    fn consistently_counts_from_the_first_look_and_ends_with_the_first_break() {
        let five = timing(0, 5, 0);
        assert_eq!(verdict(&five, &[(0, 4, "+")], false), None);
        assert_eq!(verdict(&five, &[(0, 5, "+")], false), pass());
        assert_eq!(verdict(&five, &[(0, 0, "1")], false), failed("1 wrong"));
        assert_eq!(
            verdict(&five, &[(0, 2, "+"), (3, 3, "1")], false),
            failed("1 wrong (it held for 3 s and then no more)")
        );
        assert_eq!(verdict(&five, &[(0, 4, "+")], true).unwrap().0, Outcome::Inconclusive);
        let both = timing(10, 5, 0);
        assert_eq!(verdict(&both, &[(0, 8, "1"), (9, 14, "+")], false), pass(), "from when it held");
        assert_eq!(verdict(&both, &[(0, 1, "+"), (2, 2, "1"), (3, 9, "+")], false).unwrap().0, Outcome::Fail);
    }

    #[test]
    fn stable_begins_anew_after_a_break() {
        let stable = timing(10, 0, 5);
        assert_eq!(verdict(&stable, &[(0, 3, "+"), (4, 4, "1"), (5, 9, "+")], false), None);
        assert_eq!(verdict(&stable, &[(0, 3, "+"), (4, 4, "1"), (5, 10, "+")], false), pass());
        assert_eq!(verdict(&stable, &[(0, 9, "+"), (10, 11, "1")], false), pass(), "it did");
        assert_eq!(verdict(&stable, &[(0, 3, "1"), (9, 11, "+"), (12, 12, "1")], false).unwrap().0, Outcome::Fail);
    }

    #[test]
    fn what_is_in_vain_is_decided_at_once_and_only_a_failure_is() {
        let end = "nobody waited any longer: as Deployment web is, waiting is in vain";
        let decided = failed(&format!("2 wrong ({end})"));
        for words in [timing(10, 0, 0), timing(10, 5, 0), timing(10, 0, 5), Timing::default()] {
            assert_eq!(verdict(&words, &[(0, 1, "1"), (2, 2, "2!")], false), decided, "{words:?}");
            assert_eq!(verdict(&words, &[(0, 1, "1"), (2, 2, "?!")], false), None, "no answer: {words:?}");
        }
        assert_eq!(verdict(&timing(10, 0, 0), &[(0, 1, "+!")], false), pass());
        assert_eq!(verdict(&timing(10, 0, 5), &[(0, 1, "+!")], false), None, "it holds, and may last");
        assert_eq!(verdict(&timing(10, 0, 0), &[(0, 1, "+"), (2, 2, "1!")], false), pass(), "it did before");
    }

    #[test]
    fn words_that_contradict_or_take_too_long_are_named() {
        assert_eq!(timing(10, 5, 0).lint(), []);
        assert_eq!(timing(10, 5, 5).lint()[0].0, "/stableFor");
        assert_eq!(timing(300, 0, 1).lint()[0].0, "/eventually/within");
        assert_eq!(timing(10, 0, 5).horizon(), Duration::from_secs(15));
    }
}
