//! A gradebook that several daemons share through a server, over HTTP with a token.

mod gitea;
mod github;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gradus::forge::pull::User;
use gradus::gradebook::entry::Entry;
use gradus::gradebook::{Gradebook, Origin};
use serde_json::json;

/// Daemons that share one repository, and the token that their operator gave them.
struct Daemons {
    dir: tempfile::TempDir,
    address: String,
    branch: &'static str,
    token: Arc<Mutex<Option<String>>>,
}

impl Daemons {
    fn new(address: String, branch: &'static str) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), address, branch, token: Arc::default() }
    }

    fn give(&self, token: Option<&str>) {
        *self.token.lock().unwrap() = token.map(str::to_owned);
    }

    fn path(&self, daemon: &str) -> PathBuf {
        let path = self.dir.path().join(daemon);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// As after a start.
    fn open(&self, daemon: &str) -> Gradebook {
        let token = self.token.clone();
        let give: gradus::gradebook::Token = Arc::new(move || token.lock().unwrap().clone());
        Gradebook::shared(self.path(daemon), Origin::new(&self.address, self.branch, Some(give)).unwrap())
    }

    /// What it says when this token is in its configuration, with everything that could be logged.
    fn refused(&self, gradebook: &Gradebook, token: Option<&str>) -> String {
        self.give(token);
        let error = gradebook.exchange().unwrap_err();
        let everything = format!("{error:?} {gradebook:?} {:?}", gradebook.backlog().unwrap());
        assert!(token.is_none_or(|token| !format!("{error} {everything}").contains(token)), "{everything}");
        error.to_string()
    }
}

/// An entry of this number, which two daemons write alike.
fn hint(number: u32) -> Entry {
    serde_json::from_value(json!({
        "kind": "hint", "at": 1_795_507_200_000_i64, "course": "hello", "task": "first", "checkpoint": "replicas",
        "number": number, "cost": 0,
    }))
    .unwrap()
}

fn write(gradebook: &Gradebook, numbers: impl IntoIterator<Item = u32>) {
    let entries: Vec<Entry> = numbers.into_iter().map(hint).collect();
    gradebook.append(&User::local("ada".parse().unwrap()), &entries).unwrap();
}

fn count(gradebook: &Gradebook) -> usize {
    gradebook.book(&"ada".parse().unwrap()).unwrap().entries().len()
}

/// Two daemons that were started with tokens that are not good enough, and then with one that is.
fn shared(daemons: &Daemons, wrong: &[(Option<&str>, &str)], right: &str) {
    let (one, two) = (daemons.open("one"), daemons.open("two"));
    write(&one, 0..3);
    for (token, says) in wrong {
        let said = daemons.refused(&one, *token);
        assert!(said.contains(says) && said.contains("able to read and write"), "{token:?}: {said}");
        assert_eq!(one.backlog().unwrap().unwrap().waiting, 3, "{token:?}");
    }
    daemons.give(Some(right));
    assert_eq!(one.exchange().unwrap().sent, 3);
    assert_eq!(one.exchange().unwrap(), Default::default(), "nothing is left to say");
    write(&two, 2..5);
    let exchanged = two.exchange().unwrap();
    assert_eq!((exchanged.received, exchanged.sent), (1, 2), "the entry that both wrote is one");
    assert_eq!(one.exchange().unwrap().received, 1);
    assert_eq!((count(&one), count(&two)), (5, 5));
    std::thread::scope(|scope| {
        for (daemon, first) in [("one", 5), ("two", 7), ("three", 9)] {
            scope.spawn(move || {
                let gradebook = daemons.open(daemon);
                for number in first..first + 2 {
                    write(&gradebook, [number]);
                    let deadline = Instant::now() + Duration::from_secs(120);
                    while let Err(error) = gradebook.exchange() {
                        assert!(Instant::now() < deadline, "{daemon}: {error}");
                    }
                }
            });
        }
    });
    for daemon in ["one", "two", "three"] {
        let gradebook = daemons.open(daemon);
        gradebook.exchange().unwrap();
        assert_eq!(count(&gradebook), 11, "{daemon}");
        assert_eq!(gradebook.backlog().unwrap().unwrap().waiting, 0);
    }
    let secrets = wrong.iter().filter_map(|(token, _)| *token).chain([right]);
    secrets.for_each(|secret| nowhere(secret, daemons.dir.path()));
}

/// No file below this directory holds a secret.
fn nowhere(secret: &str, dir: &Path) {
    let found = Command::new("grep").args(["-rlF", secret]).arg(dir).output().unwrap();
    assert_eq!(String::from_utf8(found.stdout).unwrap(), "");
}
