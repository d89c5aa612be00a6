//! Credentials: an App's tokens, clocks that differ, settings that are wrong.

use std::time::Duration;

use gradus::forge::github::auth::{App, AppKey};
use gradus::forge::github::{Access, GitHub, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::{ErrorClass, Forge, StatusBefore};

use super::world::{World, review};
use crate::fake_github::state::account::TokenShape;

const ISSUE: &str = "apps/create-installation-access-token";

#[tokio::test]
async fn tokens_of_both_shapes_work() {
    for shape in [TokenShape::Short, TokenShape::Long] {
        let world = World::new().await;
        world.hub.token_shape(shape);
        assert!(world.poster().pull(world.number()).await.unwrap().is_some());
        world.hub.finish();
    }
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let world = World::new().await;
    let forge = world.poster();
    for (minutes, tokens) in [(0, 1), (30, 1), (24, 1), (2, 2), (54, 2), (2, 3)] {
        world.clock.advance(Duration::from_secs(minutes * 60));
        forge.pull(world.number()).await.unwrap();
        assert_eq!(world.hub.count(ISSUE), tokens, "after {minutes} more minutes");
    }
    world.hub.finish();
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_minutes_changes_nothing() {
    for skew in [-1_800_000, -120_000, 120_000, 1_800_000] {
        let world = World::new().await;
        world.hub.skew(skew);
        let forge = world.poster();
        assert!(forge.pull(world.number()).await.unwrap().is_some(), "{skew}");
        world.clock.advance(Duration::from_secs(50 * 60));
        forge.pull(world.number()).await.unwrap();
        assert_eq!(world.hub.count(ISSUE), 1, "{skew}: its hour is counted on their clock");
        world.post(&forge).await.unwrap();
        world.hub.finish();
    }
}

#[tokio::test]
async fn many_at_once_get_one_token() {
    let world = World::new().await;
    world.hub.latency(2);
    let forge = world.poster();
    let number = world.number();
    let (a, b, c) = tokio::join!(forge.pull(number), forge.reviews(number), forge.pulls(None));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(world.hub.count(ISSUE), 1);
    world.hub.finish();
}

#[tokio::test]
async fn an_app_that_is_not_installed_or_has_another_key_is_the_operators_to_mend() {
    let world = World::new().await;
    let other = world.hub.app("other", world.owner);
    let access = |id: u64| {
        Access::App(App { id: id.to_string(), key: AppKey::from_pem(world.app.pem).unwrap(), installation: None })
    };
    let with = |access| GitHub::new(world.settings(), access, world.tools(world.store.clone(), Duration::from_secs(1)));
    let error = with(access(other.id)).unwrap().pull(world.number()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config);
    assert!(error.to_string().contains("is not installed on acme/cnpe"), "{error}");
    let error = with(access(4_711)).unwrap().pull(world.number()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    let error = world.with_token("ghp_nonsense").pull(world.number()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    assert!(error.to_string().contains("(request FA4E:"), "{error}");
    world.hub.finish();
}

#[tokio::test]
async fn rights_that_are_missing_are_the_operators_to_mend_and_nothing_is_lost() {
    let world = World::new().await;
    let installation = *world.hub.state().installations.keys().next().unwrap();
    let all = world.hub.state().installations[&installation].permissions.clone();
    let mut few = all.clone();
    few.remove("pull_requests");
    few.remove("issues");
    world.hub.permit(installation, few);
    let forge = world.poster();
    let error = forge.reviews(world.number()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    world.hub.permit(installation, all);
    // Its owner accepted: the next process has them.
    world.post(&world.poster()).await.unwrap();
    world.assert_one("afterwards");
    world.hub.finish();
}

#[tokio::test]
async fn a_private_workspace_that_we_may_not_see_is_a_setting_and_not_an_empty_list() {
    let world = World::new().await;
    world.hub.make_private(world.repo);
    let stranger = world.hub.user("stranger");
    let secret = world.hub.personal_token(stranger);
    let forge = world.with_token(&secret);
    let error = forge.pulls(None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    // Nor is a pull request gone because the whole workspace is.
    let error = forge.pull(world.number()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    world.hub.finish();
}

#[tokio::test]
async fn no_secret_is_in_any_error_or_debug_text() {
    let world = World::new().await;
    let secret = "ghp_s3cret000000000000000000000000000000";
    let forge = world.with_token(secret);
    let mut texts = vec![format!("{:?}", Access::Token(secret.to_owned())), format!("{:?}", world.access())];
    let errors = [
        forge.pull(world.number()).await.map(|_| ()),
        forge.pulls(None).await.map(|_| ()),
        world.post(&forge).await.map(|_| ()),
        forge.set_status(world.number(), &super::world::head('a'), &review().status, StatusBefore::Unknown).await,
    ];
    for error in errors {
        let error = error.unwrap_err();
        texts.push(format!("{error} {error:?}"));
    }
    for text in texts {
        assert!(!text.contains("s3cret") && !text.contains("PRIVATE"), "{text}");
    }
    world.hub.finish();
}

#[tokio::test]
async fn everything_is_the_same_over_sockets() {
    let world = World::new().await;
    let serving = world.hub.serve().await.unwrap();
    let api = Base::parse(&serving.base(), Plain::Loopback).unwrap();
    let transport = Transport::sockets(Limits::default()).unwrap();
    let tools = world.tools(world.store.clone(), Duration::from_secs(1));
    let (settings, tools) = (Settings { api, ..world.settings() }, Tools { transport, ..tools });
    let forge = GitHub::new(settings, world.access(), tools).unwrap();
    let id = world.post(&forge).await.unwrap();
    let posted = forge.reviews(world.number()).await.unwrap().remove(0);
    assert_eq!(posted.id, id);
    forge.retire_review(world.number(), &posted).await.unwrap();
    assert_eq!(world.hub.minimized(world.at).len(), 1);
    world.assert_one("over sockets");
    world.hub.finish();
}
