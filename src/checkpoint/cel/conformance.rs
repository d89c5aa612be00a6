//! What a real API server answers, against what we answer: `tests/truth/cel.json`.

use serde_json::Value;

use super::fault::FaultKind;
use super::functions::{Style, names};
use super::machine::Machine;
use super::program::{Problem, Program};
use super::value::Val;

/// Rows where an evaluator without a schema must differ, with our answer. `docs/cel.md` explains each.
const DIFFERENCES: &[(&str, &str)] = &[
    // Served in mutating policies only; ours has it everywhere.
    ("jsonpatch.escapeKey('a/b~c') == 'a~1b~0c'", "true"),
    // The API server fills in defaults before policies run; a file has only what it says.
    ("object.metadata.creationTimestamp == null", "error"),
];

fn class(source: &str, object: &Value) -> (String, String) {
    let program = match Program::compile(source, &["object"]) {
        Ok(program) => program,
        Err(problems) => {
            let text = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
            return ("compile-error".to_owned(), text);
        }
    };
    match Machine::new().run(&program, &[Val::Json(object)]) {
        Ok(Val::Bool(value)) => (value.to_string(), value.to_string()),
        Ok(other) => ("error".to_owned(), format!("not a bool: {}", other.show())),
        Err(fault) => ("error".to_owned(), fault.message),
    }
}

#[test]
fn every_row_of_the_truth_gets_the_api_servers_answer_or_a_documented_other() {
    let truth: Value = serde_json::from_str(include_str!("../../../tests/truth/cel.json")).unwrap();
    let rows = truth["expressions"].as_array().unwrap();
    assert_eq!(rows.len(), 100);
    let mut wrong = Vec::new();
    for row in rows {
        let source = row["expr"].as_str().unwrap();
        let truth_class = row["expect"].as_str().unwrap();
        let expected = DIFFERENCES.iter().find(|(known, _)| *known == source).map_or(truth_class, |(_, ours)| ours);
        let (actual, detail) = class(source, &truth["object"]);
        if actual != expected {
            wrong.push(format!("{source}\n    expected {expected}, got {actual}: {detail}"));
        }
    }
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_written_out_again_means_the_same() {
    let truth: Value = serde_json::from_str(include_str!("../../../tests/truth/cel.json")).unwrap();
    for row in truth["expressions"].as_array().unwrap() {
        let source = row["expr"].as_str().unwrap();
        if let Ok(program) = Program::compile(source, &["object"]) {
            let written = program.root.to_string();
            assert_eq!(class(&written, &truth["object"]).0, class(source, &truth["object"]).0, "{source}\n{written}");
        }
    }
}

#[test]
fn nested_loops_over_a_learners_list_end_within_the_budget() {
    let object = serde_json::json!({"items": (0..1000).collect::<Vec<_>>()});
    let source = "object.items.all(a, object.items.all(b, object.items.all(c, a + b + c >= 0)))";
    let program = Program::compile(source, &["object"]).unwrap();
    let fault = Machine::new().run(&program, &[Val::Json(&object)]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Steps);
    // `exists` and `||` absorb faults of the data, never this one.
    let source = "object.items.exists(a, object.items.exists(b, object.items.exists(c, a + b + c < 0))) || true";
    let program = Program::compile(source, &["object"]).unwrap();
    let fault = Machine::new().run(&program, &[Val::Json(&object)]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Steps);
}

#[test]
fn a_list_that_is_too_long_is_not_walked() {
    let object = serde_json::json!({"items": vec![0; 10_001]});
    let program = Program::compile("object.items.all(i, i == 0)", &["object"]).unwrap();
    let fault = Machine::new().run(&program, &[Val::Json(&object)]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLong);
}

#[test]
fn growing_text_ends_within_the_budget() {
    let mut source = "size(x)".to_owned();
    for _ in 0..60 {
        source = format!("cel.bind(x, x + x, {source})");
    }
    let source = format!("cel.bind(x, 'ab', {source}) > 0");
    let program = Program::compile(&source, &[]).unwrap();
    assert_eq!(Machine::new().run(&program, &[]).unwrap_err().kind, FaultKind::Steps);
}

#[test]
fn patterns_cannot_backtrack_or_grow() {
    let text = serde_json::json!("a".repeat(30));
    let program = Program::compile("object.matches('(a+)+$') && object.matches('(a|aa)+b|a')", &["object"]).unwrap();
    assert!(matches!(Machine::new().run(&program, &[Val::Json(&text)]), Ok(Val::Bool(true))));
    assert!(Program::compile("object.matches('x{1000}{1000}')", &["object"]).is_err());
    let pattern = serde_json::json!("x{1000}{1000}");
    let program = Program::compile("'x'.matches(object)", &["object"]).unwrap();
    assert_eq!(Machine::new().run(&program, &[Val::Json(&pattern)]).unwrap_err().kind, FaultKind::Invalid);
}

#[test]
fn the_deepest_allowed_rule_runs_on_a_small_stack() {
    let sums = format!("{}1{} == 79", "1 + (".repeat(78), ")".repeat(78));
    let loops = format!("{}true{}", "[1].all(x, ".repeat(75), ")".repeat(75));
    let nested =
        (0..18).fold("true".to_owned(), |inner, _| format!("cel.bind(a, dyn(1), a == 1 ? !!({inner}) : false)"));
    for source in [sums, loops, nested] {
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
            let program = Program::compile(&source, &["object"]).unwrap();
            let mut machine = Machine::new();
            let held = matches!(machine.run(&program, &[Val::Null]), Ok(Val::Bool(true)));
            let explained = super::explain::explain(&mut machine, &program.root, false).len();
            let again = Program::compile(&program.root.to_string(), &["object"]).is_ok();
            (held, explained > 0, again)
        });
        assert_eq!(thread.unwrap().join().unwrap(), (true, true, true));
    }
}

#[test]
fn a_column_counts_characters() {
    let problems = Program::compile("'日本' == object.a && x", &["object"]).unwrap_err();
    assert_eq!(problems[0].column, Some(21));
}

/// The examples of `docs/cel.md`: rows of tables with the columns Example and Result.
pub fn documented() -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut within = false;
    for line in include_str!("../../../docs/cel.md").lines() {
        within = line.starts_with("| Example |") || (within && line.starts_with('|'));
        let row = line.strip_prefix("| `").and_then(|rest| rest.strip_suffix(" |"));
        if let (true, Some((example, result))) = (within, row.and_then(|row| row.split_once("` | "))) {
            examples.push((example.replace("\\|", "|"), result.trim_matches('`').to_owned()));
        }
    }
    examples
}

#[test]
fn every_documented_example_gives_its_documented_result() {
    let examples = documented();
    assert!(examples.len() > 140, "{} examples", examples.len());
    let mut wrong = Vec::new();
    for (example, result) in &examples {
        let actual = match Program::compile(example, &[]) {
            Err(problems) => format!("does not compile: {}", problems[0]),
            Ok(program) => match Machine::new().run(&program, &[]) {
                Ok(value) => value.show(),
                Err(_) if result == "error" => continue,
                Err(fault) => format!("error: {}", fault.message),
            },
        };
        if actual != *result {
            wrong.push(format!("{example}\n    documented {result}, got {actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_is_documented_by_an_example() {
    let examples: String = documented().into_iter().map(|(example, _)| format!("{example}\n")).collect();
    let globals = names(Style::Global).into_iter().map(|name| format!("{name}("));
    let methods = names(Style::Method).into_iter().map(|name| format!(".{name}("));
    let missing: Vec<_> = globals.chain(methods).filter(|call| !examples.contains(call.as_str())).collect();
    assert!(missing.is_empty(), "docs/cel.md has no example of {missing:?}");
}
