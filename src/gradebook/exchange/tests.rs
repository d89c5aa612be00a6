//! Several daemons, an instructor and a repository between them, over git2's local transport, which takes the later of two
//! pushes without a word (worse than any server), and over HTTP.

use std::sync::{Arc, Mutex};

use super::super::decision::file::{name, write};
use super::super::decision::tests::{quarantine, waiver};
use super::super::entry::Entry;
use super::super::entry::tests::{fail, pass, verdict};
use super::super::{Gradebook, Origin};
use super::*;
use crate::checkpoint::outcome::Outcome;
use crate::forge::http::Limits;
use crate::forge::pull::User;
use crate::forge::remote::testing::{Backend, Doors, address};

struct World {
    dir: tempfile::TempDir,
    served: Option<Backend>,
    token: Arc<Mutex<Option<String>>>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Repository::init_bare(dir.path().join("origin.git")).unwrap();
        Self { dir, served: None, token: Arc::default() }
    }

    /// With a server in front of the repository.
    fn served(doors: Doors) -> Self {
        let world = Self::new();
        let served = Some(Backend::new(&world.dir.path().join("origin.git"), doors));
        Self { served, ..world }
    }

    fn both() -> [Self; 2] {
        [Self::new(), Self::served(Doors::Open)]
    }

    fn bare(&self) -> Repository {
        Repository::open_bare(self.dir.path().join("origin.git")).unwrap()
    }

    fn origin(&self) -> Origin {
        let Some(served) = &self.served else {
            return Origin::new(self.dir.path().join("origin.git").to_str().unwrap(), "main", None).unwrap();
        };
        let token = self.token.clone();
        let give: super::super::Token = Arc::new(move || token.lock().unwrap().clone());
        let transport = || Ok(served.transport(Limits::default()));
        Origin::over(&address().to_string(), "main", Some(give), transport).unwrap()
    }

    fn path(&self, daemon: &str) -> PathBuf {
        let path = self.dir.path().join(daemon);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// As after a start.
    fn open(&self, daemon: &str) -> Gradebook {
        Gradebook::shared(self.path(daemon), self.origin())
    }

    /// A file as the repository has it.
    fn there(&self, file: &str) -> Option<String> {
        let repository = self.bare();
        let commit = repository.find_reference("refs/heads/main").ok()?.peel_to_commit().unwrap();
        let entry = commit.tree().unwrap().get_path(Path::new(file)).ok()?;
        Some(String::from_utf8(repository.find_blob(entry.id()).unwrap().content().to_vec()).unwrap())
    }

    fn tip(&self) -> Option<Oid> {
        self.bare().refname_to_id("refs/heads/main").ok()
    }

    /// What an instructor does by hand and pushes; none takes a file away.
    fn by_hand(&self, changes: &[(&str, Option<&str>)]) {
        let repository = self.bare();
        let tip = self.tip().map(|tip| repository.find_commit(tip).unwrap());
        let before = match &tip {
            Some(tip) => tip.tree().unwrap(),
            None => repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap(),
        };
        let mut builder = TreeUpdateBuilder::new();
        for (file, text) in changes {
            match text {
                Some(text) => builder.upsert(*file, repository.blob(text.as_bytes()).unwrap(), FileMode::Blob),
                None => builder.remove(*file),
            };
        }
        let tree = repository.find_tree(builder.create_updated(&repository, &before).unwrap()).unwrap();
        let grace = Signature::now("grace", "grace@forge.example").unwrap();
        let parents: Vec<_> = tip.iter().collect();
        repository.commit(Some("refs/heads/main"), &grace, &grace, "by hand", &tree, &parents).unwrap();
    }
}

fn user(name: &str) -> User {
    User::local(name.parse().unwrap())
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

#[test]
fn what_one_daemon_writes_another_reads_and_a_restart_pushes_what_was_left() {
    for world in World::both() {
        let one = world.open("one");
        one.append(&user("ada"), &[fail("t", "a")]).unwrap();
        one.decide(&[waiver("ada", "c")]).unwrap();
        assert_eq!(one.backlog().unwrap().unwrap().waiting, 2);
        // It ends before anything is pushed.
        drop(one);
        let one = world.open("one");
        assert_eq!(one.backlog().unwrap().unwrap().waiting, 2);
        assert_eq!(one.exchange().unwrap().sent, 2);
        assert_eq!(one.backlog().unwrap().unwrap(), Backlog::clean(&one));
        let two = world.open("two");
        assert_eq!(two.exchange().unwrap().received, 2);
        let book = two.book(&"ada".parse().unwrap()).unwrap();
        assert!(book.record(&"hello".parse().unwrap(), &"t".parse().unwrap()).unwrap().passed(), "with the waiver");
        assert_eq!(two.exchange().unwrap(), Exchanged::default());
        assert_eq!(two.backlog().unwrap().unwrap().waiting, 0);
    }
}

impl super::super::Backlog {
    /// Nothing waits, whenever the last exchange was.
    fn clean(gradebook: &Gradebook) -> Self {
        Self { exchanged: gradebook.backlog().unwrap().unwrap().exchanged, ..Self::default() }
    }
}

use super::super::Backlog;

#[test]
fn entries_of_several_learners_are_one_commit() {
    let world = World::new();
    let one = world.open("one");
    for learner in ["ada", "bob", "eve"] {
        one.append(&user(learner), &[fail("t", "a")]).unwrap();
    }
    one.exchange().unwrap();
    let repository = world.bare();
    let commit = repository.find_commit(world.tip().unwrap()).unwrap();
    assert_eq!(commit.parent_count(), 0);
    assert_eq!(commit.message().unwrap(), "3 new, of 3 learners");
}

#[test]
fn two_daemons_and_an_instructor_at_once_lose_nothing_and_double_nothing() {
    const DAEMONS: usize = 3;
    // Processes take longer than function calls.
    for (world, rounds) in World::both().map(Arc::new).into_iter().zip([8, 3]) {
        let work = |daemon: usize| {
            let world = world.clone();
            move || {
                let gradebook = world.open(&format!("daemon-{daemon}"));
                for round in 0..rounds {
                    let mut own = verdict("t", "a", Outcome::Fail, 0);
                    own.pull = format!("local#{daemon}-{round}");
                    gradebook.append(&user("ada"), &[Entry::Verdict(own), pass("t", "b")]).unwrap();
                    // Whoever comes too late too often says so, and tries again.
                    let _ = gradebook.exchange();
                }
                let tries = (0..1000).map(|_| gradebook.exchange());
                assert!(tries.into_iter().any(|end| end.is_ok()), "daemon-{daemon} never gets through");
            }
        };
        std::thread::scope(|scope| {
            for daemon in 0..DAEMONS {
                scope.spawn(work(daemon));
            }
        });
        // A push that a later one replaced unseen is said again at the next look.
        for daemon in 0..DAEMONS {
            world.open(&format!("daemon-{daemon}")).exchange().unwrap();
        }
        let text = world.there("ada.jsonl").unwrap();
        let book = files::book("ada.jsonl", text.as_bytes());
        assert_eq!(book.entries().len(), DAEMONS * rounds + 1, "{text}");
        assert_eq!(lines(&text), DAEMONS * rounds + 1, "the same entry of three daemons is the same line");
    }
}

#[test]
fn an_unreachable_repository_costs_nothing_but_time() {
    let world = World::new();
    let away = world.dir.path().join("away.git");
    let origin = world.dir.path().join("origin.git");
    let one = world.open("one");
    std::fs::rename(&origin, &away).unwrap();
    one.append(&user("ada"), &[fail("t", "a")]).unwrap();
    let error = one.exchange().unwrap_err();
    assert!(matches!(error, ExchangeError::Git { .. }), "{error}");
    one.append(&user("ada"), &[pass("t", "b")]).unwrap();
    let backlog = one.backlog().unwrap().unwrap();
    assert_eq!((backlog.waiting, backlog.error.as_deref()), (2, Some(error.to_string().as_str())));
    assert!(backlog.since.is_some() && backlog.exchanged.is_none());
    std::fs::rename(&away, &origin).unwrap();
    assert_eq!(one.exchange().unwrap().sent, 2);
    assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 2);
}

#[test]
fn an_exchange_that_ended_anywhere_is_taken_up_again() {
    for world in World::both() {
        let one = world.open("one");
        one.append(&user("ada"), &[fail("t", "a")]).unwrap();
        one.exchange().unwrap();
        let two = world.open("two");
        two.append(&user("ada"), &[fail("t", "b")]).unwrap();
        two.exchange().unwrap();
        one.append(&user("ada"), &[fail("t", "c")]).unwrap();
        let exchange = Exchange::new(world.path("one"), world.origin());
        let clone = open_or_make(&exchange.dir.join(CLONE)).unwrap();
        let before = clone.refname_to_id(PUSHED).unwrap();
        let origin = world.origin();
        let reach = origin.reach().unwrap();
        let tip = reach.fetch(&clone).unwrap();
        // The files are joined and the process ends: before it noted so, before it pushed.
        let joined = exchange.join(&clone, tip).unwrap();
        assert!(joined.offer.is_some());
        clone.reference(PUSHED, before, true, "a crash").unwrap();
        one.exchange().unwrap();
        assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 3);
        // It pushed and ends before it saw so.
        one.append(&user("ada"), &[fail("t", "d")]).unwrap();
        let tip = reach.fetch(&clone).unwrap();
        let joined = exchange.join(&clone, tip).unwrap();
        reach.push(&clone, tip, joined.offer.unwrap()).unwrap();
        let tip = world.tip();
        assert_eq!(one.exchange().unwrap().sent, 0);
        assert_eq!((world.tip(), lines(&world.there("ada.jsonl").unwrap())), (tip, 4));
        // Even without the clone, which is only a copy.
        std::fs::remove_dir_all(world.path("one").join(CLONE)).unwrap();
        one.append(&user("ada"), &[fail("t", "e")]).unwrap();
        assert_eq!(one.exchange().unwrap().sent, 1);
        assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 5);
    }
}

#[test]
fn half_a_line_is_never_shared() {
    let world = World::new();
    let one = world.open("one");
    one.append(&user("ada"), &[fail("t", "a")]).unwrap();
    let path = world.path("one").join("ada.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
    one.exchange().unwrap();
    assert_eq!(world.there("ada.jsonl").unwrap(), whole);
}

#[test]
fn a_branch_that_was_rewritten_gets_everything_again_and_is_not_overwritten() {
    for world in World::both() {
        let one = world.open("one");
        one.append(&user("ada"), &[fail("t", "a"), fail("t", "b")]).unwrap();
        one.exchange().unwrap();
        world.bare().find_reference("refs/heads/main").unwrap().delete().unwrap();
        world.by_hand(&[("README.md", Some("grades"))]);
        let theirs = world.tip().unwrap();
        one.exchange().unwrap();
        assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 2);
        assert_eq!(world.there("README.md").unwrap(), "grades");
        assert!(world.bare().graph_descendant_of(world.tip().unwrap(), theirs).unwrap());
        assert!(!world.path("one").join("README.md").exists(), "what is not the gradebook's is not brought here");
    }
}

#[test]
fn what_an_instructor_pushes_by_hand_is_in_force_after_the_next_look() {
    for world in World::both() {
        let one = world.open("one");
        one.append(&user("ada"), &[fail("t", "a")]).unwrap();
        one.exchange().unwrap();
        let good = write(&waiver("ada", "c"));
        world.by_hand(&[
            ("decisions/by-hand.yaml", Some(&good)),
            ("decisions/broken.yaml", Some("kind: Waiver\nspec: 1\n")),
        ]);
        one.exchange().unwrap();
        let decisions = one.decisions().unwrap();
        assert_eq!(decisions.all().len(), 1);
        let problems: Vec<String> = decisions.problems().iter().map(ToString::to_string).collect();
        assert!(problems.iter().any(|problem| problem.starts_with("decisions/broken.yaml:2:7:")), "{problems:?}");
        world.by_hand(&[("decisions/by-hand.yaml", None)]);
        one.exchange().unwrap();
        assert_eq!(one.decisions().unwrap().all().len(), 0, "taken away by them, gone here");
        assert!(world.there("decisions/broken.yaml").is_some());
    }
}

#[test]
fn a_damaged_line_that_is_mended_by_hand_stays_mended() {
    let world = World::new();
    let one = world.open("one");
    one.append(&user("ada"), &[fail("t", "a")]).unwrap();
    let path = world.path("one").join("ada.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("nonsense\n{whole}")).unwrap();
    one.exchange().unwrap();
    assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 2);
    world.by_hand(&[("ada.jsonl", Some(&whole))]);
    one.append(&user("ada"), &[pass("t", "b")]).unwrap();
    one.exchange().unwrap();
    let text = world.there("ada.jsonl").unwrap();
    assert!(lines(&text) == 2 && !text.contains("nonsense"), "{text}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn of_a_decision_changed_on_both_sides_theirs_counts_and_it_is_said() {
    let world = World::new();
    let one = world.open("one");
    let decision = quarantine("c", "2026-12-01");
    one.decide(std::slice::from_ref(&decision)).unwrap();
    one.exchange().unwrap();
    let file = format!("decisions/{}", name(&decision));
    std::fs::write(world.path("one").join(&file), write(&quarantine("c", "2026-12-02"))).unwrap();
    let theirs = write(&quarantine("c", "2026-12-03"));
    world.by_hand(&[(&file, Some(&theirs))]);
    assert_eq!(one.exchange().unwrap().conflicts, std::slice::from_ref(&file));
    assert_eq!(std::fs::read_to_string(world.path("one").join(&file)).unwrap(), theirs);
}

#[test]
fn a_lost_disk_takes_nothing_away_from_the_repository() {
    for world in World::both() {
        let one = world.open("one");
        one.append(&user("ada"), &[fail("t", "a")]).unwrap();
        one.decide(&[waiver("ada", "c")]).unwrap();
        one.exchange().unwrap();
        let tip = world.tip();
        for lost in ["ada.jsonl", "decisions"] {
            let path = world.path("one").join(lost);
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
            world.open("one").exchange().unwrap();
            assert!(world.path("one").join(lost).exists(), "{lost}");
        }
        std::fs::remove_dir_all(world.path("one")).unwrap();
        world.open("one").exchange().unwrap();
        assert_eq!(world.tip(), tip);
        assert!(world.path("one").join("ada.jsonl").exists());
    }
}

#[test]
fn links_in_the_repository_are_not_brought_here() {
    let world = World::new();
    let repository = world.bare();
    let target = repository.blob(b"/etc/passwd").unwrap();
    let mut builder = TreeUpdateBuilder::new();
    builder.upsert("decisions/link.yaml", target, FileMode::Link).upsert("eve.jsonl", target, FileMode::Link);
    let empty = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let tree = repository.find_tree(builder.create_updated(&repository, &empty).unwrap()).unwrap();
    let eve = Signature::now("eve", "eve@forge.example").unwrap();
    repository.commit(Some("refs/heads/main"), &eve, &eve, "links", &tree, &[]).unwrap();
    let one = world.open("one");
    assert_eq!(one.exchange().unwrap().received, 0);
    assert!(!world.path("one").join("eve.jsonl").exists());
}

#[tokio::test]
async fn what_was_written_is_pushed_at_the_latest_when_it_ends() {
    let world = World::new();
    let one = Arc::new(world.open("one"));
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let keeping = tokio::spawn({
        let one = one.clone();
        async move { one.share(stopping).await }
    });
    one.append(&user("ada"), &[fail("t", "a")]).unwrap();
    stop.send_replace(true);
    keeping.await.unwrap();
    assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 1);
}

#[test]
fn a_wrong_token_costs_nothing_but_time_and_is_shown_nowhere() {
    let world = World::served(Doors::Tokens("wr1ter", "re4der"));
    let one = world.open("one");
    one.append(&user("ada"), &[fail("t", "a")]).unwrap();
    for (token, says) in [
        (None, "asks for a token (401): give one that is able to read and write"),
        (Some("wr0ng"), "does not take the token (401): give one that is in force and able to read and write"),
        (Some("re4der"), "does not allow it (403): the token must be able to read and write"),
    ] {
        *world.token.lock().unwrap() = token.map(str::to_owned);
        let error = one.exchange().unwrap_err();
        let shown = format!("{error} {error:?} {one:?} {:?}", one.backlog().unwrap());
        assert!(
            shown.contains("cannot exchange the gradebook with https://forge.test/") && shown.contains(says),
            "{shown}"
        );
        assert!(token.is_none_or(|token| !shown.contains(token)), "{shown}");
        assert_eq!(one.backlog().unwrap().unwrap().waiting, 1);
    }
    *world.token.lock().unwrap() = Some("wr1ter".to_owned());
    assert_eq!(one.exchange().unwrap().sent, 1);
    assert_eq!(lines(&world.there("ada.jsonl").unwrap()), 1);
    let found =
        std::process::Command::new("grep").args(["-rlE", "wr1ter|wr0ng|re4der"]).arg(world.path("one")).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");
}

#[test]
fn a_server_that_takes_no_push_is_told_from_one_where_others_were_faster() {
    let world = World::served(Doors::Open);
    let hook = world.dir.path().join("origin.git/hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let one = world.open("one");
    one.append(&user("ada"), &[fail("t", "a")]).unwrap();
    let error = one.exchange().unwrap_err();
    assert!(matches!(error, ExchangeError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("hook declined: main is protected; it must be a branch"), "{error}");
}
