//! The outcome digest: two gradings with the same digest tell the learner the same, so only one of them is posted
//! (design §1, promise 2).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::report::{CheckpointResult, Report};
use crate::checkpoint::outcome::{Blame, Outcome};

/// SHA-256 over what of some reports matters to a learner, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutcomeDigest(String);

impl OutcomeDigest {
    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of the same outcome of a draft, which does not count.
    pub fn of_practice(&self) -> Self {
        Self(hex::encode(Sha256::digest(format!("practice {}", self.0))))
    }
}

/// The text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not 64 hexadecimal digits", .0.escape_debug())]
pub struct InvalidDigest(String);

impl std::str::FromStr for OutcomeDigest {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let whole = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if whole { Ok(Self(text.to_owned())) } else { Err(InvalidDigest(text.to_owned())) }
    }
}

impl fmt::Display for OutcomeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is hashed. The field names and their order are the canonical form: changing them posts every review again.
#[derive(Serialize)]
struct Digested<'a> {
    id: &'a str,
    outcome: Outcome,
    score: u32,
    points: u32,
    blame: Option<Blame>,
    locations: BTreeSet<Location<'a>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Location<'a> {
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
}

impl<'a> From<&'a CheckpointResult> for Digested<'a> {
    fn from(result: &'a CheckpointResult) -> Self {
        let location = |place: &'a crate::checkpoint::evidence::Place| Location {
            file: place.file.as_deref(),
            line: place.line,
            column: place.column,
            end_line: place.end_line,
            end_column: place.end_column,
        };
        Digested {
            id: result.id.as_str(),
            outcome: result.outcome,
            score: result.score,
            points: result.points,
            blame: result.blame,
            locations: result.evidence.iter().map(|evidence| location(&evidence.place)).collect(),
        }
    }
}

/// The digest of the reports of one head, in whatever order they come. Messages, expectations, values, commit and course
/// revision do not count; so the learner's view and the full report have the same digest.
pub fn outcome_digest(reports: &[Report]) -> OutcomeDigest {
    let mut tasks: Vec<(&str, Vec<Digested<'_>>)> =
        reports.iter().map(|r| (r.task.as_str(), r.checkpoints.iter().map(Digested::from).collect())).collect();
    tasks.sort_by(|a, b| a.0.cmp(b.0));
    let canonical = serde_json::to_vec(&tasks).expect("plain data without maps keyed by anything but text");
    OutcomeDigest(hex::encode(Sha256::digest(canonical)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::checkpoint::evidence::{Evidence, Place};
    use crate::grade::testing;

    fn sample() -> Report {
        let task = testing::task(vec![testing::checkpoint("a", 2, &[]), testing::checkpoint("b", 1, &[])]);
        let place = Place { file: Some("x.yaml".to_owned()), line: Some(4), ..Place::default() };
        let fail = Judgement::fail(vec![Evidence { message: "no".to_owned(), place, ..Evidence::default() }]);
        testing::report(&task, vec![("a", fail), ("b", Judgement::pass())])
    }

    fn digest(change: impl FnOnce(&mut Report)) -> OutcomeDigest {
        let mut report = sample();
        change(&mut report);
        outcome_digest(&[report])
    }

    #[test]
    fn what_a_learner_would_notice_changes_the_digest() {
        let same = digest(|_| {});
        assert_ne!(same, digest(|r| r.checkpoints[0].outcome = Outcome::Pass));
        assert_ne!(same, digest(|r| r.checkpoints[0].score = 1));
        assert_ne!(same, digest(|r| r.checkpoints[0].points = 3));
        assert_ne!(same, digest(|r| r.checkpoints[0].blame = Some(Blame::Ours)));
        assert_ne!(same, digest(|r| r.checkpoints[0].evidence[0].place.line = Some(5)));
        assert_ne!(same, digest(|r| r.task = "other".parse().unwrap()));
    }

    #[test]
    fn a_new_revision_with_the_same_outcome_has_the_same_digest() {
        let same = digest(|_| {});
        assert_eq!(same, digest(|r| r.course.revision = "1".repeat(40).parse().unwrap()));
        assert_eq!(same, digest(|r| r.commit = Some("2".repeat(40).parse().unwrap())));
        assert_eq!(same, digest(|r| r.checkpoints[0].evidence[0].message = "other words".to_owned()));
        assert_eq!(same, digest(|r| r.checkpoints[0].evidence[0].actual = Some(3.into())));
    }

    #[test]
    fn the_order_of_reports_does_not_count() {
        let mut other = sample();
        other.task = "another".parse().unwrap();
        assert_eq!(outcome_digest(&[sample(), other.clone()]), outcome_digest(&[other, sample()]));
    }

    /// Stored digests outlive a release: this one may only change together with a migration.
    #[test]
    fn the_canonical_form_is_stable() {
        assert_eq!(digest(|_| {}).as_str(), "f63db08b07948a711ca48cb9268bb4d2ba55749655363d473a924b6642d3db05");
    }
}
