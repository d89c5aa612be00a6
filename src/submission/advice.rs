//! Free advice on the learner's YAML: what kubectl and kustomize read differently, and keys that are set twice. No
//! checkpoint asks for it, so it is in no report and changes no outcome.

use super::tree::Tree;
use super::yaml::{Dialect, Problem, ProblemKind, YamlFiles, ambiguities};
use crate::course::task::Task;

/// Most pieces of advice for one task: after that many, somebody knows.
const MAX_ADVICE: usize = 10;

/// Most bytes of files that are looked through. The daemon does this in its own process, not in the sandbox: what takes long
/// or much memory is not worth a piece of advice.
const MAX_BYTES: usize = 256 << 10;

/// In the order of the files, and of the lines in each; `place.file` is below the task's directory. None where a reader of
/// YAML 1.2 counts: neither of the two tools sees the files then; and none for more than 256 KiB of files.
pub fn advice(files: &Tree, dialect: Dialect) -> Vec<Problem> {
    let set_twice = match dialect {
        Dialect::Kubectl => |kind: ProblemKind| kind == ProblemKind::DuplicateKey,
        // There it is a mistake, and no advice.
        Dialect::Kustomize => |_| false,
        Dialect::Yaml12 => return Vec::new(),
    };
    let bytes = files.paths().filter_map(|path| files.file(path)).map(|bytes| bytes.len()).sum::<usize>();
    if bytes > MAX_BYTES {
        return Vec::new();
    }
    let files = YamlFiles::new(files);
    let mut all = Vec::new();
    for file in files.all() {
        let twice = file.yaml().problems.iter().filter(|problem| set_twice(problem.kind)).cloned();
        let mut of_file: Vec<_> = file.yaml().documents.iter().flat_map(ambiguities).chain(twice).collect();
        of_file.sort_by_key(|problem| problem.place.line);
        all.extend(of_file.into_iter().map(|mut problem| {
            problem.place.file = Some(file.path().to_owned());
            problem
        }));
        if all.len() >= MAX_ADVICE {
            break;
        }
    }
    all.truncate(MAX_ADVICE);
    all
}

/// The same, with `place.file` below the top of the workspace.
pub fn advice_of_task(task: &Task, files: &Tree) -> Vec<Problem> {
    let mut all = advice(files, task.dialect);
    for problem in &mut all {
        problem.place.file = problem.place.file.take().map(|file| format!("{}/{file}", task.id.dir()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(dialect: Dialect, files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.insert_file(*path, text.as_bytes());
        }
        let place = |problem: Problem| (problem.place.file.unwrap_or_default(), problem.place.line.unwrap_or_default());
        advice(&tree, dialect).into_iter().map(place).map(|(file, line)| format!("{file}:{line}")).collect()
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
    fn what_is_large_is_not_looked_through() {
        let much = "a: 1\n# ".to_owned() + &"x".repeat(MAX_BYTES);
        assert_eq!(places(Dialect::Kubectl, &[("a.yaml", "on: yes\n")]).len(), 2);
        assert_eq!(places(Dialect::Kubectl, &[("a.yaml", "on: yes\n"), ("b.yaml", &much)]), Vec::<String>::new());
    }
}
