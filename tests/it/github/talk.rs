//! Comments and issues.

use gradus::forge::pull::{Author, CommentId, Marker};
use gradus::forge::{ErrorClass, Forge, ForgeError};
use gradus::store::time::Clock as _;

use super::world::World;
use crate::fake_github::faults::{Fault, all};
use crate::fake_github::state::issue::Comment;

fn ours(world: &World) -> Vec<Comment> {
    world.hub.comments(world.at).into_iter().filter(|comment| comment.user == world.app.bot).collect()
}

#[tokio::test]
async fn comments_are_read_after_a_cursor_ours_with_their_marker() {
    let world = World::new().await;
    let forge = world.poster();
    let first = world.hub.comment(world.at, world.ada, "/hint");
    let marker = Marker::new(format!("reply:{first}"));
    let answer = forge.post_comment(world.number(), &marker, "Look at line 3.").await.unwrap();
    let seen = forge.comments_after(world.number(), CommentId::default()).await.unwrap();
    assert_eq!(seen.iter().map(|comment| comment.body.as_str()).collect::<Vec<_>>(), ["/hint", "Look at line 3."]);
    assert_eq!((&seen[1].author, &seen[1].marker), (&Author::Grader, &Some(marker)));
    assert!(matches!(&seen[0].author, Author::Person(who) if who.login.0 == "ada") && seen[0].marker.is_none());
    assert_eq!(forge.comments_after(world.number(), seen[0].id).await.unwrap().len(), 1);
    assert!(forge.comments_after(world.number(), answer).await.unwrap().is_empty());
    world.hub.finish();
}

#[tokio::test]
async fn a_comment_on_a_full_page_that_did_not_change_is_found() {
    let world = World::new().await;
    let forge = world.poster();
    for n in 0..100 {
        world.hub.comment(world.at, world.ada, &format!("thought {n}"));
    }
    assert_eq!(forge.comments_after(world.number(), CommentId::default()).await.unwrap().len(), 100);
    world.hub.comment(world.at, world.ada, "/regrade");
    assert_eq!(forge.comments_after(world.number(), CommentId::default()).await.unwrap().len(), 101);
    world.hub.finish();
}

async fn until_done(world: &World, mut post: impl AsyncFnMut() -> Result<CommentId, ForgeError>) -> CommentId {
    for _ in 0..20 {
        match post().await {
            Ok(id) => return id,
            Err(ForgeError { class: ErrorClass::Throttled(until), .. }) => {
                world.clock.advance(until.since(world.clock.now()));
            }
            Err(ForgeError { class: ErrorClass::Retry, .. }) => {
                world.clock.advance(std::time::Duration::from_secs(5));
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("not posted")
}

#[tokio::test]
async fn an_answer_is_given_once_whatever_goes_wrong() {
    let marker = Marker::new("reply:7");
    for fault in all() {
        // A refused comment, and one that lands when everybody stopped looking: nothing on GitHub fences these.
        if matches!(fault, Fault::TimeoutThenEffect(_) | Fault::Unprocessable) {
            continue;
        }
        for number in 1..=8 {
            let world = World::new().await;
            world.hub.keep_past(60_000);
            let planned = fault.clone();
            world.hub.schedule(Box::new(move |asked| {
                let fits = asked.reads() || !matches!(planned, Fault::Stale(_));
                (asked.number == number && fits).then(|| planned.clone())
            }));
            let forge = world.hasty();
            let id = until_done(&world, || forge.post_comment(world.number(), &marker, "Yes.")).await;
            let again = world.hasty();
            assert_eq!(until_done(&world, || again.post_comment(world.number(), &marker, "Yes.")).await, id);
            assert_eq!(ours(&world).len(), 1, "{fault:?} at request {number}");
            world.hub.finish();
        }
    }
}

#[tokio::test]
async fn two_who_answer_at_once_leave_one_answer() {
    for latency in [0, 1, 3] {
        let world = World::new().await;
        world.hub.latency(latency);
        let (one, two) = (world.hasty(), world.hasty_on(world.other_store().await));
        let (marker, number) = (Marker::new("reply:7"), world.number());
        let (first, second) = tokio::join!(
            until_done(&world, || one.post_comment(number, &marker, "Yes.")),
            until_done(&world, || two.post_comment(number, &marker, "Yes.")),
        );
        let left = ours(&world);
        assert_eq!((left.len(), left[0].id as i64), (1, first.0.min(second.0)), "{latency} ms");
        world.hub.finish();
    }
}

#[tokio::test]
async fn an_issue_is_opened_once_and_found_again() {
    let world = World::new().await;
    let (forge, marker) = (world.poster(), Marker::new("dispute:7"));
    world.hub.open_issue(world.repo, world.ada, "an issue of somebody else");
    let address = forge.open_issue(&marker, "Dispute of `probe`", "why").await.unwrap().unwrap();
    assert!(address.starts_with("https://"), "{address}");
    assert_eq!(forge.open_issue(&marker, "Dispute of `probe`", "why").await.unwrap(), Some(address));
    let other = forge.open_issue(&Marker::new("dispute:8"), "Another", "why").await.unwrap();
    assert!(other.is_some());
    assert_eq!(world.hub.issues(world.repo).len(), 3);
    world.hub.finish();
}

#[tokio::test]
async fn a_lost_answer_to_an_issue_opens_no_second_one() {
    for fault in [Fault::ErrorAfter(502), Fault::CutBody, Fault::ResetAfter] {
        let world = World::new().await;
        let (forge, marker) = (world.poster(), Marker::new("dispute:7"));
        world.hub.plan("issues/create", fault.clone());
        assert!(forge.open_issue(&marker, "Dispute", "why").await.unwrap().is_some(), "{fault:?}");
        assert_eq!(world.hub.issues(world.repo).len(), 1, "{fault:?}");
        world.hub.finish();
    }
}
