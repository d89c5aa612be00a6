//! The table of behaviours in the documentation is true.

use std::path::Path;

fn sources(dir: &Path, text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &std::fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn each_of_the_25_behaviours_has_tests_and_each_test_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for dir in ["src", "tests/it"] {
        sources(&root.join(dir), &mut code);
    }
    let page = std::fs::read_to_string(root.join("docs/forges.md")).unwrap();
    // Heads of tables have no names in code.
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    let numbers = rows.iter().filter_map(|row| row.split(' ').nth(1)?.parse().ok()).collect::<Vec<usize>>();
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
    for row in rows {
        let tests: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            // The scenarios of every forge are functions that a macro makes tests of.
            assert!(code.contains(&format!("fn {test}(")) || code.contains(&format!("fn {test}<")), "no test {test}");
        }
    }
}
