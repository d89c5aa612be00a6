//! The posting protocol: one visible review, whatever comes in between.

use std::time::Duration;

use gradus::forge::pull::{Author, ReviewState};
use gradus::forge::{ErrorClass, Forge};
use gradus::review::{MAX_BODY, Review, ReviewEvent};

use super::world::{World, head, marker, review, sha};
use crate::fake_github::faults::{Fault, all, seeded};
use crate::fake_github::state::account::Access;
use crate::fake_github::state::diff::Diff;
use crate::fake_github::state::reviews::ReviewEvent as Event;

#[tokio::test]
async fn a_review_is_posted_whole_and_for_the_graded_commit() {
    let world = World::new().await;
    let forge = world.poster();
    let id = world.post(&forge).await.unwrap();
    world.assert_one("posted");
    let posted = &world.visible()[0];
    assert_eq!(posted.id.to_string(), id);
    assert!(posted.body.starts_with("Not yet: 7 of 12 points\n\n<!-- gradus:1 "), "{}", posted.body);
    let threads = world.hub.threads(world.at);
    let anchors: Vec<_> =
        threads.iter().map(|t| (t.anchor.line, t.anchor.start.as_ref().map(|start| start.0))).collect();
    assert_eq!(anchors, [(3, None), (7, Some(5))]);

    let seen = forge.reviews(world.number()).await.unwrap();
    assert_eq!((seen.len(), seen[0].id.as_str(), seen[0].body.as_str()), (1, id.as_str(), "Not yet: 7 of 12 points"));
    assert_eq!((&seen[0].author, &seen[0].marker), (&Author::Grader, &Some(marker('a'))));
    assert_eq!((&seen[0].head, seen[0].state), (&head('a'), ReviewState::Commented));
    world.hub.finish();
}

#[tokio::test]
async fn posting_again_finds_it_and_writes_nothing() {
    let world = World::new().await;
    let id = world.post(&world.poster()).await.unwrap();
    let writes = |world: &World| world.hub.calls().iter().filter(|call| !call.asked.reads()).count();
    let (before, again) = (writes(&world), world.poster());
    assert_eq!(world.post(&again).await.unwrap(), id);
    // The second process gets a token of its own.
    assert_eq!(writes(&world), before + 1);
    world.hub.finish();
}

#[tokio::test]
async fn a_crash_at_any_request_leaves_one_review_in_the_end() {
    let mut reached = 0;
    for effect in [Fault::TimeoutBefore, Fault::TimeoutAfter] {
        for number in 1..30 {
            let world = World::new().await;
            let fault = effect.clone();
            world.hub.schedule(Box::new(move |asked| (asked.number == number).then(|| fault.clone())));
            let forge = world.poster();
            // The request hangs; the process ends there.
            let crashed = tokio::time::timeout(Duration::from_millis(500), world.post(&forge)).await.is_err();
            drop(forge);
            if !crashed {
                reached = reached.max(number);
                world.hub.finish();
                break;
            }
            world.post_until_done(&world.poster()).await.unwrap();
            world.assert_one(&format!("{effect:?} at request {number}"));
            world.hub.finish();
        }
    }
    assert!(reached > 7, "token, account, list, creation, list, pull request, submission: {reached}");
}

#[tokio::test]
async fn every_fault_at_every_request_leaves_one_review() {
    for fault in all() {
        // What lands late is a pending review that nobody sees, taken away once it is put in order.
        let late = matches!(fault, Fault::TimeoutThenEffect(_));
        for number in 1..=10 {
            let world = World::new().await;
            world.hub.keep_past(60_000);
            let planned = fault.clone();
            world.hub.schedule(Box::new(move |asked| {
                let fits = asked.reads() || !matches!(planned, Fault::Stale(_));
                (asked.number == number && fits).then(|| planned.clone())
            }));
            let forge = world.hasty();
            let id = world.post_until_done(&forge).await.unwrap_or_else(|error| panic!("{fault:?} {number}: {error}"));
            if late {
                world.clock.advance(Duration::from_secs(200));
                world.tidy(&forge).await;
                assert_eq!(world.post_until_done(&forge).await.unwrap(), id);
            }
            world.assert_one(&format!("{fault:?} at request {number}"));
            world.hub.finish();
        }
    }
}

/// `GRADUS_SEED=N` plays one schedule again.
#[tokio::test]
async fn any_schedule_of_faults_over_two_posters_leaves_one_review() {
    let seeds = match std::env::var("GRADUS_SEED") {
        Ok(seed) => seed.parse().unwrap()..seed.parse::<u64>().unwrap() + 1,
        Err(_) => 0..40,
    };
    for seed in seeds {
        let world = World::new().await;
        world.clock.advance(Duration::from_secs(600));
        world.hub.keep_past(60_000);
        world.hub.latency(seed % 3);
        world.hub.schedule(seeded(seed, 5 + seed % 40, all(), 40));
        let other = if seed % 2 == 0 { world.store.clone() } else { world.other_store().await };
        let (one, two) = (world.hasty(), world.hasty_on(other));
        let (first, second) = tokio::join!(world.post_until_done(&one), world.post_until_done(&two));
        for posted in [first, second] {
            posted.unwrap_or_else(|error| panic!("GRADUS_SEED={seed}: {error}"));
        }
        // What lands late, and is taken away.
        world.clock.advance(Duration::from_secs(200));
        world.hub.schedule(Box::new(|_| None));
        world.tidy(&one).await;
        world.assert_one(&format!("GRADUS_SEED={seed}"));
        world.hub.finish();
    }
}

#[tokio::test]
async fn two_posters_at_once_leave_one_review() {
    for stores in ["one", "two"] {
        for latency in [0, 1, 3] {
            let world = World::new().await;
            world.hub.latency(latency);
            let other = if stores == "one" { world.store.clone() } else { world.other_store().await };
            let (one, two) = (world.hasty(), world.hasty_on(other));
            let (first, second) = tokio::join!(world.post_until_done(&one), world.post_until_done(&two));
            assert_eq!(first.unwrap(), second.unwrap());
            world.assert_one(&format!("{stores} store, {latency} ms"));
            world.hub.finish();
        }
    }
}

#[tokio::test]
async fn reads_that_lag_behind_writes_lead_to_no_second_review() {
    for lag in [500, 2_000, 5_000, 20_000] {
        let world = World::new().await;
        world.clock.advance(Duration::from_secs(60));
        world.hub.read_lag(lag);
        let id = world.post_until_done(&world.poster()).await.unwrap();
        // Just submitted, and a process that knows nothing of it asks at once.
        assert_eq!(world.post_until_done(&world.poster()).await.unwrap(), id, "{lag} ms");
        world.assert_one(&format!("{lag} ms"));
        world.hub.finish();
    }
}

#[tokio::test]
async fn our_own_debris_is_taken_away_first() {
    let world = World::new().await;
    let crashed = world.poster();
    world.hub.plan("pulls/submit-review", Fault::TimeoutBefore);
    let other = marker('a');
    let other = gradus::forge::pull::Marker { key: format!("{}:other", sha('a')), ..other };
    let number = world.number();
    let (sent, stopped) = (review(), head('a'));
    let post = crashed.post_review(number, &stopped, &other, &sent);
    // It ends while it waits for an answer that never comes.
    let asked = async {
        while world.hub.count("pulls/submit-review") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        end = post => panic!("{end:?}"),
        () = asked => {}
    }
    assert_eq!(world.hub.pending_reviews(world.at).len(), 1);
    world.post_until_done(&world.poster()).await.unwrap();
    world.assert_one("after debris");
    assert_eq!(world.hub.count("pulls/delete-pending-review"), 1);
    world.hub.finish();
}

#[tokio::test]
async fn a_line_that_the_diff_does_not_show_costs_the_line_comments_and_not_the_review() {
    let world = World::new().await;
    world.hub.set_diff(world.at, Diff::default().hunk("tasks/a/app.yaml", (1, 4), (1, 4)));
    world.post(&world.poster()).await.unwrap();
    world.assert_one("without line comments");
    assert!(world.hub.threads(world.at).is_empty());
    assert_eq!(world.hub.count("pulls/create-review"), 2);
    world.hub.finish();
}

#[tokio::test]
async fn nothing_is_posted_for_a_head_that_moved_on() {
    for force in [false, true] {
        for operation in ["pulls/create-review", "pulls/list-reviews", "pulls/get"] {
            let world = World::new().await;
            let (hub, at) = (world.hub.clone(), world.at);
            // The push comes while this request is under way.
            let mut pushed = false;
            world.hub.schedule(Box::new(move |asked| {
                (asked.operation == operation && !std::mem::replace(&mut pushed, true)).then_some(Fault::Slow(30))
            }));
            let (forge, push) = (world.poster(), async {
                while hub.count(operation) == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                if force { hub.force_push(at, &sha('b')) } else { hub.push(at, &sha('b')) }
            });
            let (result, ()) = tokio::join!(world.post(&forge), push);
            let left = world.hub.pending_reviews(at).len();
            match operation {
                // Read before the push, and submitted after it: GitHub itself refuses what is not in it any more.
                "pulls/get" if !force => assert_eq!(world.visible().len(), 1),
                _ => {
                    let class = result.unwrap_err().class;
                    assert_eq!(class, ErrorClass::Superseded, "{operation} {force}");
                    assert_eq!((world.visible().len(), left), (0, 0), "{operation} {force}");
                }
            }
            world.hub.finish();
        }
    }
}

#[tokio::test]
async fn nothing_is_posted_on_what_was_closed() {
    let world = World::new().await;
    world.hub.close(world.at);
    assert_eq!(world.post(&world.poster()).await.unwrap_err().class, ErrorClass::Superseded);
    assert!(world.visible().is_empty());
    world.hub.finish();
}

#[tokio::test]
async fn an_event_is_what_the_course_chose_and_on_our_own_pull_request_a_comment() {
    for (own, event, expected) in [
        (false, ReviewEvent::Approve, ReviewState::Approved),
        (false, ReviewEvent::RequestChanges, ReviewState::ChangesRequested),
        (true, ReviewEvent::Approve, ReviewState::Commented),
        (true, ReviewEvent::RequestChanges, ReviewState::Commented),
    ] {
        let mut world = World::new().await;
        let bot = world.hub.user("gradus-bot");
        if own {
            world.at = world.hub.open_pull(world.repo, bot, "own", &sha('a'));
        }
        let forge = world.with_token(&world.hub.personal_token(bot));
        let review = Review { event, ..review() };
        forge.post_review(world.number(), &head('a'), &marker('a'), &review).await.unwrap();
        assert_eq!(forge.reviews(world.number()).await.unwrap()[0].state, expected);
        world.hub.finish();
    }
}

#[tokio::test]
async fn a_marker_that_somebody_copied_is_not_ours() {
    let world = World::new().await;
    let forge = world.poster();
    world.post(&forge).await.unwrap();
    let stolen = world.visible()[0].body.clone();
    let other = world.hub.open_pull(world.repo, world.ada, "more", &sha('a'));
    // A learner copies our whole review into one of theirs, here and elsewhere.
    for at in [world.at, other] {
        world.hub.review(at, world.ada, Event::Comment, &stolen);
    }
    let number = gradus::forge::pull::PullNumber(other.number as i64);
    let seen = forge.reviews(number).await.unwrap();
    assert!(seen.iter().all(|review| review.marker.is_none() && matches!(review.author, Author::Person(_))));
    forge.post_review(number, &head('a'), &marker('a'), &review()).await.unwrap();
    assert_eq!(world.hub.reviews_by(other, world.app.bot).len(), 1, "theirs was not taken for ours");
    world.hub.finish();
}

#[tokio::test]
async fn reviews_are_found_behind_hundreds_of_others() {
    let world = World::new().await;
    let id = world.post(&world.poster()).await.unwrap();
    for n in 0..230 {
        world.hub.review(world.at, world.ada, Event::Comment, &format!("thought {n}"));
    }
    let forge = world.poster();
    assert_eq!(world.post(&forge).await.unwrap(), id);
    assert_eq!(forge.reviews(world.number()).await.unwrap().len(), 231);
    world.assert_one("far down");
    world.hub.finish();
}

#[tokio::test]
async fn the_longest_review_fits_with_its_marker() {
    let world = World::new().await;
    let long = Review { body: "ä".repeat(MAX_BODY), comments: Vec::new(), ..review() };
    let forge = world.poster();
    forge.post_review(world.number(), &head('a'), &marker('a'), &long).await.unwrap();
    assert!(world.visible()[0].body.chars().count() <= MAX_BODY);
    assert_eq!(forge.reviews(world.number()).await.unwrap()[0].marker, Some(marker('a')));
    world.hub.finish();
}

#[tokio::test]
async fn an_edit_keeps_the_marker_and_folds_the_threads() {
    let world = World::new().await;
    let forge = world.poster();
    let id = world.post(&forge).await.unwrap();
    let posted = forge.reviews(world.number()).await.unwrap().remove(0);
    forge.edit_review(world.number(), &posted, "Provisional; the final result is below.").await.unwrap();
    let edited = forge.reviews(world.number()).await.unwrap().remove(0);
    assert_eq!((edited.id, edited.marker), (id, Some(marker('a'))));
    assert_eq!(edited.body, "Provisional; the final result is below.");
    assert!(world.hub.threads(world.at).iter().all(|thread| thread.resolved));
    world.hub.finish();
}

#[tokio::test]
async fn a_right_that_is_missing_for_folding_is_the_operators_to_mend_and_not_asked_for_ever() {
    let world = World::new().await;
    let forge = world.poster();
    world.post(&forge).await.unwrap();
    let posted = forge.reviews(world.number()).await.unwrap().remove(0);
    let installation = *world.hub.state().installations.keys().next().unwrap();
    let mut few = world.hub.state().installations[&installation].permissions.clone();
    few.insert("pull_requests".to_owned(), Access::Read);
    world.hub.permit(installation, few);
    let error = world.poster().retire_review(world.number(), &posted).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    world.hub.finish();
}

#[tokio::test]
async fn an_old_review_is_folded_once_with_its_threads_and_nobody_elses() {
    let world = World::new().await;
    let forge = world.poster();
    let id = world.post(&forge).await.unwrap();
    world.hub.review(world.at, world.ada, Event::Comment, "a question");
    let posted = forge.reviews(world.number()).await.unwrap().remove(0);
    for _ in 0..2 {
        forge.retire_review(world.number(), &posted).await.unwrap();
    }
    assert_eq!(world.hub.minimized(world.at), [(id.parse().unwrap(), "outdated".to_owned())]);
    assert!(world.hub.threads(world.at).iter().all(|thread| thread.resolved));
    let mutations = world.hub.calls().iter().filter(|call| call.asked.operation == "graphql").count();
    assert_eq!(mutations, 3, "asked, folded, asked");
    world.hub.finish();
}

#[tokio::test]
async fn a_draft_that_somebody_began_with_our_account_does_not_wedge_us() {
    let world = World::new().await;
    let bot = world.hub.user("gradus-bot");
    let secret = world.hub.personal_token(bot);
    // Begun in the browser: no marker.
    world.send("POST", &secret, "/repos/acme/cnpe/pulls/1/reviews", serde_json::json!({"body": "hm"})).await;
    assert_eq!(world.hub.pending_reviews(world.at).len(), 1);
    world.post(&world.with_token(&secret)).await.unwrap();
    assert_eq!(world.hub.reviews_by(world.at, bot).len(), 1);
    world.hub.finish();
}
