//! What instructors decide: files that are applied when the gradebook is read, never to what was judged.

pub mod file;
pub mod kinds;
mod shelf;
pub mod when;

use kinds::{ExtensionFile, Metadata, OverrideFile, QuarantineFile, WaiverFile};
pub use shelf::{DIR, Decisions, Filed};
pub(super) use shelf::{is_decision, names};

use crate::course::id::Learner;
use crate::store::time::Time;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A checkpoint counts as passed for a learner.
    Waiver(WaiverFile),
    /// A learner has more time.
    Extension(ExtensionFile),
    /// The points of a learner's task are set.
    Override(OverrideFile),
    /// A checkpoint is not trusted.
    Quarantine(QuarantineFile),
}

impl Decision {
    /// Who decided, and when.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Decision::Waiver(file) => &file.metadata,
            Decision::Extension(file) => &file.metadata,
            Decision::Override(file) => &file.metadata,
            Decision::Quarantine(file) => &file.metadata,
        }
    }

    /// About whom; none when about everybody.
    pub fn learner(&self) -> Option<&Learner> {
        match self {
            Decision::Waiver(file) => Some(&file.spec.learner.id),
            Decision::Extension(file) => Some(&file.spec.learner.id),
            Decision::Override(file) => Some(&file.spec.learner.id),
            Decision::Quarantine(_) => None,
        }
    }
}

impl kinds::QuarantineSpec {
    /// Whether it is in force at a time.
    pub fn in_force(&self, now: Time) -> bool {
        self.lifted.is_none() && now < self.until.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::kinds::*;
    use super::when::Moment;
    use super::*;
    use crate::forge::pull::Login;

    pub fn metadata(at: i64) -> Metadata {
        let author = Instructor { id: Some("99".parse().unwrap()), login: Login("grace".into()) };
        Metadata { author, at: Moment(Time(at)), pull: Some("local#1".into()) }
    }

    fn concerned(learner: &str) -> Concerned {
        Concerned { id: learner.parse().unwrap(), login: Some(Login(format!("login-of-{learner}"))) }
    }

    /// Of checkpoint `checkpoint` in task `t` of `hello`.
    pub fn waiver(learner: &str, checkpoint: &str) -> Decision {
        let spec = WaiverSpec {
            learner: concerned(learner),
            course: "hello".parse().unwrap(),
            task: "t".parse().unwrap(),
            checkpoint: checkpoint.parse().unwrap(),
            reason: "the brief: it's \"wrong\"".parse().unwrap(),
        };
        Decision::Waiver(WaiverFile::new(metadata(1000), spec))
    }

    pub fn extension(learner: &str) -> Decision {
        let spec = ExtensionSpec {
            learner: concerned(learner),
            course: "hello".parse().unwrap(),
            task: "t".parse().unwrap(),
            by: Some("3d".parse().unwrap()),
            until: None,
            reason: "ill".parse().unwrap(),
        };
        Decision::Extension(ExtensionFile::new(metadata(1000), spec))
    }

    /// Of 4 points; later ones have more points.
    pub fn overridden(learner: &str, points: u32) -> Decision {
        let spec = OverrideSpec {
            learner: concerned(learner),
            course: "hello".parse().unwrap(),
            task: "t".parse().unwrap(),
            points,
            of: 4,
            holds: Holds::default(),
            reason: "appeal".parse().unwrap(),
        };
        Decision::Override(OverrideFile::new(metadata(1000 + i64::from(points) * 1000 - 3000), spec))
    }

    pub fn quarantine(checkpoint: &str, until: &str) -> Decision {
        let spec = QuarantineSpec {
            course: "hello".parse().unwrap(),
            task: "t".parse().unwrap(),
            checkpoint: checkpoint.parse().unwrap(),
            until: until.parse().unwrap(),
            reason: "it looks at the wrong port".parse().unwrap(),
            lifted: None,
        };
        Decision::Quarantine(QuarantineFile::new(metadata(1000), spec))
    }

    #[test]
    fn a_quarantine_ends_at_its_time_or_when_it_is_lifted() {
        let Decision::Quarantine(mut file) = quarantine("c", "1970-01-01T00:10Z") else { panic!() };
        assert!(file.spec.in_force(Time(599_999)));
        assert!(!file.spec.in_force(Time(600_000)));
        file.spec.lifted = Some(Lifted { author: metadata(0).author, at: Moment(Time(5)) });
        assert!(!file.spec.in_force(Time(10)));
    }
}
