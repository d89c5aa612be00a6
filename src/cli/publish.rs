//! `gradus publish`: write the workspace that learners fork.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use super::trouble::{self, Trouble};
use crate::course::locate::{self, Home};
use crate::course::publish::{Published, commit, open_or_create, workspace};

/// Write the workspace that learners fork
///
/// Commits README, lessons, briefs, starters and `.gradus/` onto `main` of a bare repository, which is created if it is
/// not there. History is only added to, nothing is committed when nothing changed, and the workspace of another course is
/// left alone. Solutions, alternatives, mutants,
/// hidden files and hints stay in the course.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the course
    #[arg(default_value = ".")]
    course: PathBuf,
    /// Bare repository to write to
    #[arg(long, value_name = "REPO_DIR")]
    to: PathBuf,
    /// Address that learners clone from; written into the README and `.gradus/`
    #[arg(long, value_name = "URL")]
    address: Option<String>,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let located = match locate::load_dir(&args.course) {
        Ok(located) => located,
        Err(error) => return Trouble::Course(error).tell(),
    };
    let Home::Course(_) = &located.home else {
        eprintln!("error: {} is a workspace: publish the course that it came from", located.home.path().display());
        return ExitCode::from(super::EXIT_USAGE);
    };
    let files = match workspace(&located.course, args.address.as_deref()) {
        Ok(files) => files,
        Err(problems) => {
            return Trouble::Broken { tree: Box::new(located.course.files().clone()), problems }.tell();
        }
    };
    let published = open_or_create(&args.to).and_then(|repository| commit(&repository, &located.course, &files, now()));
    match published {
        Ok(published) => {
            println!("{}", summary(&published, &args.to));
            ExitCode::from(super::EXIT_PASS)
        }
        Err(error) => trouble::fail(&error),
    }
}

fn summary(published: &Published, to: &Path) -> String {
    match published {
        Published::Commit { id, message } => {
            format!("{} on main of {}: {}", id.short(), to.display(), message.lines().next().unwrap_or_default())
        }
        Published::Unchanged(id) => format!("{} on main of {}: nothing changed", id.short(), to.display()),
    }
}

/// Seconds since the epoch; `SOURCE_DATE_EPOCH` makes a publication reproducible.
fn now() -> i64 {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    fixed.unwrap_or_else(|| i64::try_from(clock()).unwrap_or(0))
}
