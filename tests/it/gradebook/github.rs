//! On the fake GitHub, with real commits behind it.

use super::{Daemons, shared};
use crate::fake_github::Clock;
use crate::fake_github::hub::Hub;
use crate::fake_github::state::repo::Role;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_github_daemons_share_a_gradebook_once_the_token_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, _hands) = Clock::manual();
    let hub = Hub::new(clock);
    let repo = hub.repository(hub.organization("acme"), "grades");
    hub.with_git(repo, &dir.path().join("grades.git"), &[("README.md", "# Grades\n")]);
    hub.make_private(repo);
    let [stranger, reader, writer] = ["eve", "bob", "gradus"].map(|login| hub.user(login));
    hub.set_role(repo, reader, Role::Read);
    hub.set_role(repo, writer, Role::Write);
    let [stranger, reader, writer] = [stranger, reader, writer].map(|user| hub.personal_token(user));
    let serving = hub.serve().await.unwrap();
    let address = format!("{}/acme/grades.git", serving.base());
    let work = move || {
        let wrong = [
            (None, "the server asks for a token (401)"),
            (Some("ghp_never-given-to-anybody"), "the server does not take the token (401)"),
            (Some(&*stranger), "the server shows no such repository (404)"),
            (Some(&*reader), "the server does not allow it (403)"),
        ];
        shared(&Daemons::new(address.clone(), "main"), &wrong, &writer);
        // And on a branch that is not there yet.
        shared(&Daemons::new(address, "grades"), &wrong[..1], &writer);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
    drop(serving);
    hub.finish();
}
