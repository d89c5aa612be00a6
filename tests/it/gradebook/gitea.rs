//! On a real Gitea.

use serde_json::json;

use super::{Daemons, shared};
use crate::gitea::server::Server;

#[test]
fn on_gitea_daemons_share_a_gradebook_once_the_token_is_right() {
    let server = Server::shared();
    // Nothing is in it: the first daemon makes the branch.
    server.ask("teacher", "POST", "/user/repos", Some(json!({"name": "grades", "private": true})), 201);
    let collaborate = |permission: &str| {
        let body = Some(json!({"permission": permission}));
        server.ask("teacher", "PUT", "/repos/teacher/grades/collaborators/bot", body, 204);
    };
    collaborate("write");
    let stranger = server.token("eve", "grades", &["write:repository"]);
    let reader = server.token("bot", "grades-read", &["read:repository"]);
    let writer = server.token("bot", "grades", &["write:repository"]);
    let wrong = [
        (None, "the server asks for a token (401)"),
        (Some("0123456789abcdef0123456789abcdef01234567"), "the server does not take the token (401)"),
        (Some(&*stranger), "the server shows no such repository (404)"),
        (Some(&*reader), "the server does not allow it (403)"),
    ];
    let daemons = Daemons::new(format!("{}/teacher/grades.git", server.address()), "main");
    shared(&daemons, &wrong, &writer);

    // A branch that the bot may not push to, in Gitea's own words.
    let protect = json!({"rule_name": "main", "enable_push": true, "enable_push_whitelist": true,
                         "push_whitelist_usernames": ["teacher"]});
    server.ask("teacher", "POST", "/repos/teacher/grades/branch_protections", Some(protect), 201);
    let one = daemons.open("one");
    super::write(&one, [100]);
    let said = daemons.refused(&one, Some(&writer));
    assert!(said.contains("does not take the gradebook") && said.contains("protected branch main"), "{said}");
}
