//! `gradus pause` and `gradus resume`: a switch in the store that all daemons on it see within seconds.

use std::path::PathBuf;
use std::process::ExitCode;

use super::trouble;
use crate::config::outline;
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};

/// The arguments of both.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration of the daemon: where its store is; secrets are not read
    #[arg(long, value_name = "FILE", default_value = super::CONFIG, env = "GRADUS_CONFIG")]
    config: PathBuf,
}

/// Grades everything and posts nothing from now on.
pub fn pause(args: Args) -> ExitCode {
    on_store(args, async |store| {
        let since = store.pause(SystemClock.now()).await?;
        Ok(format!("paused since {since}: everything is graded, nothing is posted; `gradus resume` ends that"))
    })
}

/// Posts again.
pub fn resume(args: Args) -> ExitCode {
    on_store(args, async |store| {
        Ok(match store.resume().await? {
            Some(since) => format!("resumed: was paused since {since}; what was held back is posted now"),
            None => "it was not paused".to_owned(),
        })
    })
}

fn on_store(args: Args, change: impl AsyncFnOnce(&Store) -> Result<String, StoreError>) -> ExitCode {
    let config = match outline(&args.config) {
        Ok(config) => config,
        Err(invalid) => return super::config::refuse(&args.config, &invalid),
    };
    let database = config.database();
    if !database.is_file() {
        eprintln!(
            "error: there is no store at {}: start `gradus serve` once, or name its configuration by `--config`",
            database.display()
        );
        return ExitCode::from(super::EXIT_USAGE);
    }
    let result =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::from).and_then(|runtime| {
            runtime.block_on(async {
                let store = Store::open(&database).await?;
                let said = change(&store).await?;
                store.close().await;
                Ok(said)
            })
        });
    match result {
        Ok(said) => {
            println!("{said}");
            ExitCode::from(super::EXIT_PASS)
        }
        Err(error) => trouble::fail(&*error),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
