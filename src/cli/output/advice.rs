//! Free advice: scalars of the learner's YAML that kubectl and kustomize read differently. No checkpoint asks for it, so
//! it is in no report and changes no outcome.

use super::Graded;
use crate::submission::yaml::{Dialect, Problem, YamlFiles, ambiguities};

/// Most pieces of advice for one task: after that many, somebody knows.
const MAX_ADVICE: usize = 10;

/// In the order of the files; `place.file` is below the task's directory. None where a reader of YAML 1.2 counts: neither
/// of the two tools sees the files then.
pub fn advice(graded: &Graded<'_>) -> Vec<Problem> {
    match graded.dialect {
        Dialect::Kubectl | Dialect::Kustomize => {}
        Dialect::Yaml12 => return Vec::new(),
    }
    let files = YamlFiles::new(graded.files);
    let all = files.all().flat_map(|file| {
        file.yaml().documents.iter().flat_map(ambiguities).map(move |mut problem| {
            problem.place.file = Some(file.path().to_owned());
            problem
        })
    });
    all.take(MAX_ADVICE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::testing;
    use crate::submission::tree::Tree;

    fn places(dialect: Dialect, files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.insert_file(*path, text.as_bytes());
        }
        let report = testing::report(&testing::task(Vec::new()), Vec::new());
        let graded = Graded { report, files: &tree, shown_as: String::new(), dialect };
        let place = |problem: Problem| (problem.place.file.unwrap_or_default(), problem.place.line.unwrap_or_default());
        advice(&graded).into_iter().map(place).map(|(file, line)| format!("{file}:{line}")).collect()
    }

    #[test]
    fn advice_is_about_every_document_of_every_yaml_file_unless_yaml_1_2_counts() {
        let files = [("a/b.yml", "a: 1\n---\nb: yes\n"), ("c.yaml", "on: 1\n"), ("notes.md", "on: yes\n")];
        assert_eq!(places(Dialect::Kubectl, &files), ["a/b.yml:3", "c.yaml:1"]);
        assert_eq!(places(Dialect::Kustomize, &files), ["a/b.yml:3", "c.yaml:1"]);
        assert!(places(Dialect::Yaml12, &files).is_empty());
    }

    #[test]
    fn advice_ends_after_ten_pieces() {
        let many = "- yes\n".repeat(15);
        let places = places(Dialect::Kubectl, &[("a.yaml", &many), ("b.yaml", &many)]);
        assert_eq!((places.len(), places.last().map(String::as_str)), (10, Some("a.yaml:10")));
    }
}
