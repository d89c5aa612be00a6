//! Follows objects of an environment, so that a change is looked at when it happens and not when it is time to look again.

use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_stream::StreamExt;

/// Follows objects until it is dropped.
pub struct Follow {
    changes: watch::Receiver<()>,
    followers: Vec<AbortHandle>,
}

impl Follow {
    /// Follows what these select. What may not be watched, or not now, is only not followed.
    pub fn start(all: Vec<(Api<PartialObjectMeta<DynamicObject>>, Config)>) -> Self {
        let (changed, changes) = watch::channel(());
        let follow = |(api, config)| {
            let changed = changed.clone();
            let follower = tokio::spawn(async move {
                let mut events = std::pin::pin!(watcher(api, config).default_backoff());
                while let Some(event) = events.next().await {
                    // What is there when a watch begins was looked at; what a broken one misses, the next look finds.
                    if matches!(event, Ok(Event::Apply(_) | Event::Delete(_))) {
                        changed.send_replace(());
                    }
                }
            });
            follower.abort_handle()
        };
        let followers = all.into_iter().map(follow).collect();
        Self { changes, followers }
    }

    /// Ready when something may have changed since the last time; never where nothing is followed.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.followers.iter().for_each(AbortHandle::abort);
    }
}
