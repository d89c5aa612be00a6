//! Which versions of Argo CD are supported, and what is known of the others. Pure.

use semver::Version;

/// The version that the tests run.
pub const TESTED: Version = Version::new(3, 6, 1);

/// The first of each line without the holes of October 2026, by which whoever writes a source runs commands in the
/// repo-server (CVE-2026-113708, -113709) or reads its files (CVE-2026-113672).
const MENDED: [&str; 4] = ["3.3.15", "3.4.10", "3.5.4", "3.6.0-rc2"];

/// What is known of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// The tests run it.
    Tested,
    /// It has all that we use, by its documentation; nobody tried it.
    Untried,
    /// As the one before, and learners could break into it.
    Holes,
    /// It lacks what we use.
    Old,
    /// It came after us.
    New,
}

impl Support {
    /// Of this version.
    pub fn of(version: &Version) -> Self {
        let line = (version.major, version.minor);
        let mended = MENDED.iter().filter_map(|text| Version::parse(text).ok());
        match line {
            _ if *version == TESTED => Self::Tested,
            _ if line < (3, 1) => Self::Old,
            _ if line > (TESTED.major, TESTED.minor) => Self::New,
            _ if mended.into_iter().any(|first| (first.major, first.minor) == line && *version >= first) => {
                Self::Untried
            }
            _ => Self::Holes,
        }
    }

    /// In words.
    pub fn says(self) -> &'static str {
        match self {
            Self::Tested => "the version that is tested",
            Self::Untried => "not tried; by its documentation it has all that is needed (3.6.1 is tested)",
            Self::Holes => {
                "has known holes by which whoever writes a source runs commands in its repo-server: 3.3.15, 3.4.10, 3.5.4 and \
                 3.6.0 are the first without"
            }
            Self::Old => "too old: 3.1 is the first with all that is needed, 3.6.1 is tested",
            Self::New => {
                "newer than what is known here: 3.6.1 is tested, and words that are not known keep the gate shut"
            }
        }
    }

    /// Whether learners whom nobody knows may be let near it.
    pub fn admits_strangers(self) -> bool {
        matches!(self, Self::Tested | Self::Untried | Self::New)
    }
}

/// The version that an image's reference names, as in `quay.io/argoproj/argocd:v3.6.1`; none where it names none.
pub fn of_image(image: &str) -> Option<Version> {
    let (name, tag) = image.split('@').next()?.rsplit_once(':')?;
    let version = tag.strip_prefix('v').unwrap_or(tag);
    name.contains("argocd").then(|| Version::parse(version).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_of_a_version_ends_where_something_is_known() {
        for (version, expected) in [
            ("3.6.1", Support::Tested),
            ("3.6.0", Support::Untried),
            ("3.6.0-rc1", Support::Holes),
            ("3.6.4", Support::Untried),
            ("3.5.3", Support::Holes),
            ("3.5.4", Support::Untried),
            ("3.3.15", Support::Untried),
            ("3.2.99", Support::Holes),
            ("3.0.12", Support::Old),
            ("2.14.3", Support::Old),
            ("3.7.0", Support::New),
            ("4.0.0", Support::New),
        ] {
            assert_eq!(Support::of(&version.parse().unwrap()), expected, "{version}");
        }
    }

    #[test]
    fn an_image_without_a_version_has_none() {
        let of = |image| of_image(image).map(|version| version.to_string());
        assert_eq!(of("quay.io/argoproj/argocd:v3.6.1").as_deref(), Some("3.6.1"));
        assert_eq!(of("registry.example:5000/argocd:3.5.4@sha256:abc").as_deref(), Some("3.5.4"));
        for none in ["quay.io/argoproj/argocd@sha256:abc", "quay.io/argoproj/argocd:latest", "redis:8.2.3", "argocd"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
