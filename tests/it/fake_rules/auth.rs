//! Who may ask: JWTs, tokens, permissions.

use serde_json::json;

use super::client::{Client, REVIEWS, World, sha, token};
use crate::fake_github::clock::{HOUR, MINUTE, SECOND};
use crate::fake_github::key;
use crate::fake_github::state::account::{Access, TokenShape};

#[tokio::test]
async fn a_jwt_is_signed_issued_in_the_past_and_good_for_ten_minutes() {
    let world = World::new().await;
    let now = world.hands.now() / SECOND;
    let get = async |secret: &str| Client::with(&world.hub, secret).get("/app").await;
    let claims = |iat: i64, exp: i64| key::jwt(&json!({"iss": world.app.id.to_string(), "iat": iat, "exp": exp}));
    let good = get(&claims(now - 60, now + 540)).await;
    assert_eq!((good.status, &good.body["slug"]), (200, &json!("gradus")), "{}", good.body);
    assert_eq!(get(&claims(now, now + 600)).await.status, 200, "just");
    for (iat, exp, says) in
        [(now + 1, now + 540, "iat"), (now - 60, now + 601, "too far in the future"), (now - 600, now, "exp")]
    {
        let refused = get(&claims(iat, exp)).await;
        assert_eq!(refused.status, 401);
        assert!(refused.body["message"].as_str().unwrap().contains(says), "{}", refused.body);
    }
    // Our clock ahead of GitHub's: `iat` a minute back is what saves us.
    world.hub.skew(-30 * SECOND);
    assert_eq!(get(&world.hub.jwt(&world.app)).await.status, 200);
    world.hub.skew(-2 * MINUTE);
    assert_eq!(get(&world.hub.jwt(&world.app)).await.status, 401);
    world.hub.skew(0);
    let forged = world.hub.jwt(&world.app).replacen('.', ".A", 1);
    assert_eq!(get(&forged).await.status, 401);
    let other = key::jwt(&json!({"iss": "1", "iat": now - 60, "exp": now + 60}));
    assert_eq!(get(&other).await.status, 401, "no such App");
    world.hub.finish();
}

#[tokio::test]
async fn the_answer_says_what_time_it_is_at_github() {
    let world = World::new().await;
    world.hub.skew(90 * SECOND);
    let answer = world.bot.get("/repos/acme/cnpe").await;
    assert_eq!(answer.header("date"), Some("Tue, 24 Nov 2026 08:01:30 GMT"));
    world.hub.finish();
}

#[tokio::test]
async fn an_installation_token_has_two_shapes_and_lives_an_hour() {
    let world = World::new().await;
    let app = Client::with(&world.hub, &world.hub.jwt(&world.app));
    let installation = app.get("/repos/acme/cnpe/installation").await;
    assert_eq!(installation.status, 200, "{}", installation.body);
    assert_eq!(app.get("/app/installations").await.list()[0]["id"], installation.body["id"]);
    let short = token(&world.hub, &world.app, installation.id()).await;
    world.hub.token_shape(TokenShape::Long);
    let long = token(&world.hub, &world.app, installation.id()).await;
    assert_eq!((short.len(), short.starts_with("ghs_")), (40, true));
    assert!(long.len() > 300 && long.starts_with("ghs_") && long.contains('.'), "{long}");
    for secret in [&short, &long] {
        assert_eq!(Client::with(&world.hub, secret).get(REVIEWS).await.status, 200);
    }
    world.hands.advance(HOUR);
    for secret in [&short, &long] {
        let refused = Client::with(&world.hub, secret).get(REVIEWS).await;
        assert_eq!((refused.status, &refused.body["message"]), (401, &json!("Bad credentials")));
    }
    world.hub.finish();
}

#[tokio::test]
async fn a_token_does_what_it_was_given_and_no_more() {
    let world = World::new().await;
    let app = Client::with(&world.hub, &world.hub.jwt(&world.app));
    let id = app.get("/repos/acme/cnpe/installation").await.id();
    let path = format!("/app/installations/{id}/access_tokens");
    let narrow = app.post(&path, json!({"permissions": {"pull_requests": "read"}})).await;
    assert_eq!(narrow.status, 201, "{}", narrow.body);
    let reader = Client::with(&world.hub, narrow.body["token"].as_str().unwrap());
    assert_eq!(reader.get(REVIEWS).await.status, 200);
    let refused = reader.post(REVIEWS, json!({"body": "x", "event": "COMMENT"})).await;
    assert_eq!((refused.status, &refused.body["message"]), (403, &json!("Resource not accessible by integration")));
    assert_eq!(app.post(&path, json!({"permissions": {"administration": "write"}})).await.status, 422);
    assert_eq!(app.post(&path, json!({"repositories": ["other"]})).await.status, 422);

    // What the owner did not accept is missing from every new token.
    world.hub.permit(id, [("pull_requests".to_owned(), Access::Write)].into());
    let bot = Client::with(&world.hub, &token(&world.hub, &world.app, id).await);
    let path = format!("/repos/acme/cnpe/statuses/{}", sha('a'));
    assert_eq!(bot.post(&path, json!({"state": "success"})).await.status, 403);
    world.hub.finish();
}

#[tokio::test]
async fn an_app_is_no_user_and_a_user_no_app() {
    let world = World::new().await;
    assert_eq!(world.bot.get("/user").await.status, 403);
    assert_eq!(world.bot.get("/app").await.status, 401);
    let ada = world.client(world.ada);
    assert_eq!(ada.get("/user").await.body["id"], world.ada.0);
    assert_eq!(ada.get("/app").await.status, 401);
    assert_eq!(Client::with(&world.hub, "ghp_wrong").get("/user").await.status, 401);
    assert_eq!(Client::with(&world.hub, &world.hub.jwt(&world.app)).get(REVIEWS).await.status, 401);
    let bot = world.bot.get("/users/gradus%5Bbot%5D").await;
    assert_eq!((&bot.body["id"], &bot.body["type"]), (&json!(world.app.bot.0), &json!("Bot")));
    let reached = world.bot.get("/installation/repositories").await;
    assert_eq!(reached.body["repositories"][0]["full_name"], "acme/cnpe");

    world.hub.rename_user(world.ada, "ada-l");
    let renamed = ada.get(&format!("/user/{}", world.ada.0)).await;
    assert_eq!(renamed.body["login"], "ada-l", "a login changes, an id stays");
    world.hub.finish();
}
