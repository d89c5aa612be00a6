//! All decisions of a gradebook. A file that cannot be read is named and has no say; all others count.

use std::path::Path;

use super::kinds::QuarantineSpec;
use super::{Decision, file};
use crate::course::diagnostic::Diagnostic;
use crate::course::id::{CheckpointId, CourseId, Learner, TaskId};
use crate::store::time::Time;

/// The directory of decisions in a gradebook.
pub const DIR: &str = "decisions";

/// A decision and the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// Path in the gradebook, as in `decisions/waiver-….yaml`.
    pub file: String,
    /// What it says.
    pub decision: Decision,
}

/// All decisions, oldest first, and what is wrong with the files of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    filed: Vec<Filed>,
    problems: Vec<Diagnostic>,
}

impl Decisions {
    /// Reads `decisions/` of the gradebook in `dir`; without one there are none.
    pub fn load(dir: &Path) -> std::io::Result<Self> {
        let names = names(dir)?;
        let files = names.into_iter().map(|name| {
            let bytes = std::fs::read(dir.join(&name));
            (name, bytes)
        });
        Ok(Self::read(files))
    }

    /// From files by their paths in the gradebook.
    fn read(files: impl Iterator<Item = (String, std::io::Result<Vec<u8>>)>) -> Self {
        let mut read = Self::default();
        for (name, bytes) in files {
            match bytes {
                Ok(bytes) => match file::read(&name, &bytes) {
                    Ok(decision) => read.filed.push(Filed { file: name, decision }),
                    Err(problems) => read.problems.extend(problems),
                },
                // Removed since it was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => read.problems.push(Diagnostic::new(name, format!("cannot be read: {error}"))),
            }
        }
        // Of two at one time the order of names decides, so that everybody sees the same.
        read.filed.sort_by(|a, b| (a.decision.metadata().at, &a.file).cmp(&(b.decision.metadata().at, &b.file)));
        read
    }

    /// All that could be read, oldest first.
    pub fn all(&self) -> &[Filed] {
        &self.filed
    }

    /// What is wrong with files that could not be.
    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// Those about one learner, oldest first.
    pub fn about<'a>(&'a self, learner: &'a Learner) -> impl Iterator<Item = &'a Decision> {
        self.filed.iter().map(|filed| &filed.decision).filter(move |decision| decision.learner() == Some(learner))
    }

    /// The quarantines in force at a time, oldest first, with their files.
    pub fn quarantines(&self, now: Time) -> impl Iterator<Item = (&str, &QuarantineSpec)> {
        self.filed.iter().filter_map(move |filed| match &filed.decision {
            Decision::Quarantine(quarantine) if quarantine.spec.in_force(now) => {
                Some((filed.file.as_str(), &quarantine.spec))
            }
            _ => None,
        })
    }

    /// Those quarantines in force that are about this checkpoint.
    pub fn quarantined<'a>(
        &'a self,
        course: &'a CourseId,
        task: &'a TaskId,
        checkpoint: &'a CheckpointId,
        now: Time,
    ) -> impl Iterator<Item = (&'a str, &'a QuarantineSpec)> {
        self.quarantines(now)
            .filter(move |(_, spec)| (&spec.course, &spec.task, &spec.checkpoint) == (course, task, checkpoint))
    }
}

/// Paths of all decision files, in order.
pub(in crate::gradebook) fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir.join(DIR)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Links and directories are nobody's decision.
        if entry.file_type()?.is_file()
            && let Ok(name) = entry.file_name().into_string()
            && is_decision(&name)
        {
            names.push(format!("{DIR}/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file in `decisions/` is read. Hidden ones are half-written ones of editors and of ours.
pub(in crate::gradebook) fn is_decision(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{overridden, quarantine, waiver};
    use super::*;

    #[test]
    fn a_broken_file_is_named_and_everything_else_counts() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Decisions::load(dir.path()).unwrap(), Decisions::default());
        std::fs::create_dir(dir.path().join(DIR)).unwrap();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(DIR).join(name), text).unwrap();
        put("b.yaml", &file::write(&waiver("ada", "c")));
        put("a.yaml", "kind: Waiver\nspec: [\n");
        put(".half.yaml", "kind: Wai");
        put("README.md", "what these are");
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join(DIR).join("link.yaml")).unwrap();
        let decisions = Decisions::load(dir.path()).unwrap();
        assert_eq!(decisions.all().len(), 1);
        assert_eq!(decisions.problems().len(), 1);
        assert!(
            decisions.problems()[0].to_string().starts_with("decisions/a.yaml:2:7: not YAML"),
            "{:?}",
            decisions.problems()
        );
    }

    #[test]
    fn decisions_come_oldest_first_whatever_their_files_are_called() {
        let files = [("z", overridden("ada", 3)), ("a", overridden("ada", 4)), ("m", waiver("bob", "c"))];
        let files = files.map(|(name, decision)| (name.to_owned(), Ok(file::write(&decision).into_bytes())));
        let decisions = Decisions::read(files.into_iter());
        let ada = "ada".parse().unwrap();
        let points: Vec<u32> = decisions
            .about(&ada)
            .map(|decision| match decision {
                Decision::Override(file) => file.spec.points,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(points, [3, 4]);
    }

    #[test]
    fn a_quarantine_is_about_its_checkpoint_while_it_is_in_force() {
        let files = [quarantine("c", "1970-01-02"), quarantine("d", "1970-01-01T00:00Z")];
        let files = files.iter().map(|decision| (file::name(decision), Ok(file::write(decision).into_bytes())));
        let decisions = Decisions::read(files);
        let (course, task) = ("hello".parse().unwrap(), "t".parse().unwrap());
        let count = |checkpoint: &str, now| {
            decisions.quarantined(&course, &task, &checkpoint.parse().unwrap(), Time(now)).count()
        };
        assert_eq!((count("c", 5), count("d", 5), count("c", 200_000_000)), (1, 0, 0));
    }
}
