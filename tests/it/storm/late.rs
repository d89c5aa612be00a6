//! What the schedules found, each by itself: writes that arrive late or half, and processes that end or stand still in the
//! worst moment.

use std::sync::Arc;
use std::time::Duration;

use gradus::reconcile::sweep::Extent;

use super::line::{Fate, Turn};
use super::weather::end;
use super::world::World;
use crate::fake_github::faults::Fault;

/// Arrives when nobody waits for it any more.
const LATE: Fault = Fault::TimeoutThenEffect(45_000);

/// A daemon on the first disk looks at everything, and dies or stalls at a request of this operation, if it is to.
async fn looks(world: &Arc<World>, fate: Option<Fate>) {
    world.looks(world.disks[0].clone(), Some(Extent::Full), fate).await;
}

/// The same, and once more before what is late arrives.
async fn looks_again(world: &Arc<World>) {
    looks(world, None).await;
    world.clock.advance(Duration::from_secs(10));
    looks(world, None).await;
}

/// The request of this operation that a daemon makes when nothing goes wrong, counted from 1.
async fn request(of: &str) -> u64 {
    let world = World::plain(1).await;
    world.learners().opens();
    looks(&world, None).await;
    let calls = world.hub.calls();
    calls.iter().find(|call| call.asked.operation == of).expect("it is asked").asked.number
}

async fn dies(turn: Turn, of: &str) -> (Arc<World>, u64) {
    let at = request(of).await;
    let world = World::plain(1).await;
    let number = world.learners().opens();
    looks(&world, Some(Fate { at, turn })).await;
    world.disks[0].store.break_leases().await.unwrap();
    (world, number)
}

async fn ends_well(world: &Arc<World>) {
    end(world).await.unwrap_or_else(|what| panic!("{what}"));
}

#[tokio::test]
async fn a_status_that_arrives_after_the_final_one_is_written_over() {
    let world = World::plain(1).await;
    world.learners().opens();
    world.hub.plan("repos/create-commit-status", LATE);
    looks_again(&world).await;
    ends_well(&world).await;
}

#[tokio::test]
async fn a_status_that_the_forge_did_not_take_is_tried_once_more() {
    let world = World::plain(1).await;
    world.learners().opens();
    for _ in 0..2 {
        world.hub.plan("repos/create-commit-status", Fault::Unprocessable);
    }
    looks(&world, None).await;
    ends_well(&world).await;
}

#[tokio::test]
async fn an_answer_that_arrives_after_its_repetition_is_taken_away() {
    let world = World::plain(1).await;
    let number = world.learners().opens();
    looks(&world, None).await;
    world.learners().asks(number);
    world.hub.plan("issues/create-comment", LATE);
    looks_again(&world).await;
    ends_well(&world).await;
}

#[tokio::test]
async fn an_answer_that_was_taken_twice_stands_once_also_when_the_next_look_failed() {
    let world = World::plain(1).await;
    let number = world.learners().opens();
    looks(&world, None).await;
    world.learners().asks(number);
    let mut taken = false;
    world.hub.schedule(Box::new(move |asked| match asked.operation.as_str() {
        "issues/create-comment" => {
            taken = true;
            Some(Fault::Twice)
        }
        "issues/list-comments" if std::mem::take(&mut taken) => Some(Fault::CutBody),
        _ => None,
    }));
    looks(&world, None).await;
    ends_well(&world).await;
}

#[tokio::test]
async fn a_creation_that_arrives_after_its_process_died_and_the_review_stands_is_taken_away() {
    let world = World::plain(1).await;
    world.learners().opens();
    world.hub.plan("pulls/create-review", LATE);
    looks(&world, None).await;
    world.disks[0].store.break_leases().await.unwrap();
    ends_well(&world).await;
}

#[tokio::test]
async fn what_a_process_began_before_it_died_is_taken_away_when_the_pull_request_was_closed() {
    let (world, number) = dies(Turn::DiesAfter, "pulls/create-review").await;
    world.learners().turns(number);
    ends_well(&world).await;
}

#[tokio::test]
async fn a_process_that_stood_still_takes_nothing_back_that_another_one_told_meanwhile() {
    // Before it says that the head is being graded, and in the middle of that.
    for of in ["issues/list-comments", "repos/list-commit-statuses-for-ref", "repos/create-commit-status"] {
        let at = request(of).await;
        let world = World::plain(1).await;
        world.learners().opens();
        another_one_goes_on(&world);
        looks(&world, Some(Fate { at, turn: Turn::StallsBefore })).await;
        end(&world).await.unwrap_or_else(|what| panic!("{of}: {what}"));
    }
}

/// While a process stands still, longer than its lease, another one on the same disk goes to the end.
fn another_one_goes_on(world: &Arc<World>) {
    let (other, disk) = (world.clone(), world.disks[0].clone());
    world.meanwhile(async move {
        other.clock.advance(Duration::from_secs(400));
        other.looks(disk, Some(Extent::Full), None).await;
    });
}

#[tokio::test]
async fn what_a_process_that_stood_still_begins_when_the_review_stands_is_taken_away() {
    let at = request("pulls/create-review").await;
    let world = World::plain(1).await;
    world.learners().opens();
    another_one_goes_on(&world);
    let mut deleted = false;
    world.hub.schedule(Box::new(move |asked| {
        let first = asked.operation == "pulls/delete-pending-review" && !std::mem::replace(&mut deleted, true);
        first.then_some(Fault::ErrorBefore(503))
    }));
    looks(&world, Some(Fate { at, turn: Turn::StallsBefore })).await;
    ends_well(&world).await;
}

#[tokio::test]
async fn labels_tell_of_the_head_that_came_back() {
    let world = World::plain(1).await;
    let number = world.learners().opens();
    for digit in ["0", "f"] {
        world.learners().pushes_head(number, digit.repeat(40));
        looks(&world, None).await;
    }
    for place in [1, 2, 1] {
        world.clock.advance(Duration::from_secs(60));
        world.learners().goes_back(number, place);
        end(&world).await.unwrap_or_else(|what| panic!("{place}: {what}"));
    }
}

#[tokio::test]
async fn labels_are_there_when_a_pull_request_that_was_closed_too_early_is_opened_again() {
    let (world, number) = dies(Turn::DiesAfter, "pulls/submit-review").await;
    world.learners().turns(number);
    looks(&world, None).await;
    world.clock.advance(Duration::from_secs(60));
    world.learners().turns(number);
    ends_well(&world).await;
}

#[tokio::test]
async fn what_was_asked_on_a_closed_pull_request_while_nobody_looked_is_answered() {
    let world = World::plain(1).await;
    let number = world.learners().opens();
    looks(&world, None).await;
    world.learners().turns(number);
    world.clock.advance(Duration::from_secs(3_600));
    looks(&world, None).await;
    world.clock.advance(Duration::from_secs(3_600));
    looks(&world, None).await;
    world.learners().asks(number);
    world.learners().hints.clear();
    world.clock.advance(Duration::from_secs(3_600));
    ends_well(&world).await;
}

#[tokio::test]
async fn a_head_that_a_lagging_read_shows_again_is_not_posted() {
    let world = World::plain(1).await;
    let number = world.learners().opens();
    // Graded and not posted when the next head comes and is noted.
    let at = request("pulls/create-review").await;
    looks(&world, Some(Fate { at, turn: Turn::DiesBefore })).await;
    world.clock.advance(Duration::from_secs(60));
    world.learners().pushes(number);
    world.disks[0].store.break_leases().await.unwrap();
    looks(&world, Some(Fate { at: 4, turn: Turn::DiesBefore })).await;
    world.clock.advance(Duration::from_secs(1));
    world.disks[0].store.break_leases().await.unwrap();
    // Pull requests lag, reviews do not.
    world.hub.schedule(Box::new(|asked| (asked.operation == "pulls/get").then_some(Fault::Stale(10_000))));
    looks(&world, None).await;
    ends_well(&world).await;
}
