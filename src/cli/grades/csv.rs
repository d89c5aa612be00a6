//! Grades for spreadsheets: RFC 4180, and no cell that a spreadsheet would compute.

use crate::gradebook::grades::{Grade, Grades, State};

const HEADER: [&str; 15] = [
    "course",
    "learner",
    "login",
    "task",
    "state",
    "score",
    "best",
    "best of",
    "latest",
    "latest of",
    "outcome",
    "attempts",
    "stuck on",
    "errors",
    "decisions",
];

/// The whole table.
pub fn render(grades: &Grades) -> String {
    let mut out = line(HEADER.map(str::to_owned));
    for grade in &grades.items {
        out += &line(row(grade));
    }
    out
}

fn row(grade: &Grade) -> [String; 15] {
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let joined = |items: Vec<String>| items.join("; ");
    let error = |error: &crate::gradebook::grades::ErrorRow| match &error.cause {
        Some(cause) => format!("{}: {cause}", error.checkpoint),
        None => error.checkpoint.to_string(),
    };
    [
        grade.course.to_string(),
        grade.learner.to_string(),
        grade.login.clone().unwrap_or_default(),
        grade.task.to_string(),
        match grade.state {
            State::Passed => "passed".to_owned(),
            State::Open => "open".to_owned(),
        },
        grade.score.to_string(),
        number(grade.best.as_ref().map(|best| best.score)),
        number(grade.best.as_ref().map(|best| best.points)),
        number(grade.latest.as_ref().map(|latest| latest.score)),
        number(grade.latest.as_ref().map(|latest| latest.points)),
        grade.latest.as_ref().map(|latest| latest.outcome.word().to_owned()).unwrap_or_default(),
        grade.attempts.to_string(),
        joined(grade.stuck.iter().map(ToString::to_string).collect()),
        joined(grade.errors.iter().map(error).collect()),
        joined(grade.decisions.iter().map(|d| format!("{} ({}: {})", d.what, d.by, d.reason)).collect()),
    ]
}

fn line(cells: [String; 15]) -> String {
    cells.map(|text| cell(&text)).join(",") + "\n"
}

/// One cell. What a spreadsheet would take for a formula gets an apostrophe, which it takes for "this is text".
fn cell(text: &str) -> String {
    // Some strip spaces, and full-width forms, before they look.
    let first = text.trim_start().chars().next();
    let computed = first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'));
    let computed = computed || text.starts_with(['\t', '\r', '\n']);
    let text = if computed { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r', ';', '\'', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradebook::grades::{Filter, tests::sample};
    use crate::store::time::Time;

    #[test]
    fn no_cell_is_computed_and_every_cell_stays_one() {
        for (text, expected) in [
            ("ada", "ada"),
            ("", ""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("  =1", "\"'  =1\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "\"'＝1\""),
            ("a\"b,c\nd", "\"a\"\"b,c\nd\""),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }

    #[test]
    fn a_table_has_a_line_per_learner_and_task() {
        let dir = tempfile::tempdir().unwrap();
        let grades = sample(dir.path()).grades(&Filter::default(), Time(0)).unwrap();
        insta::assert_snapshot!(render(&grades), @r#"
        course,learner,login,task,state,score,best,best of,latest,latest of,outcome,attempts,stuck on,errors,decisions
        hello,9,"'=eve",t,open,0,0,4,0,4,error,1,,c: the fixture is missing,"waived d (grace: the brief: it's ""wrong"")"
        hello,7,ada,t,open,0,0,4,0,4,fail,3,c,,extended by 3d (grace: ill)
        hello,8,bob,a-second-task,passed,4,4,4,4,4,pass,1,,,
        hello,8,bob,t,open,3,4,4,4,4,pass,2,,,set to 3 of 4 (grace: appeal)
        "#);
    }
}
