//! Statuses, labels, closing: written on difference.

use std::collections::BTreeSet;

use gradus::forge::pull::Label;
use gradus::forge::{ErrorClass, Forge, StatusBefore};
use gradus::review::{Status, StatusState};

use super::world::{World, head, sha};
use crate::fake_github::faults::Fault;

fn status(state: StatusState, description: &str) -> Status {
    Status { state, description: description.to_owned() }
}

fn labels(names: &[&str]) -> BTreeSet<Label> {
    names.iter().map(|name| Label((*name).to_owned())).collect()
}

#[tokio::test]
async fn a_status_is_written_when_it_differs_and_only_then() {
    let world = World::new().await;
    let forge = world.poster();
    let wanted = [
        status(StatusState::Pending, "Being graded"),
        status(StatusState::Pending, "Being graded"),
        status(StatusState::Failure, "Not yet: 7 of 12 points"),
        status(StatusState::Failure, "Not yet: 7 of 12 points"),
        status(StatusState::Success, "Passed"),
        status(StatusState::Failure, "Not yet: 7 of 12 points"),
    ];
    for status in &wanted {
        forge.set_status(world.number(), &head('a'), status, StatusBefore::Unknown).await.unwrap();
    }
    let all = world.hub.all_statuses(world.repo, &sha('a'));
    let seen: Vec<_> = all.iter().map(|status| status.state.as_str()).collect();
    assert_eq!(seen, ["pending", "failure", "success", "failure"]);
    assert!(all.iter().all(|status| status.context == "gradus/cnpe"));
    world.hub.finish();
}

#[tokio::test]
async fn a_description_fits_and_is_the_same_the_second_time() {
    let world = World::new().await;
    let forge = world.poster();
    for _ in 0..2 {
        let long = status(StatusState::Error, &"\u{202e}ä".repeat(300));
        forge.set_status(world.number(), &head('a'), &long, StatusBefore::Unknown).await.unwrap();
    }
    assert_eq!(world.hub.all_statuses(world.repo, &sha('a')).len(), 1);
    world.hub.finish();
}

#[tokio::test]
async fn labels_are_made_with_a_colour_and_changed_on_difference() {
    let world = World::new().await;
    let forge = world.poster();
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    forge.set_labels(&pull, &labels(&["gradus/passed", "task/hello"]), &labels(&[])).await.unwrap();
    assert_eq!(world.hub.labels(world.at), ["gradus/passed", "task/hello"]);
    assert_eq!(world.hub.state().label(world.repo, "gradus/passed").unwrap().color, "0e8a16");
    let writes = world.hub.calls().iter().filter(|call| !call.asked.reads()).count();
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    forge.set_labels(&pull, &labels(&["gradus/passed", "task/hello"]), &labels(&["gradus/stuck"])).await.unwrap();
    assert_eq!(world.hub.calls().iter().filter(|call| !call.asked.reads()).count(), writes);
    forge.set_labels(&pull, &labels(&["task/hello"]), &labels(&["gradus/passed"])).await.unwrap();
    assert_eq!(world.hub.labels(world.at), ["task/hello"]);
    world.hub.finish();
}

#[tokio::test]
async fn a_name_that_github_does_not_take_is_cut_and_comes_to_rest() {
    let world = World::new().await;
    let forge = world.poster();
    let long = labels(&[&format!("task/{}", "x".repeat(63))]);
    for _ in 0..2 {
        let pull = forge.pull(world.number()).await.unwrap().unwrap();
        // What is there and not wanted is to go; the cut name is what is wanted.
        forge.set_labels(&pull, &long, &pull.labels).await.unwrap();
    }
    assert_eq!(world.hub.count("issues/add-labels"), 1);
    assert_eq!(world.hub.count("issues/remove-label"), 0);
    world.hub.finish();
}

#[tokio::test]
async fn a_lost_answer_to_a_label_is_made_good_the_next_time() {
    for operation in ["issues/create-label", "issues/add-labels", "issues/remove-label"] {
        let world = World::new().await;
        let forge = world.poster();
        let pull = forge.pull(world.number()).await.unwrap().unwrap();
        if operation == "issues/remove-label" {
            forge.set_labels(&pull, &labels(&["gradus/stuck"]), &labels(&[])).await.unwrap();
        }
        let pull = forge.pull(world.number()).await.unwrap().unwrap();
        world.hub.plan(operation, Fault::ResetAfter);
        let (add, remove) = (labels(&["gradus/passed"]), labels(&["gradus/stuck"]));
        assert_eq!(forge.set_labels(&pull, &add, &remove).await.unwrap_err().class, ErrorClass::Retry, "{operation}");
        forge.set_labels(&pull, &add, &remove).await.unwrap();
        assert_eq!(world.hub.labels(world.at), ["gradus/passed"]);
        world.hub.finish();
    }
}

#[tokio::test]
async fn closing_twice_is_once() {
    let world = World::new().await;
    let forge = world.poster();
    for _ in 0..2 {
        forge.close(world.number()).await.unwrap();
    }
    assert!(!world.hub.issue(world.at).open);
    assert_eq!(world.hub.count("pulls/update"), 1);
    world.hub.finish();
}
