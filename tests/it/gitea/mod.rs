//! The Gitea dialect against a real Gitea.

mod academy;
mod server;

use academy::Academy;
use server::Server;

#[test]
fn a_learner_forks_the_published_workspace_and_opens_a_pull_request() {
    let academy = Academy::new("first");
    let ada = academy.learner("ada");
    ada.clone.branch("work");
    ada.clone.answer("3", "aurora");
    let pull = ada.open("work");
    let seen = academy.ask("bot", "GET", &format!("/pulls/{pull}"), None, 200);
    assert_eq!(seen["head"]["sha"].as_str(), Some(&*ada.clone.head()));
    assert_eq!(seen["user"]["login"], "ada");
    assert_eq!(seen["state"], "open");
}

#[test]
fn a_token_may_do_what_its_scopes_say() {
    let server = Server::shared();
    let token = format!("token {}", server.token("bot", "narrow", &["read:user"]));
    let (status, answer) = server.authorized(&token, "GET", "/user", None);
    assert_eq!((status, answer["login"].as_str()), (200, Some("bot")));
    let (status, answer) = server.authorized(&token, "GET", "/repos/search", None);
    assert_eq!(status, 403, "{answer}");
}
