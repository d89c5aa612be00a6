//! Where a learner's clone gets the published workspace from, as words of the commands that reviews give.

use super::shell::word;

/// The branch of a fork on the local forge that always is the workspace as published, whatever is on `main`. A plain
/// `git fetch` brings it, and nobody pushes to it.
pub const PUBLISHED: &str = "gradus/workspace";

/// Where the published workspace is, seen from a learner's clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    remote: String,
    branch: &'static str,
}

impl Upstream {
    /// On the local forge: in the fork itself, which the clone knows as `origin`.
    pub fn local() -> Self {
        Self { remote: "origin".to_owned(), branch: PUBLISHED }
    }

    /// On any other forge: `main` of the workspace at this address, since nobody can tell how old a fork's own is.
    pub fn at(address: impl Into<String>) -> Self {
        Self { remote: address.into(), branch: "main" }
    }

    /// The command that leaves the workspace's newest commit in `FETCH_HEAD`.
    pub fn fetch(&self) -> String {
        format!("git fetch {} {}", word(&self.remote), self.branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_safe_to_paste() {
        assert_eq!(Upstream::local().fetch(), "git fetch origin gradus/workspace");
        assert_eq!(Upstream::at("https://x.test/a.git").fetch(), "git fetch https://x.test/a.git main");
        assert_eq!(Upstream::at("https://x.test/it's.git").fetch(), r"git fetch 'https://x.test/it'\''s.git' main");
    }
}
