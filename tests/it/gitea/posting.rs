//! Exactly one review.

use gradus::forge::pull::{Marker, PullNumber};
use gradus::forge::{ErrorClass, Forge};
use gradus::review::{Review, ReviewEvent};
use serde_json::json;

use super::{Case, marker, review};

const MANIFEST: &str = "tasks/first/deployment.yaml";

#[tokio::test(flavor = "multi_thread")]
async fn a_review_stands_once_with_its_line_comments_however_often_it_is_posted() {
    let case = Case::new();
    let head = case.head();
    let gitea = case.academy.daemon("a").await;
    let wanted = review("**Not yet.**", &[8, 6]);
    let first = gitea.post_review(case.pull, &head.parse().unwrap(), &marker(), &wanted).await.unwrap();
    for name in ["a", "b"] {
        let again = case.academy.daemon(name).await;
        assert_eq!(again.post_review(case.pull, &head.parse().unwrap(), &marker(), &wanted).await.unwrap(), first);
    }
    let reviews = case.academy.reviews(case.pull.0);
    let [(id, commit, body, 2)] = reviews.as_slice() else { panic!("{reviews:#?}") };
    assert_eq!((id.to_string(), commit.as_str()), (first, head.as_str()));
    assert!(body.starts_with("**Not yet.**\n\n<!-- gradus:1 "), "{body}");
    let lines = case.academy.line_comments(case.pull.0, *id);
    assert!(lines.contains(&(MANIFEST.to_owned(), 8, "About line 8.".to_owned())), "{lines:?}");

    let posted = gitea.reviews(case.pull).await.unwrap();
    assert_eq!(posted.len(), 1);
    assert_eq!((posted[0].marker.clone(), posted[0].body.as_str()), (Some(marker()), "**Not yet.**"));
    assert_eq!(posted[0].head.as_str(), head);
    assert_eq!(case.academy.pending(case.pull.0), 0);
}

/// What an attempt leaves that broke off after its second line comment.
fn debris(case: &Case, head: &str) {
    let comment = |line| json!({"path": MANIFEST, "body": "left over", "new_position": line});
    let body =
        json!({"event": "PENDING", "commit_id": head, "body": "left over", "comments": [comment(1), comment(2)]});
    case.academy.ask("bot", "POST", &format!("/pulls/{}/reviews", case.pull), Some(body), 200);
    assert_eq!(case.academy.pending(case.pull.0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_left_half_done_is_not_published_by_the_next() {
    let case = Case::new();
    let head = case.head();
    debris(&case, &head);
    let gitea = case.academy.daemon("a").await;
    let post = async || gitea.post_review(case.pull, &head.parse().unwrap(), &marker(), &review("Here.", &[8])).await;
    // It might be another daemon's that is at it.
    let error = post().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Retry, "{error}");
    assert!(error.to_string().contains("another review of ours"), "{error}");

    case.academy.age_pending().await;
    let id = post().await.unwrap().parse().unwrap();
    let lines = case.academy.line_comments(case.pull.0, id);
    assert_eq!(lines, [(MANIFEST.to_owned(), 8, "About line 8.".to_owned())]);
    assert_eq!((case.academy.reviews(case.pull.0).len(), case.academy.pending(case.pull.0)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_placed_costs_what_comes_behind_it_and_not_the_review() {
    let case = Case::new();
    let head = case.head().parse().unwrap();
    let gitea = case.academy.daemon("a").await;
    let wanted = review("All is said here.", &[8, 4000, 6]);
    let id = gitea.post_review(case.pull, &head, &marker(), &wanted).await.unwrap();
    let reviews = case.academy.reviews(case.pull.0);
    let [(only, _, body, 1)] = reviews.as_slice() else { panic!("{reviews:#?}") };
    assert_eq!(only.to_string(), id);
    assert!(body.starts_with("All is said here."), "{body}");
    assert_eq!((lines(&case, *only), case.academy.pending(case.pull.0)), (vec![8], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_passes_costs_no_line_comment() {
    let case = Case::new();
    let head = case.head().parse().unwrap();
    let gitea = case.academy.daemon("a").await;
    // Until line 6 was stored twice, line 8 is not.
    let before = "(SELECT count(*) FROM comment WHERE issue_id = NEW.issue_id AND content = 'About line 6.') < 2";
    case.academy.trouble(&format!("NEW.content = 'About line 8.' AND {before}")).await;
    let id = gitea.post_review(case.pull, &head, &marker(), &review("Here.", &[6, 8])).await.unwrap();
    assert_eq!(lines(&case, id.parse().unwrap()), [6, 8]);
    assert_eq!((case.academy.reviews(case.pull.0).len(), case.academy.pending(case.pull.0)), (1, 0));
}

/// The lines on which comments of a review stand.
fn lines(case: &Case, review: i64) -> Vec<u64> {
    let mut lines: Vec<u64> =
        case.academy.line_comments(case.pull.0, review).iter().map(|(_, line, _)| *line).collect();
    lines.sort_unstable();
    lines
}

/// Three who post the same review at once.
async fn race(case: &Case, marker: &Marker, wanted: &Review) {
    let head = case.head();
    let mut posts = tokio::task::JoinSet::new();
    for name in ["a", "b", "c"] {
        let gitea = case.academy.daemon(name).await;
        let (pull, head, marker, wanted) = (case.pull, head.parse().unwrap(), marker.clone(), wanted.clone());
        posts.spawn(async move { gitea.post_review(pull, &head, &marker, &wanted).await });
    }
    for end in posts.join_all().await.into_iter().filter_map(Result::err) {
        assert_eq!(end.class, ErrorClass::Retry, "{end}");
    }
}

/// Each of the three looks once more; the one review that is there then.
async fn at_rest(case: &Case, marker: &Marker, wanted: &Review) -> i64 {
    let head = case.head();
    let mut ids = Vec::new();
    for name in ["c", "a", "b"] {
        let gitea = case.academy.daemon(name).await;
        ids.push(gitea.post_review(case.pull, &head.parse().unwrap(), marker, wanted).await.unwrap());
        gitea.tidy(case.pull).await.unwrap();
    }
    ids.dedup();
    let reviews = case.academy.reviews(case.pull.0);
    let these: Vec<_> = reviews.iter().filter(|(_, _, body, _)| body.starts_with(&wanted.body)).collect();
    assert_eq!((ids.len(), these.len()), (1, 1), "{reviews:#?}");
    assert_eq!(case.academy.pending(case.pull.0), 0);
    these[0].0
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_post_at_once_one_review_is_left_at_rest() {
    let case = Case::new();
    for round in 0..5 {
        let (marker, wanted) = (Marker::new(format!("round {round}")), review(&format!("Round {round}."), &[6, 7, 8]));
        race(&case, &marker, &wanted).await;
        let left = at_rest(&case, &marker, &wanted).await;
        assert_eq!(lines(&case, left), [6, 7, 8], "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_post_at_once_to_a_server_in_trouble_one_review_is_left_at_rest() {
    let case = Case::new();
    for round in 0..5 {
        let (marker, wanted) = (Marker::new(format!("round {round}")), review(&format!("Round {round}."), &[6, 7, 8]));
        case.academy.trouble("abs(random()) % 4 = 0").await;
        race(&case, &marker, &wanted).await;
        case.academy.end_of_trouble().await;
        // What broke off is not somebody's who is at it any more.
        case.academy.age_pending().await;
        let left = at_rest(&case, &marker, &wanted).await;
        // A line may be lost, none stands twice.
        let lines = lines(&case, left);
        assert!(lines.iter().all(|line| (6..=8).contains(line)) && lines.is_sorted_by(|a, b| a < b), "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_of_a_head_that_was_pushed_away_is_taken_back() {
    let case = Case::new();
    let graded = case.head().parse().unwrap();
    case.ada.clone.answer("3", "aurora");
    let newest = case.ada.force_push(case.pull.0);
    let gitea = case.academy.daemon("a").await;
    let error = gitea.post_review(case.pull, &graded, &marker(), &review("Late.", &[8])).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Superseded, "{error}");
    assert_eq!(case.academy.reviews(case.pull.0), []);
    gitea.post_review(case.pull, &newest.parse().unwrap(), &marker(), &review("In time.", &[])).await.unwrap();
    assert_eq!(case.academy.reviews(case.pull.0).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_the_forge_refuses_becomes_a_comment() {
    let case = Case::new();
    // Its author may not approve it.
    let bot = case.academy.learner("bot");
    bot.clone.branch("own");
    bot.clone.answer("3", "aurora");
    let own = PullNumber(bot.open("own"));
    let gitea = case.academy.daemon("a").await;
    for (pull, head, expected) in [(case.pull, case.head(), "APPROVED"), (own, bot.arrived(own.0), "COMMENT")] {
        let wanted = Review { event: ReviewEvent::Approve, ..review("Passed.", &[8]) };
        let id = gitea.post_review(pull, &head.parse().unwrap(), &marker(), &wanted).await.unwrap();
        let seen = case.academy.ask("ada", "GET", &format!("/pulls/{pull}/reviews/{id}"), None, 200);
        assert_eq!((seen["state"].as_str(), seen["comments_count"].as_u64()), (Some(expected), Some(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_that_a_learner_copied_is_not_ours() {
    let case = Case::new();
    let head = case.head();
    let gitea = case.academy.daemon("a").await;
    let other = Marker::new("another");
    gitea.post_review(case.pull, &head.parse().unwrap(), &marker(), &review("Ours.", &[])).await.unwrap();
    let ours = case.academy.reviews(case.pull.0)[0].2.clone();
    let forged = json!({"event": "COMMENT", "commit_id": head, "body": ours});
    case.academy.ask("ada", "POST", &format!("/pulls/{}/reviews", case.pull), Some(forged), 200);
    let believed = |posted: &gradus::forge::pull::PostedReview| posted.marker.is_some();
    assert_eq!(gitea.reviews(case.pull).await.unwrap().iter().filter(|posted| believed(posted)).count(), 1);
    gitea.post_review(case.pull, &head.parse().unwrap(), &other, &review("Another.", &[])).await.unwrap();
    assert_eq!(case.academy.reviews(case.pull.0).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_found_behind_pages_of_others_and_behind_what_only_others_see() {
    let case = Case::new();
    let head = case.head();
    // Pages have five entries; of pending ones of others only the count is told.
    for user in ["eve", "teacher", "bob"] {
        let comment = json!({"path": MANIFEST, "body": "not yet sent", "new_position": 1});
        let body = json!({"event": "PENDING", "commit_id": head, "body": "not yet sent", "comments": [comment]});
        case.academy.ask(user, "POST", &format!("/pulls/{}/reviews", case.pull), Some(body), 200);
    }
    for round in 0..8 {
        let body = json!({"event": "COMMENT", "commit_id": head, "body": format!("Round {round}.")});
        case.academy.ask("root", "POST", &format!("/pulls/{}/reviews", case.pull), Some(body), 200);
    }
    let gitea = case.academy.daemon("a").await;
    let first = gitea.post_review(case.pull, &head.parse().unwrap(), &marker(), &review("Ours.", &[])).await.unwrap();
    let again = gitea.post_review(case.pull, &head.parse().unwrap(), &marker(), &review("Ours.", &[])).await.unwrap();
    assert_eq!((first, gitea.reviews(case.pull).await.unwrap().len()), (again, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_date_is_folded_and_what_was_provisional_is_one_line() {
    let case = Case::new();
    let head = case.head();
    let gitea = case.academy.daemon("a").await;
    let id = gitea.post_review(case.pull, &head.parse().unwrap(), &marker(), &review("Long.", &[6, 8])).await.unwrap();
    let id: i64 = id.parse().unwrap();
    let posted = gitea.reviews(case.pull).await.unwrap().remove(0);
    for _ in 0..2 {
        gitea.retire_review(case.pull, &posted).await.unwrap();
    }
    let shown = case.academy.shown(case.pull.0);
    assert!(
        shown[0].1.starts_with("<details><summary>Out of date") && shown[0].1.contains("\n\nLong.\n\n"),
        "{shown:?}"
    );
    let comments = case.academy.ask("ada", "GET", &format!("/pulls/{}/reviews/{id}/comments", case.pull), None, 200);
    let settled = comments.as_array().unwrap().iter().filter(|comment| comment["resolver"]["login"] == "bot");
    assert_eq!(settled.count(), 2);

    for _ in 0..2 {
        gitea.edit_review(case.pull, &posted, "The final result is below.").await.unwrap();
    }
    let shown = case.academy.shown(case.pull.0);
    assert!(shown[0].1.starts_with("The final result is below.\n\n<!-- gradus:1"), "{shown:?}");
    assert_eq!(case.academy.line_comments(case.pull.0, id), []);
    assert_eq!(gitea.reviews(case.pull).await.unwrap()[0].marker, Some(marker()), "it is still known");

    case.academy.ask("teacher", "DELETE", &format!("/issues/comments/{}", comment_of(&case, id)), None, 204);
    case.academy.ask("root", "DELETE", &format!("/pulls/{}/reviews/{id}", case.pull), None, 204);
    gitea.edit_review(case.pull, &posted, "Nobody sees this.").await.unwrap();
    gitea.retire_review(case.pull, &posted).await.unwrap();
    assert_eq!(case.academy.reviews(case.pull.0), [], "what somebody deleted stays deleted");
}

fn comment_of(case: &Case, review: i64) -> String {
    let seen = case.academy.ask("ada", "GET", &format!("/pulls/{}/reviews/{review}", case.pull), None, 200);
    seen["html_url"].as_str().unwrap().rsplit_once('-').unwrap().1.to_owned()
}
