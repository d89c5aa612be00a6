//! Whole courses: a small valid one, and what is said about broken ones.

use super::*;

/// The courses of this repository.
#[test]
fn every_course_of_the_repository_loads() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("courses");
    for entry in std::fs::read_dir(root).expect("courses/").flatten() {
        let tree = Tree::from_dir(&entry.path()).expect("a directory");
        let name = entry.file_name().into_string().expect("text");
        if let Err(problems) = load(&tree, &name) {
            let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{name}:\n{}", shown.join("\n"));
        }
    }
}
