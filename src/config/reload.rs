//! Follows the files of a configuration: it, its secrets, its learners' files.
//!
//! What a notification says is not looked at. It is the occasion to read everything again, as is a timer, since a
//! notification may be lost; only other content is news. Directories are watched and not files: editors replace files,
//! and Kubernetes swaps a link above them (`..data`). A file that cannot be used leaves the last good one in force.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};

use super::{Invalid, Loaded, load};

/// Looks environment variables up, for as long as the process lives.
pub type OwnedEnv = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What is in force, and whether the files say something that cannot be used.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The last good one.
    pub loaded: Arc<Loaded>,
    /// Why the files as they are now cannot be used.
    pub broken: Option<Arc<str>>,
}

/// When to look.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long to wait after a notification for further ones: a swap comes as a handful.
    pub settle: Duration,
    /// Time between two looks without any.
    pub again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { settle: Duration::from_millis(500), again: Duration::from_secs(60) }
    }
}

/// Follows the files from `loaded` on, until nobody listens any more.
pub fn follow(path: PathBuf, loaded: Arc<Loaded>, env: OwnedEnv, pace: Pace) -> watch::Receiver<Reading> {
    let (sender, receiver) = watch::channel(Reading { loaded, broken: None });
    tokio::spawn(run(path, env, pace, sender));
    receiver
}

async fn run(path: PathBuf, env: OwnedEnv, pace: Pace, sender: watch::Sender<Reading>) {
    let mut eyes = Eyes::default();
    loop {
        // Watched first, read then: what changes in between is seen.
        eyes.open(&path, &sender.borrow().loaded);
        let (read, env) = (path.clone(), env.clone());
        let result = tokio::task::spawn_blocking(move || load(&read, &*env)).await;
        if let Ok(result) = result {
            sender.send_if_modified(|reading| take(reading, result));
        }
        let notified = async {
            eyes.stirred().await;
            tokio::time::sleep(pace.settle).await;
        };
        tokio::select! {
            () = notified => {}
            () = tokio::time::sleep(pace.again) => {}
            () = sender.closed() => return,
        }
        eyes.forget();
    }
}

/// Takes over what was read. Whether that is news.
fn take(reading: &mut Reading, result: Result<Loaded, Invalid>) -> bool {
    match result {
        Ok(loaded) => {
            let news = *reading.loaded != loaded;
            if news {
                reading.loaded = Arc::new(loaded);
            }
            reading.broken.take().is_some() || news
        }
        Err(invalid) => {
            let text = invalid.to_string();
            let news = reading.broken.as_deref() != Some(&*text);
            reading.broken = Some(text.into());
            news
        }
    }
}

/// What notifies us, and of what.
#[derive(Default)]
struct Eyes {
    dirs: BTreeSet<PathBuf>,
    watching: Option<(notify::RecommendedWatcher, mpsc::Receiver<()>)>,
}

impl Eyes {
    /// Watches the directories of all files; those that cannot be watched are read by the timer.
    fn open(&mut self, path: &Path, loaded: &Loaded) {
        let parent = |path: &Path| match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut dirs: BTreeSet<PathBuf> = loaded.files().iter().map(|file| parent(file)).collect();
        dirs.insert(parent(path));
        if self.watching.is_some() && dirs == self.dirs {
            return;
        }
        let (sender, receiver) = mpsc::channel(1);
        // Full means that a look is due anyway.
        let tell = move |_: notify::Result<notify::Event>| {
            let _ = sender.try_send(());
        };
        let mut watcher = match notify::recommended_watcher(tell) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "files of the configuration are looked at every now and then only");
                return;
            }
        };
        for dir in &dirs {
            if let Err(error) = watcher.watch(dir, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, dir = %dir.display(), "looked at every now and then only");
            }
        }
        self.dirs = dirs;
        self.watching = Some((watcher, receiver));
    }

    /// Returns when something happened in one of the directories.
    async fn stirred(&mut self) {
        if let Some((_, receiver)) = &mut self.watching
            && receiver.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }

    /// What happened until now is about to be looked at.
    fn forget(&mut self) {
        if let Some((_, receiver)) = &mut self.watching {
            while receiver.try_recv().is_ok() {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::span::Span;

    const TEXT: &str = "\
apiVersion: gradus.dev/v1alpha1
kind: Config
forges:
  - {name: hub, kind: github, auth: {token: {file: token}}}
courses:
  - {id: hello, source: {dir: hello}}
workspaces:
  - {forge: hub, repository: acme/hello, course: hello}
keys: [{env: KEY}]
";

    /// As the kubelet mounts a ConfigMap: `..data` leads to a directory with a time in its name, and each file through it.
    struct Mount {
        dir: tempfile::TempDir,
        version: usize,
    }

    impl Mount {
        fn new() -> Self {
            let mut mount = Self { dir: tempfile::tempdir().unwrap(), version: 0 };
            std::fs::create_dir(mount.path("hello")).unwrap();
            std::fs::write(mount.path("hello/course.yaml"), "").unwrap();
            mount.swap(TEXT, "token-0");
            for name in ["gradus.yaml", "token"] {
                symlink(format!("..data/{name}"), mount.path(name)).unwrap();
            }
            mount
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn swap(&mut self, text: &str, token: &str) {
            self.version += 1;
            let version = format!("..2026_{}", self.version);
            std::fs::create_dir(self.path(&version)).unwrap();
            std::fs::write(self.path(&version).join("gradus.yaml"), text).unwrap();
            std::fs::write(self.path(&version).join("token"), token).unwrap();
            symlink(&version, self.path("..data_tmp")).unwrap();
            std::fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        }

        fn follow(&self, pace: Pace) -> watch::Receiver<Reading> {
            let env: OwnedEnv = Arc::new(|name| (name == "KEY").then(|| "k".repeat(32)));
            let loaded = Arc::new(load(&self.path("gradus.yaml"), &*env).unwrap());
            follow(self.path("gradus.yaml"), loaded, env, pace)
        }
    }

    /// Only notifications: the timer is far away.
    const NOTIFIED: Pace = Pace { settle: Duration::from_millis(20), again: Duration::from_secs(3600) };

    /// Only the timer.
    const TIMED: Pace = Pace { settle: Duration::from_secs(3600), again: Duration::from_millis(20) };

    async fn next(reading: &mut watch::Receiver<Reading>) -> Reading {
        tokio::time::timeout(Duration::from_secs(10), reading.changed()).await.expect("news").unwrap();
        reading.borrow_and_update().clone()
    }

    fn token(reading: &Reading) -> String {
        let (_, source) = crate::config::sources(&reading.loaded.config)[0].clone();
        reading.loaded.secrets.get(source).unwrap().expose().to_owned()
    }

    async fn a_swap_is_taken_over(pace: Pace) {
        let mut mount = Mount::new();
        let mut reading = mount.follow(pace);
        mount.swap(&format!("{TEXT}sweep: {{full: 2h}}\n"), "token-0");
        let news = next(&mut reading).await;
        assert_eq!((news.loaded.config.sweep.full, news.broken), (Span::seconds(7200), None));
        mount.swap(&format!("{TEXT}sweep: {{full: 2h}}\n"), "token-1");
        assert_eq!(token(&next(&mut reading).await), "token-1", "a secret alone is news too");
    }

    #[tokio::test]
    async fn a_swapped_config_map_is_taken_over_when_notified() {
        a_swap_is_taken_over(NOTIFIED).await;
    }

    #[tokio::test]
    async fn a_swapped_config_map_is_taken_over_although_no_notification_came() {
        a_swap_is_taken_over(TIMED).await;
    }

    #[tokio::test]
    async fn a_broken_file_leaves_the_last_good_one_in_force_and_says_so() {
        let mut mount = Mount::new();
        let mut reading = mount.follow(NOTIFIED);
        mount.swap(&TEXT.replace("acme/hello", "acme"), "token-0");
        let broken = next(&mut reading).await;
        assert!(
            broken.broken.as_deref().is_some_and(|text| text.contains(":8:30: `acme` is not a repository")),
            "{broken:?}"
        );
        assert_eq!(broken.loaded.config.workspaces[0].repository.to_string(), "acme/hello");
        mount.swap(TEXT, "");
        let empty = next(&mut reading).await;
        assert!(empty.broken.as_deref().is_some_and(|text| text.contains("is empty")), "{empty:?}");
        assert_eq!(token(&empty), "token-0");
        mount.swap(TEXT, "token-0");
        assert!(next(&mut reading).await.broken.is_none(), "mended, although nothing else is new");
    }

    #[tokio::test]
    async fn the_same_content_is_no_news() {
        let mut mount = Mount::new();
        let mut reading = mount.follow(NOTIFIED);
        for _ in 0..3 {
            mount.swap(TEXT, "token-0");
        }
        mount.swap(&format!("{TEXT}dryRun: true\n"), "token-0");
        assert!(next(&mut reading).await.loaded.config.dry_run, "the first news");
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_a_broken_one() {
        let mount = Mount::new();
        let mut reading = mount.follow(NOTIFIED);
        std::fs::remove_file(mount.path("token")).unwrap();
        assert!(next(&mut reading).await.broken.is_some());
    }
}
