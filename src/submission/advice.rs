//! Free advice on the learner's YAML: what kubectl and kustomize read differently, and keys that are set twice. No
//! checkpoint asks for it, so it is in no report and changes no outcome. It is made where checkpoints are judged.

use serde::{Deserialize, Serialize};

use super::yaml::{Dialect, Problem, ProblemKind, YamlFiles, ambiguities};
use crate::checkpoint::evidence::Place;

/// Most pieces of advice for one task: after that many, somebody knows.
pub const MAX_ADVICE: usize = 10;

/// Most bytes of YAML that are looked through. Checkpoints have read most of it already; of what none of them read, more
/// than this is not worth a learner's time. A size and no time, so that the same commit gets the same advice everywhere.
const MAX_BYTES: usize = 1 << 20;

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Advice {
    /// One sentence with the remedy.
    pub message: String,
    /// Its file is below the task's directory where it is made, below the top of the workspace beside a report.
    pub place: Place,
}

/// In the order of the files, and of the lines in each. None where a reader of YAML 1.2 counts: neither of the two tools
/// sees the files then. What comes after the first MiB is not looked through.
pub fn advice(files: &YamlFiles<'_>, dialect: Dialect) -> Vec<Advice> {
    let set_twice = match dialect {
        Dialect::Kubectl => |kind: ProblemKind| kind == ProblemKind::DuplicateKey,
        // There it is a mistake, and no advice.
        Dialect::Kustomize => |_| false,
        Dialect::Yaml12 => return Vec::new(),
    };
    let mut left = MAX_BYTES;
    let mut all = Vec::new();
    for file in files.all() {
        let Some(rest) = left.checked_sub(file.size()) else { break };
        left = rest;
        let twice = file.yaml().problems.iter().filter(|problem| set_twice(problem.kind)).cloned();
        let mut of_file: Vec<_> = file.yaml().documents.iter().flat_map(ambiguities).chain(twice).collect();
        of_file.sort_by_key(|problem| problem.place.line);
        all.extend(of_file.into_iter().map(|Problem { message, place, .. }| Advice {
            message,
            place: Place { file: Some(file.path().to_owned()), ..place },
        }));
        if all.len() >= MAX_ADVICE {
            break;
        }
    }
    all.truncate(MAX_ADVICE);
    all
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn places(dialect: Dialect, files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.insert_file(*path, text.as_bytes());
        }
        let place =
            |Advice { place, .. }| format!("{}:{}", place.file.unwrap_or_default(), place.line.unwrap_or_default());
        advice(&YamlFiles::new(&tree), dialect).into_iter().map(place).collect()
    }

    #[test]
    fn advice_is_about_every_document_of_every_yaml_file_unless_yaml_1_2_counts() {
        let files = [("a/b.yml", "a: 1\n---\nb: yes\n"), ("c.yaml", "on: 1\n"), ("notes.md", "on: yes\n")];
        assert_eq!(places(Dialect::Kubectl, &files), ["a/b.yml:3", "c.yaml:1"]);
        assert_eq!(places(Dialect::Kustomize, &files), ["a/b.yml:3", "c.yaml:1"]);
        assert!(places(Dialect::Yaml12, &files).is_empty());
    }

    #[test]
    fn a_key_that_is_set_twice_is_advice_where_it_is_no_mistake() {
        let files = [("a.yaml", "replicas: 1\non: 1\nreplicas: 3\n")];
        assert_eq!(places(Dialect::Kubectl, &files), ["a.yaml:2", "a.yaml:3"]);
        assert_eq!(places(Dialect::Kustomize, &files), ["a.yaml:2"]);
        assert!(places(Dialect::Yaml12, &files).is_empty());
    }

    #[test]
    fn advice_ends_after_ten_pieces() {
        let many = "- yes\n".repeat(15);
        let places = places(Dialect::Kubectl, &[("a.yaml", &many), ("b.yaml", &many)]);
        assert_eq!((places.len(), places.last().map(String::as_str)), (10, Some("a.yaml:10")));
    }

    #[test]
    fn what_comes_after_much_yaml_is_not_looked_through() {
        let much = "on: 1\n# ".to_owned() + &"x".repeat(MAX_BYTES - 20);
        let files = [("a.yaml", "on: yes\n"), ("b.yaml", &much), ("c.yaml", "on: yes\n")];
        assert_eq!(places(Dialect::Kubectl, &files), ["a.yaml:1", "a.yaml:1", "b.yaml:1"]);
        // Only YAML counts.
        let files = [("a.png", much.as_str()), ("b.yaml", &much), ("c.yaml", "a: 1\n")];
        assert_eq!(places(Dialect::Kubectl, &files), ["b.yaml:1"]);
    }
}
