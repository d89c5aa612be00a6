//! Learners with repositories of their own: forks of the workspace, in which they open, merge and administer everything.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{CANARY, PROGRAM, Serve, World};
use crate::fake_github::state::ids::IssueRef;
use crate::gitea::academy::{Academy, Learner};

const FORKS: &str = "policy: {pullRequests: fork, closeAfter: 0s}\n";

/// Looks for new forks when a webhook is about one, and otherwise once an hour.
const HOURLY: &str = "policy: {pullRequests: fork}\nsweep: {recent: 1s, full: 1h}\n";

async fn world(more: &str) -> World {
    let world = World::new().await;
    world.write("gradus.yaml", &world.config(more));
    world
}

/// What we answered in comments, oldest first.
fn answers(world: &World, at: IssueRef) -> Vec<String> {
    world.hub.comments(at).into_iter().filter(|one| one.user == world.app.bot).map(|one| one.body).collect()
}

/// Requests that were made about a repository.
fn calls(world: &World, repository: &str) -> usize {
    let path = format!("/repos/{repository}/");
    world.hub.calls().iter().filter(|call| call.asked.path.starts_with(&path)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_inside_of_each_learners_fork_are_reviewed_there_and_what_passed_is_theirs_to_merge() {
    let world = world(FORKS).await;
    let (ada, bob) = (world.fork_with_app("ada"), world.fork_with_app("bob"));
    let of_ada = world.open_in(ada, "ada", 3, "none");
    let of_bob = world.open_in(bob, "bob", 3, "aurora");
    let serve = world.serve(&[]);
    world.reviewed(of_ada, 1, "Not yet: 4 of 7 points").await;
    world.reviewed(of_bob, 1, "Merge it: in this repository of yours, that deploys it.").await;
    let head = world.push(of_ada, 3, "aurora");
    world.reviewed(of_ada, 2, "7 of 7 points").await;
    let passed = |world: &World| {
        let all = world.hub.statuses(ada, &head);
        all.iter().any(|status| format!("{status:?}").to_lowercase().contains("success"))
    };
    world.until("the status", passed).await;
    world.at_rest(&serve).await;
    // `closeAfter` is for the workspace.
    for at in [of_ada, of_bob] {
        assert!(world.hub.issue(at).open, "closed by us");
    }
    let in_workspace = world.open("eve", 3, "aurora");
    world.reviewed(in_workspace, 1, "7 of 7 points").await;
    assert!(!world.reviews(in_workspace)[0].contains("Merge it"));
    world.until("closed", |world| !world.hub.issue(in_workspace).open).await;
    world.hub.merge(of_bob, world.user("bob"));
    world.until("seen", |_| serve.get("/healthz").1.contains("acme/tiny: 2 forks\n")).await;
    assert_eq!(world.deliver_of(&serve, "bob/tiny", of_bob.number, &world.hook()), 202);
    world.at_rest(&serve).await;
    assert_eq!(world.reviews(of_bob).len(), 1, "merged: at rest");
    assert!(serve.get("/healthz").1.starts_with("ok\n"), "{}", serve.get("/healthz").1);
    let (code, _, logged) = serve.stop("TERM");
    assert_eq!(code, Some(0));
    assert!(!logged.contains(CANARY), "{logged}");
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_administers_a_fork_is_no_instructor_in_it() {
    let world = world(&format!("{FORKS}gradebook: {{dir: book}}\n")).await;
    let fork = world.fork_with_app("ada");
    let (ada, teacher) = (world.user("ada"), world.user("teacher"));
    world.hub.set_role(world.repo, teacher, crate::fake_github::state::repo::Role::Write);
    let friend = world.user("friend");
    world.hub.set_role(fork, friend, crate::fake_github::state::repo::Role::Admin);
    let at = world.open_in(fork, "ada", 3, "none");
    let _serve = world.serve(&[]);
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    for (count, who) in [(1, ada), (2, friend)] {
        world.hub.comment(at, who, "/waive first/team because I say so");
        world.until("an answer", |world| answers(world, at).len() >= count).await;
        let answer = answers(&world, at).pop().unwrap();
        assert!(answer.contains("instructor") && !answer.contains("gradebook"), "{answer}");
    }
    world.hub.comment(at, teacher, "/waive first/team the label is not taught yet");
    world.until("an answer", |world| answers(world, at).len() >= 3).await;
    let answer = answers(&world, at).pop().unwrap();
    assert!(answer.contains("Waived") || answer.contains("waived"), "{answer}");
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_a_learner_takes_away_is_not_posted_again() {
    let world = world(FORKS).await;
    let fork = world.fork_with_app("ada");
    let at = world.open_in(fork, "ada", 3, "none");
    let serve = world.serve(&[]);
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    world.at_rest(&serve).await;
    let review = world.hub.reviews_by(at, world.app.bot).remove(0).id;
    world.hub.delete_review(at, review);
    assert_eq!(world.deliver_of(&serve, "ada/tiny", at.number, &world.hook()), 202);
    world.hub.comment(at, world.user("ada"), "/progress");
    world.until("an answer", |world| answers(world, at).len() == 1).await;
    world.at_rest(&serve).await;
    assert_eq!(serve.stop("TERM").0, Some(0));
    let serve = world.serve(&[]);
    world.until("a full sweep", |_| serve.get("/healthz").1.contains("everything compared")).await;
    world.at_rest(&serve).await;
    assert_eq!(world.reviews(at).len(), 0);
    world.push(at, 3, "aurora");
    world.reviewed(at, 1, "7 of 7 points").await;
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_appears_later_is_found_when_a_webhook_tells_of_it_and_no_other_repository_ever_is() {
    let world = world(HOURLY).await;
    let serve = world.serve(&[]);
    world.until("the first list", |_| serve.get("/healthz").1.contains("acme/tiny: 0 forks\n")).await;
    // A repository of the same name that was forked from nothing, and one that was forked from a fork.
    let stranger = world.hub.repository(world.user("mallory"), "tiny");
    world.hub.install(&world.app, &[stranger]);
    let fork = world.fork_with_app("ada");
    let second = world.hub.fork(fork, world.user("eve"));
    world.hub.install(&world.app, &[second]);
    let at = world.open_in(fork, "ada", 3, "aurora");
    for name in ["mallory/tiny", "eve/tiny", "Ada/Tiny"] {
        assert_eq!(world.deliver_of(&serve, name, 1, &world.hook()), 202);
    }
    world.reviewed(at, 1, "7 of 7 points").await;
    world.at_rest(&serve).await;
    assert!(serve.get("/healthz").1.contains("acme/tiny: 1 forks\n"), "{}", serve.get("/healthz").1);
    assert_eq!((calls(&world, "mallory/tiny"), calls(&world, "eve/tiny")), (0, 0));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_fork_is_the_same_and_one_that_is_made_anew_is_another() {
    let world = world("policy: {pullRequests: fork}\nsweep: {recent: 1s, full: 10s}\n").await;
    let fork = world.fork_with_app("ada");
    let at = world.open_in(fork, "ada", 3, "none");
    let serve = world.serve(&[]);
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    world.at_rest(&serve).await;
    world.hub.rename_repository(fork, "mine");
    world.until("served by its new name", |world| calls(world, "ada/mine") > 2).await;
    world.at_rest(&serve).await;
    assert_eq!(world.reviews(at).len(), 1, "answered under its old name");
    world.push(at, 3, "aurora");
    world.reviewed(at, 2, "7 of 7 points").await;
    world.hub.delete_repository(fork);
    let anew = world.fork_with_app("ada");
    let at = world.open_in(anew, "ada", 3, "aurora");
    assert_eq!(at.number, 1, "counted from the beginning");
    world.reviewed(at, 1, "").await;
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_without_the_app_is_named_by_doctor_and_no_trouble_of_others() {
    let world = world(FORKS).await;
    let (_ada, bob) = (world.fork("ada"), world.fork_with_app("bob"));
    let at = world.open_in(bob, "bob", 3, "aurora");
    let serve = world.serve(&[]);
    world.reviewed(at, 1, "7 of 7 points").await;
    let told = "acme/tiny: 2 forks, 1 of them cannot be used, `gradus doctor` says why\n";
    world.until("told", |_| serve.get("/healthz").1.contains(told)).await;
    assert!(serve.get("/healthz").1.starts_with("ok\n"), "one learner's own doing");
    let doctor = world.run(&["doctor"]);
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(text.contains("we may write to 1 of 2 forks"), "{text}");
    assert!(text.contains("ada/tiny: ") && text.contains("is not installed on ada/tiny"), "{text}");
    assert!(!text.contains("bob/tiny"), "{text}");
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_come_and_go_with_the_policy_while_it_runs() {
    let world = world("").await;
    let fork = world.fork_with_app("ada");
    let at = world.open_in(fork, "ada", 3, "none");
    let serve = world.serve(&[]);
    world.until("the first sweep", |_| serve.get("/healthz").1.contains("everything compared")).await;
    assert_eq!(calls(&world, "ada/tiny"), 0, "not asked for");
    world.write("gradus.yaml", &world.config(FORKS));
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    world.write("gradus.yaml", &world.config(""));
    world.until("the end of forks", |_| !serve.get("/healthz").1.contains("forks")).await;
    world.at_rest(&serve).await;
    world.push(at, 3, "aurora");
    assert_eq!(world.deliver_of(&serve, "ada/tiny", at.number, &world.hook()), 202);
    // The workspace goes on.
    let in_workspace = world.open("bob", 3, "aurora");
    world.reviewed(in_workspace, 1, "7 of 7 points").await;
    world.at_rest(&serve).await;
    assert_eq!(world.reviews(at).len(), 1, "nobody's business any more");
    world.write("gradus.yaml", &world.config(FORKS));
    world.reviewed(at, 2, "7 of 7 points").await;
    assert_eq!(serve.stop("TERM").0, Some(0));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_on_one_store_review_each_push_in_a_fork_once() {
    let world = world(FORKS).await;
    let learners = ["ada", "bob", "eve"];
    let pulls = learners.map(|login| {
        let fork = world.fork_with_app(login);
        world.open_in(fork, login, 3, "none")
    });
    let daemons = [world.serve(&[]), world.serve(&[])];
    for at in pulls {
        world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    }
    for at in pulls {
        world.push(at, 3, "aurora");
    }
    for at in pulls {
        world.reviewed(at, 2, "7 of 7 points").await;
    }
    for daemon in &daemons {
        world.at_rest(daemon).await;
    }
    for at in pulls {
        assert_eq!(world.reviews(at).len(), 2);
    }
    for daemon in daemons {
        assert_eq!(daemon.stop("TERM").0, Some(0));
    }
    world.hub.finish();
}

/// A fork on the real Gitea, and what people do there.
struct Fork {
    academy: Arc<Academy>,
    learner: Learner,
}

impl Fork {
    fn new(academy: &Arc<Academy>, login: &str) -> Self {
        Self { academy: academy.clone(), learner: academy.learner(login) }
    }

    fn ask(&self, user: &str, method: &str, path: &str, body: Option<Value>, expected: u16) -> Value {
        let path = format!("/repos/{}/{}{path}", self.learner.name, self.academy.name);
        self.academy.server.ask(user, method, &path, body, expected)
    }

    /// Lets the bot in, as docs/gitea.md says.
    fn let_in(&self) {
        let rights = json!({"permission": "write"});
        self.ask(&self.learner.name, "PUT", "/collaborators/bot", Some(rights), 204);
    }

    /// Opens a pull request inside of the fork; its number.
    fn open(&self, branch: &str, team: &str) -> i64 {
        self.learner.clone.branch(branch);
        self.push(team);
        let body = json!({"head": branch, "base": "main", "title": branch});
        self.ask(&self.learner.name, "POST", "/pulls", Some(body), 201)["number"].as_i64().unwrap()
    }

    fn push(&self, team: &str) {
        self.learner.clone.answer("3", team);
        self.learner.clone.hand_in();
    }

    /// Reviews of the bot: the number of the comment that holds the text, and the text; oldest first.
    fn reviews(&self, pull: i64) -> Vec<(String, String)> {
        let found = self.ask(&self.learner.name, "GET", &format!("/pulls/{pull}/reviews"), None, 200);
        let bots = found.as_array().unwrap().iter().filter(|review| review["user"]["login"] == "bot");
        let text = |review: &Value, field: &str| review[field].as_str().unwrap().to_owned();
        let comment = |review: &Value| text(review, "html_url").rsplit('-').next().unwrap().to_owned();
        bots.map(|review| (comment(review), text(review, "body"))).collect()
    }

    /// Reviews of the bot that the page shows, oldest first.
    fn shown(&self, pull: i64) -> Vec<String> {
        let at = |page| format!("/issues/{pull}/timeline?limit=5&page={page}");
        let page = |page| self.ask(&self.learner.name, "GET", &at(page), None, 200);
        let entries = (1..=10).map(page).flat_map(|page| page.as_array().cloned().unwrap_or_default());
        let bots = entries.filter(|entry| entry["type"] == "review" && entry["user"]["login"] == "bot");
        bots.map(|entry| entry["body"].as_str().unwrap().to_owned()).collect()
    }

    fn reviewed(&self, pull: i64, count: usize, says: &str) {
        let what = format!("{count} reviews for {}, the last with `{says}`", self.learner.name);
        within(&what, || {
            let reviews = self.reviews(pull);
            reviews.len() >= count && reviews.last().is_some_and(|(_, body)| body.contains(says))
        });
        assert_eq!(self.reviews(pull).len(), count);
    }

    fn say(&self, user: &str, pull: i64, text: &str) {
        self.ask(user, "POST", &format!("/issues/{pull}/comments"), Some(json!({"body": text})), 201);
    }

    /// Comments of the bot, oldest first.
    fn answers(&self, pull: i64) -> Vec<String> {
        let found = self.ask(&self.learner.name, "GET", &format!("/issues/{pull}/comments"), None, 200);
        let bots = found.as_array().unwrap().iter().filter(|comment| comment["user"]["login"] == "bot");
        bots.map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }

    fn answered(&self, pull: i64, count: usize) -> String {
        within("an answer", || self.answers(pull).len() >= count);
        self.answers(pull).pop().unwrap()
    }
}

fn within(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 120 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A daemon for the workspace and its forks that looks often: no webhook tells it of anything.
fn gitea() -> (Arc<Academy>, Command) {
    let academy = Academy::new();
    std::fs::write(academy.path("token"), &academy.server.bot).unwrap();
    let config = format!(
        "apiVersion: gradus.dev/v1alpha1\nkind: Config\nforges:\n  - name: git\n    kind: gitea\n    address: {}\n    auth: \
         {{token: {{file: token}}}}\ncourses:\n  - {{id: tiny, source: {{dir: tiny}}}}\nworkspaces:\n  - {{forge: git, \
         repository: teacher/{}, course: tiny, policy: {{pullRequests: fork}}}}\nlisten: 127.0.0.1:0\nsweep: {{recent: 1s, full: \
         10s}}\n",
        academy.server.address(),
        academy.name
    );
    std::fs::write(academy.path("gradus.yaml"), config).unwrap();
    let mut command = Command::new(PROGRAM);
    command.current_dir(academy.path(""));
    command.env("GRADUS_KEY", format!("{CANARY}-of-the-operator-0123456789")).env("GRADUS_LOG", "warn,gradus=debug");
    (academy, command)
}

#[test]
fn on_a_real_gitea_each_learners_fork_is_a_place_of_its_own() {
    let (academy, mut command) = gitea();
    let ada = Fork::new(&academy, "ada");
    ada.let_in();
    let of_ada = ada.open("work", "none");
    let serve = Serve::start({
        command.arg("serve");
        command
    });
    ada.reviewed(of_ada, 1, "Not yet: 4 of 7 points");
    // One that appears later.
    let bob = Fork::new(&academy, "bob");
    bob.let_in();
    let of_bob = bob.open("work", "aurora");
    bob.reviewed(of_bob, 1, "Merge it: in this repository of yours, that deploys it.");

    ada.say("ada", of_ada, "/waive first/team because I say so");
    let answer = ada.answered(of_ada, 1);
    assert!(answer.contains("instructor"), "{answer}");

    // Whoever administers a repository may take away what others wrote: the page does not show it any more.
    assert_eq!(ada.shown(of_ada).len(), 1);
    let comment = ada.reviews(of_ada).remove(0).0;
    ada.ask("ada", "DELETE", &format!("/issues/comments/{comment}"), None, 204);
    assert_eq!(ada.shown(of_ada).len(), 0);
    ada.say("ada", of_ada, "/progress");
    ada.answered(of_ada, 2);
    assert_eq!(ada.shown(of_ada).len(), 0, "taken away, and answered before");
    ada.push("aurora");
    within("the next one", || ada.shown(of_ada).iter().any(|body| body.contains("7 of 7 points")));
    assert_eq!(ada.shown(of_ada).len(), 1);

    let fork = format!("forks/{}#{of_bob} ", bob.ask("bob", "GET", "", None, 200)["id"]);
    let rested = || {
        let mark = |line: &&str| line.contains(&fork) && line.contains("step=Rest");
        serve.logged().lines().filter(mark).count()
    };
    bob.ask("bob", "POST", &format!("/pulls/{of_bob}/merge"), Some(json!({"Do": "merge"})), 200);
    let before = rested();
    within("the sweep that sees it", || rested() > before);
    assert_eq!(bob.reviews(of_bob).len(), 1);
    let (code, _, logged) = serve.stop("TERM");
    assert_eq!(code, Some(0));
    assert!(!logged.contains(CANARY) && !logged.contains(&academy.server.bot), "{logged}");
}

#[test]
fn doctor_says_into_which_forks_of_a_real_gitea_the_bot_is_not_let() {
    let (academy, mut command) = gitea();
    let (ada, _eve) = (Fork::new(&academy, "ada"), Fork::new(&academy, "eve"));
    ada.let_in();
    let output = command.arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("we may write to 1 of 2 forks"), "{text}");
    assert!(text.contains(&format!("eve/{}: our account may not write there", academy.name)), "{text}");
    assert!(!text.contains(&format!("ada/{}", academy.name)), "{text}");
}
