//! GraphQL: hide, resolve, and read a hundred pull requests at once.

use serde_json::{Value, json};

use super::client::{Client, REVIEWS, World, sha};
use crate::fake_github::http::limits::Resource;
use crate::fake_github::state::account::{Access, Actor};

async fn ask(client: &Client, query: &str, variables: Value) -> Value {
    let answer = client.post("/graphql", json!({"query": query, "variables": variables})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn a_review_is_minimised_with_a_reason() {
    let world = World::new().await;
    let posted = world.bot.post(REVIEWS, json!({"body": "old", "event": "COMMENT"})).await;
    let node = posted.body["node_id"].as_str().unwrap();
    let mutation = "mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) {
        minimizedComment { isMinimized minimizedReason } } }";
    let answer = ask(&world.bot, mutation, json!({"id": node})).await;
    assert_eq!(
        answer,
        json!({"data": {"minimizeComment": {"minimizedComment": {"isMinimized": true, "minimizedReason": "outdated"}}}})
    );
    assert_eq!(world.hub.minimized(world.pull), [(posted.id(), "outdated".to_owned())]);
    assert_eq!(world.hub.visible_reviews(world.pull).len(), 1, "it is folded, not gone");
    let comment = world.hub.comment(world.pull, world.ada, "hello");
    let node = world.bot.get(&format!("/repos/acme/cnpe/issues/comments/{comment}")).await;
    ask(&world.bot, mutation, json!({"id": node.body["node_id"]})).await;
    assert_eq!(world.hub.comments(world.pull)[0].minimized.as_deref(), Some("outdated"));

    let refused = ask(&world.client(world.ada), mutation, json!({"id": posted.body["node_id"]})).await;
    assert!(refused["errors"][0]["message"].is_string() && refused["data"]["minimizeComment"].is_null());
    let nobody = ask(&world.bot, mutation, json!({"id": "PRR_kwDO0000009999"})).await;
    assert!(nobody["errors"][0]["message"].as_str().unwrap().contains("global id"), "{nobody}");
    world.hub.finish();
}

#[tokio::test]
async fn threads_are_read_and_resolved() {
    let world = World::new().await;
    let comments = json!([{"path": "a.yaml", "line": 3, "body": "one"}, {"path": "b.yaml", "line": 1, "body": "two"}]);
    let posted = world.bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT", "comments": comments})).await;
    let ids: Vec<Value> = world
        .bot
        .get(&format!("{REVIEWS}/{}/comments", posted.id()))
        .await
        .list()
        .iter()
        .map(|comment| comment["id"].clone())
        .collect();
    let query = "query($owner: String!, $name: String!, $number: Int!, $after: String) {
        repository(owner: $owner, name: $name) { pullRequest(number: $number) {
            reviewThreads(first: 1, after: $after) {
                pageInfo { hasNextPage endCursor }
                nodes { id isResolved isOutdated path line comments(first: 10) { nodes { databaseId author { login } } } }
            } } } }";
    let page = async |after: Value| {
        let variables = json!({"owner": "acme", "name": "cnpe", "number": 1, "after": after});
        ask(&world.bot, query, variables).await["data"]["repository"]["pullRequest"]["reviewThreads"].clone()
    };
    let first = page(Value::Null).await;
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let second = page(first["pageInfo"]["endCursor"].clone()).await;
    assert_eq!(second["pageInfo"]["hasNextPage"], false);
    let thread = &second["nodes"][0];
    assert_eq!((&thread["path"], &thread["line"], &thread["isResolved"]), (&json!("b.yaml"), &json!(1), &json!(false)));
    assert_eq!(thread["comments"]["nodes"][0]["databaseId"], ids[1]);
    assert_eq!(thread["comments"]["nodes"][0]["author"]["login"], "gradus", "without [bot], unlike REST");

    let mutation = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id, clientMutationId: \"m\"}) {
        clientMutationId thread { id isResolved } } }";
    let answer = ask(&world.bot, mutation, json!({"id": thread["id"]})).await;
    assert_eq!(answer["data"]["resolveReviewThread"]["thread"]["isResolved"], true);
    assert_eq!(answer["data"]["resolveReviewThread"]["clientMutationId"], "m");
    let resolved: Vec<bool> = world.hub.threads(world.pull).iter().map(|thread| thread.resolved).collect();
    assert_eq!(resolved, [false, true]);
    world.hub.finish();
}

#[tokio::test]
async fn a_hundred_open_pull_requests_come_with_head_and_last_review() {
    let world = World::new().await;
    let users: Vec<_> = (2..=120).map(|number| world.hub.user(&format!("learner{number}"))).collect();
    for user in &users {
        world.hub.open_pull(world.repo, *user, "fix", &sha('b'));
    }
    world.bot.post(REVIEWS, json!({"body": "one", "event": "COMMENT"})).await;
    world.bot.post(REVIEWS, json!({"body": "two", "event": "COMMENT"})).await;
    let query = "query($after: String) { repository(owner: \"acme\", name: \"cnpe\") {
        pullRequests(states: OPEN, first: 100, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
            totalCount pageInfo { hasNextPage endCursor }
            nodes { number headRefOid isDraft updatedAt author { __typename login ... on User { databaseId } }
                reviews(last: 1, states: [COMMENTED, APPROVED, CHANGES_REQUESTED]) {
                    nodes { databaseId state body commit { oid } author { ... on Bot { databaseId } } } } } } }
        rateLimit { cost remaining } }";
    let page = async |after: Value| ask(&world.bot, query, json!({"after": after})).await["data"].clone();
    let first = page(Value::Null).await;
    let pulls = &first["repository"]["pullRequests"];
    assert_eq!((&pulls["totalCount"], pulls["nodes"].as_array().unwrap().len()), (&json!(120), 100));
    let one = &pulls["nodes"][0];
    assert_eq!((&one["number"], &one["headRefOid"]), (&json!(1), &json!(sha('a'))));
    assert_eq!(one["author"]["databaseId"], world.ada.0);
    assert_eq!(one["reviews"]["nodes"][0]["body"], "two");
    assert_eq!(one["reviews"]["nodes"][0]["author"]["databaseId"], world.app.bot.0);
    // One of the page is closed before the next page is asked for: nothing is skipped.
    world.hub.close(world.pull);
    let rest = page(pulls["pageInfo"]["endCursor"].clone()).await;
    let numbers: Vec<_> = rest["repository"]["pullRequests"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (101..=120).collect::<Vec<_>>());
    assert_eq!(rest["repository"]["pullRequests"]["pageInfo"]["hasNextPage"], false);
    let installation = world.hub.state().installations.keys().next().copied().unwrap();
    assert_eq!(world.hub.remaining(Actor::Installation(installation), Resource::Graphql), 4_998);
    world.hub.finish();
}

#[tokio::test]
async fn pending_reviews_are_their_authors_alone_here_too() {
    let world = World::new().await;
    let pending = world.bot.post(REVIEWS, json!({"body": "x"})).await.id();
    let query = "{ repository(owner: \"acme\", name: \"cnpe\") { pullRequest(number: 1) {
        reviews(first: 10, states: PENDING) { nodes { databaseId } } } } }";
    let count = async |client: &Client| {
        let answer = ask(client, query, json!({})).await;
        answer["data"]["repository"]["pullRequest"]["reviews"]["nodes"].as_array().unwrap().len()
    };
    assert_eq!((count(&world.bot).await, count(&world.client(world.ada)).await), (1, 0));
    world.bot.delete(&format!("{REVIEWS}/{pending}")).await;
    world.hub.finish();
}

#[tokio::test]
async fn what_the_schema_or_the_fake_does_not_know_is_a_violation() {
    let world = World::new().await;
    let one = |says: &str| {
        let found = world.hub.take_violations();
        assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    };
    ask(&world.bot, "{ viewer { logn } }", json!({})).await;
    one("logn");
    ask(&world.bot, "query($id: ID!) { node(id: $id) { id } }", json!({})).await;
    one("variables do not fit");
    let viewer = ask(&world.bot, "{ viewer { me: login databaseId } }", json!({})).await;
    assert_eq!(viewer["data"]["viewer"], json!({"me": "gradus[bot]", "databaseId": world.app.bot.0}));
    ask(&world.bot, "{ viewer { login } meta { gitHubServicesSha } }", json!({})).await;
    one("does not know the field Query.meta");
    let unpaged = "{ repository(owner: \"acme\", name: \"cnpe\") { pullRequests { totalCount } } }";
    ask(&world.bot, unpaged, json!({})).await;
    one("You must provide a `first` or `last`");
    let many = "{ repository(owner: \"acme\", name: \"cnpe\") { pullRequests(first: 101) { totalCount } } }";
    ask(&world.bot, many, json!({})).await;
    one("limit of 100 records");
    assert_eq!(
        Client::anonymous(&world.hub).post("/graphql", json!({"query": "{ viewer { login } }"})).await.status,
        401
    );
    world.hub.finish();
}

#[tokio::test]
async fn a_mutation_needs_the_permission_to_write() {
    let world = World::new().await;
    let posted = world.bot.post(REVIEWS, json!({"body": "old", "event": "COMMENT"})).await;
    let installation = world.hub.state().installations.keys().next().copied().unwrap();
    world.hub.permit(installation, [("pull_requests".to_owned(), Access::Read)].into());
    let reader = Client::with(&world.hub, &super::client::token(&world.hub, &world.app, installation).await);
    let mutation = "mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) {
        clientMutationId } }";
    let refused = ask(&reader, mutation, json!({"id": posted.body["node_id"]})).await;
    assert_eq!(refused["errors"][0]["message"], "Resource not accessible by integration");
    assert!(world.hub.minimized(world.pull).is_empty());
    world.hub.finish();
}
