//! What to do about our own reviews before and after one is posted. Pure.
//!
//! Gitea creates a review in steps: every line comment is stored at once in a pending review of its author, made if there
//! is none; the last step makes it visible. So a request that breaks off leaves a pending review, which the next one
//! adopts with whatever it holds; and of two at the same time the first to finish publishes the comments of both. There
//! is no way to say "only if there is none yet", so exactly one is reached by repair: of several with one marker the
//! lowest number stays. Numbers only grow, so whoever repairs, and in whatever order, keeps the same one.

use std::time::Duration;

use super::wire::{AccountId, NewLineComment, WireLineComment, WireReview, WireState};
use crate::store::time::Time;

/// A pending review that was touched within this time may be somebody's who is posting right now: another daemon of
/// ours. Posting takes a second; thirty line comments in a large repository take some.
pub const SETTLING: Duration = Duration::from_secs(30);

/// A review of ours by its number on the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReviewId(pub i64);

/// What stands of a review before it is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// It is there already; these others with its marker are too many.
    Posted {
        /// The one that stays.
        keep: ReviewId,
        /// The others.
        extra: Vec<ReviewId>,
    },
    /// Another one is being posted.
    Busy,
    /// Nothing of it is there; these are left over from attempts that broke off.
    Nothing {
        /// To be deleted: what is posted next would publish what they hold.
        debris: Vec<ReviewId>,
    },
}

/// Looks at the reviews of a pull request. `is_it` says whether a submitted review of ours has the marker; `now` is the
/// forge's time.
pub fn before(reviews: &[WireReview], me: AccountId, is_it: impl Fn(&WireReview) -> bool, now: Time) -> Before {
    let ours = || reviews.iter().filter(|review| review.is_by(me));
    let mut there: Vec<ReviewId> =
        ours().filter(|review| review.is_submitted() && is_it(review)).map(|review| ReviewId(review.id)).collect();
    there.sort_unstable();
    if let Some((keep, extra)) = there.split_first() {
        return Before::Posted { keep: *keep, extra: extra.to_vec() };
    }
    let pending: Vec<&WireReview> = ours().filter(|review| review.state == WireState::Pending).collect();
    if pending.iter().any(|review| now.since(review.touched()) < SETTLING) {
        return Before::Busy;
    }
    Before::Nothing { debris: pending.iter().map(|review| ReviewId(review.id)).collect() }
}

/// Line comments of ours that say the same thing twice at one place: what two who posted at once leave in the review that
/// stays. The first of each stays.
pub fn doubled(comments: &[WireLineComment], me: AccountId) -> Vec<i64> {
    let mut ours: Vec<&WireLineComment> = comments.iter().filter(|comment| comment.is_by(me)).collect();
    ours.sort_unstable_by_key(|comment| comment.id);
    let same =
        |a: &WireLineComment, b: &WireLineComment| (&a.path, a.position, &a.body) == (&b.path, b.position, &b.body);
    let again = |(at, comment): (usize, &&WireLineComment)| {
        ours[..at].iter().any(|earlier| same(earlier, comment)).then_some(comment.id)
    };
    ours.iter().enumerate().filter_map(again).collect()
}

/// Line comments in Gitea's form: on the last line of their range, which the text names.
pub fn line_comments(comments: &[crate::review::LineComment]) -> Vec<NewLineComment<'_>> {
    let fold = |comment: &crate::review::LineComment| match comment.start_line {
        start if start < comment.line => format!("Lines {start} to {}:\n\n{}", comment.line, comment.body),
        _ => comment.body.clone(),
    };
    comments
        .iter()
        .map(|comment| NewLineComment { path: &comment.path, new_position: comment.line, body: fold(comment) })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::review::LineComment;

    const ME: AccountId = AccountId(2);

    fn review(id: i64, by: i64, state: &str, at: &str) -> WireReview {
        serde_json::from_value(json!({"id": id, "user": {"id": by, "login": "x"}, "state": state, "body": "it",
            "submitted_at": at, "updated_at": at}))
        .unwrap()
    }

    fn look(reviews: &[WireReview]) -> Before {
        let now = Time(chrono::DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().timestamp_millis());
        before(reviews, ME, |review| review.body == "it", now)
    }

    const OLD: &str = "2026-11-24T11:59:29Z";
    const FRESH: &str = "2026-11-24T11:59:31Z";

    #[test]
    fn of_several_the_lowest_number_stays_whoever_looks() {
        let mut reviews =
            [review(5, 2, "COMMENT", FRESH), review(3, 2, "COMMENT", FRESH), review(9, 2, "COMMENT", OLD)];
        let expected = Before::Posted { keep: ReviewId(3), extra: vec![ReviewId(5), ReviewId(9)] };
        for _ in 0..3 {
            assert_eq!(look(&reviews), expected);
            reviews.rotate_left(1);
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_neither_ours_nor_debris() {
        let others = [review(3, 7, "COMMENT", OLD), review(4, 7, "PENDING", OLD)];
        assert_eq!(look(&others), Before::Nothing { debris: Vec::new() });
    }

    #[test]
    fn a_pending_review_is_debris_only_once_it_is_old() {
        assert_eq!(look(&[review(3, 2, "PENDING", OLD)]), Before::Nothing { debris: vec![ReviewId(3)] });
        assert_eq!(look(&[review(3, 2, "PENDING", FRESH)]), Before::Busy);
        let posted = [review(3, 2, "PENDING", FRESH), review(4, 2, "COMMENT", OLD)];
        assert_eq!(look(&posted), Before::Posted { keep: ReviewId(4), extra: Vec::new() });
    }

    #[test]
    fn of_two_equal_line_comments_the_first_stays() {
        let comment = |id: i64, by: i64, line: u32, body: &str| -> WireLineComment {
            serde_json::from_value(
                json!({"id": id, "user": {"id": by, "login": "x"}, "path": "a", "position": line, "body": body,
                "resolver": null}),
            )
            .unwrap()
        };
        let comments = [
            comment(9, 2, 3, "x"),
            comment(4, 2, 3, "x"),
            comment(5, 2, 4, "x"),
            comment(6, 2, 3, "y"),
            comment(7, 8, 3, "x"),
        ];
        assert_eq!(doubled(&comments, ME), [9]);
    }

    #[test]
    fn a_range_is_named_in_the_text() {
        let comment = |start_line, line| LineComment { path: "a".into(), start_line, line, body: "Why".into() };
        let comments = [comment(3, 3), comment(3, 5)];
        let folded: Vec<_> = line_comments(&comments).into_iter().map(|c| (c.new_position, c.body)).collect();
        assert_eq!(folded, [(3, "Why".to_owned()), (5, "Lines 3 to 5:\n\nWhy".to_owned())]);
    }
}
