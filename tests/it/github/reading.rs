//! Pull requests and people, as the port has them.

use std::time::Duration;

use gradus::forge::github::GitHub;
use gradus::forge::pull::{Label, Login, PullKey, PullNumber, PullState, Readiness, Standing, User, UserKind};
use gradus::forge::{ErrorClass, Forge};
use gradus::store::time::Clock as _;

use super::world::{World, head, sha};
use crate::fake_github::faults::Fault;
use crate::fake_github::state::ids::UserId;
use crate::fake_github::state::repo::Role;

fn person(id: UserId, login: &str) -> User {
    User { id: id.0.to_string().parse().unwrap(), login: Login(login.to_owned()), kind: UserKind::Person }
}

#[tokio::test]
async fn a_pull_request_is_read_as_it_is_now() {
    let world = World::new().await;
    let forge = world.poster();
    let seen = forge.pull(world.number()).await.unwrap().unwrap();
    assert_eq!(seen.author, person(world.ada, "ada"));
    assert_eq!((seen.head, seen.branch.as_str(), seen.state), (head('a'), "fix", PullState::Open));
    assert!(seen.base.is_some() && seen.labels.is_empty());
    world.clock.advance(Duration::from_secs(5));
    world.hub.set_draft(world.at, true);
    world.hub.push(world.at, &sha('b'));
    let seen = forge.pull(world.number()).await.unwrap().unwrap();
    assert_eq!((seen.head, seen.readiness), (head('b'), Readiness::Draft));
    assert!(seen.updated_at > seen.opened_at);
    world.hub.merge(world.at, world.owner);
    assert_eq!(forge.pull(world.number()).await.unwrap().unwrap().state, PullState::Closed);
    assert_eq!(forge.pull(PullNumber(99)).await.unwrap(), None);
    world.hub.finish();
}

#[tokio::test]
async fn a_fork_that_is_gone_reads_well() {
    let world = World::new().await;
    let forge = world.poster();
    world.hub.delete_fork(world.at);
    assert_eq!(forge.pull(world.number()).await.unwrap().unwrap().state, PullState::Closed);
    world.hub.finish();
}

#[tokio::test]
async fn all_open_pull_requests_are_listed_over_pages_and_closed_ones_are_not() {
    let world = World::new().await;
    for n in 0..230 {
        world.hub.open_pull(world.repo, world.ada, &format!("fix-{n}"), &sha('b'));
    }
    world.hub.close(world.at);
    let listed = world.poster().pulls(None).await.unwrap();
    assert_eq!(listed.len(), 230);
    assert!(listed.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert_eq!(world.hub.count("pulls/list"), 3);
    world.hub.finish();
}

#[tokio::test]
async fn an_incremental_list_stops_where_nothing_is_new_and_shows_closed_ones() {
    let world = World::new().await;
    for n in 0..150 {
        world.hub.open_pull(world.repo, world.ada, &format!("fix-{n}"), &sha('b'));
    }
    world.clock.advance(Duration::from_secs(600));
    let since = world.clock.now();
    world.hub.close(world.at);
    let forge = world.poster();
    let listed = forge.pulls(Some(since)).await.unwrap();
    assert_eq!(
        listed.iter().map(|pull| (pull.number, pull.state)).collect::<Vec<_>>(),
        [(world.number(), PullState::Closed)]
    );
    assert_eq!(world.hub.count("pulls/list"), 1);
    // Their clock is whole seconds behind: what happened just before is listed as well.
    let overlap = forge.pulls(Some(since.plus(Duration::from_secs(30)))).await.unwrap();
    assert_eq!(overlap.len(), 1);
    world.hub.finish();
}

#[tokio::test]
async fn a_sweep_of_what_did_not_change_costs_nothing_of_the_limit() {
    let world = World::new().await;
    let forge = world.poster();
    forge.pulls(None).await.unwrap();
    let installation = world.hub.calls().last().unwrap().actor;
    let left = |world: &World| world.hub.remaining(installation, crate::fake_github::http::limits::Resource::Core);
    let before = left(&world);
    for _ in 0..5 {
        assert_eq!(forge.pulls(None).await.unwrap().len(), 1);
    }
    assert_eq!(left(&world), before);
    world.hub.finish();
}

#[tokio::test]
async fn labels_are_read() {
    let world = World::new().await;
    let forge = world.poster();
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    forge.set_labels(&pull, &[Label("task/hello".to_owned())].into(), &[].into()).await.unwrap();
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    assert_eq!(pull.labels, [Label("task/hello".to_owned())].into());
    world.hub.finish();
}

#[tokio::test]
async fn who_may_write_is_an_instructor_and_who_may_only_read_what_is_public_is_nobody() {
    let world = World::new().await;
    let forge = world.poster();
    for (role, expected) in [
        (None, Standing::Outsider),
        (Some(Role::Read), Standing::Collaborator),
        (Some(Role::Triage), Standing::Collaborator),
        (Some(Role::Write), Standing::Instructor),
        (Some(Role::Maintain), Standing::Instructor),
        (Some(Role::Admin), Standing::Instructor),
    ] {
        if let Some(role) = role {
            world.hub.set_role(world.repo, world.ada, role);
        }
        assert_eq!(forge.standing(&person(world.ada, "ada")).await.unwrap(), expected, "{role:?}");
    }
    world.hub.finish();
}

#[tokio::test]
async fn a_login_that_changed_hands_gives_nobody_elses_standing() {
    let world = World::new().await;
    let forge = world.poster();
    let bea = world.hub.user("bea");
    world.hub.set_role(world.repo, world.ada, Role::Write);
    world.hub.rename_user(world.ada, "ada-2");
    world.hub.rename_user(bea, "ada");
    // A comment was read before they changed their names.
    assert_eq!(forge.standing(&person(world.ada, "ada")).await.unwrap(), Standing::Instructor);
    assert_eq!(forge.standing(&person(bea, "bea")).await.unwrap(), Standing::Outsider);
    let gone = person(UserId(4_000_000), "nobody");
    assert_eq!(forge.standing(&gone).await.unwrap(), Standing::Outsider);
    world.hub.finish();
}

#[tokio::test]
async fn we_know_ourselves_by_number_as_an_app_as_a_user_and_in_actions() {
    let world = World::new().await;
    let id = |user: UserId| user.0.to_string();
    assert_eq!(world.poster().me().await.unwrap().id.as_str(), id(world.app.bot));
    let bot = world.hub.user("gradus-bot");
    let secret = world.hub.personal_token(bot);
    assert_eq!(world.with_token(&secret).me().await.unwrap().id.as_str(), id(bot));
    // What Actions gives a job is an installation's token, and there is no page of its user.
    let secret = world.installation_token().await;
    assert_eq!(world.with_token(&secret).me().await.unwrap().id.as_str(), id(world.app.bot));
    world.hub.finish();
}

#[tokio::test]
async fn a_head_that_was_replaced_is_not_taken_from_a_read_that_lags() {
    let world = World::new().await;
    world.hub.keep_past(600_000);
    let (forge, listing) = (world.poster(), world.poster());
    world.clock.advance(Duration::from_secs(60));
    world.hub.push(world.at, &sha('b'));
    let now = forge.pull(world.number()).await.unwrap().unwrap();
    assert_eq!(now.head, head('b'));
    listing.pulls(None).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let lagging = async |forge: &GitHub| {
        world.hub.plan("pulls/get", Fault::Stale(5_000));
        forge.pull(world.number()).await
    };
    // Whoever saw it, be it in a list, or is on the store where it was noted.
    let restarted = world.poster();
    let key = PullKey { workspace: world.settings().workspace, number: world.number() };
    world.store.see_head(&key, &now.head, now.updated_at, world.clock.now()).await.unwrap();
    for forge in [&forge, &listing, &restarted] {
        let error = lagging(forge).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Retry, "{error}");
        assert_eq!(forge.pull(world.number()).await.unwrap().unwrap().head, head('b'));
    }
    // A clock of theirs that was set back lasts.
    world.clock.advance(Duration::from_secs(60));
    world.hub.plan("pulls/get", Fault::Stale(65_000));
    assert_eq!(forge.pull(world.number()).await.unwrap().unwrap().head, head('a'));
    world.hub.finish();
}
