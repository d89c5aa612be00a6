//! Limits: kept, remembered, and no reason to lose or double anything.

use std::time::Duration;

use gradus::forge::{ErrorClass, Forge, StatusBefore};
use gradus::store::time::Clock as _;

use super::world::{BEGIN, World, head, marker, review, sha};
use crate::fake_github::faults::Fault;
use crate::fake_github::http::limits::{Limits, Secondary};

#[tokio::test]
async fn a_limit_in_the_middle_stops_everything_until_its_time_also_after_a_restart() {
    let world = World::new().await;
    world.hub.plan("pulls/submit-review", Fault::Secondary(Secondary { status: 403, retry_after: Some(90) }));
    let error = world.post(&world.poster()).await.unwrap_err();
    let until = match error.class {
        ErrorClass::Throttled(until) => until,
        other => panic!("{other:?}: {error}"),
    };
    assert!(until.since(BEGIN) >= Duration::from_secs(90));
    let restarted = world.poster();
    let calls = world.hub.calls().len();
    assert_eq!(world.post(&restarted).await.unwrap_err().class, ErrorClass::Throttled(until));
    assert_eq!(restarted.pull(world.number()).await.unwrap_err().class, ErrorClass::Throttled(until));
    assert_eq!(restarted.write_room().await.unwrap().live, until);
    // Not even the App's own requests.
    assert_eq!(world.hub.calls().len(), calls);
    world.clock.advance(until.since(world.clock.now()));
    world.post(&restarted).await.unwrap();
    world.assert_one("after the limit");
    world.hub.finish();
}

#[tokio::test]
async fn the_primary_limit_is_waited_for_until_it_resets() {
    let world = World::new().await;
    let forge = world.poster();
    forge.pull(world.number()).await.unwrap();
    let installation = world.hub.calls().last().unwrap().actor;
    world.hub.exhaust(installation);
    let error = forge.pull(world.number()).await.unwrap_err();
    let ErrorClass::Throttled(until) = error.class else { panic!("{error}") };
    assert!(until.since(world.clock.now()) <= Duration::from_secs(3_602), "{error}");
    world.clock.advance(until.since(world.clock.now()));
    assert!(forge.pull(world.number()).await.unwrap().is_some());
    world.hub.finish();
}

#[tokio::test]
async fn forty_pushes_in_a_minute_stay_within_the_limits_and_all_are_answered() {
    let mut world = World::new().await;
    // GitHub's documented limits, with labels and statuses counted as well: nobody knows.
    world.hub.limits(Limits { labels_and_statuses_are_content: true, ..Limits::github() });
    let forge = world.poster();
    for n in 0..40 {
        world.at = world.hub.open_pull(world.repo, world.ada, &format!("fix-{n}"), &sha('a'));
        loop {
            let number = world.number();
            let posted = async {
                forge.post_review(number, &head('a'), &marker('a'), &review()).await?;
                forge.set_status(number, &head('a'), &review().status, StatusBefore::Unknown).await
            };
            match posted.await {
                Ok(()) => break,
                Err(error) => match error.class {
                    ErrorClass::Throttled(until) => world.clock.advance(until.since(world.clock.now())),
                    _ => panic!("{error}"),
                },
            }
        }
        world.assert_one("answered");
    }
    let refused = world.hub.calls().iter().filter(|call| matches!(call.status, Some(403 | 429))).count();
    assert_eq!(refused, 0, "we never ran into a limit");
    world.hub.finish();
}

#[tokio::test]
async fn backlog_leaves_the_last_part_of_the_hour_to_who_is_waited_for() {
    let world = World::new().await;
    let forge = world.poster();
    // Nobody is in the queue: all of this is backlog.
    for n in 0.. {
        let marker = gradus::forge::pull::Marker::new(format!("reply:{n}"));
        match forge.post_comment(world.number(), &marker, "x").await {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error.class, ErrorClass::Throttled(_)), "{error}");
                let room = forge.write_room().await.unwrap();
                if room.backlog.since(world.clock.now()) > Duration::from_secs(60) {
                    assert!(n >= 290, "{n}");
                    assert!(room.live <= world.clock.now());
                    break;
                }
                world.clock.advance(room.backlog.since(world.clock.now()) + Duration::from_secs(5));
            }
        }
    }
    let key = gradus::forge::pull::PullKey { workspace: forge.workspace().clone(), number: world.number() };
    let action = gradus::store::queue::Hint::NewHead;
    world.store.enqueue(&key, "ada", action, world.clock.now()).await.unwrap();
    world.post(&forge).await.unwrap();
    world.assert_one("a learner is waited for");
    world.hub.finish();
}
