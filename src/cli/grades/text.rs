//! Grades for people: a block per course and learner, a line per task, at most 80 columns.

use crate::gradebook::decision::when::Moment;
use crate::gradebook::grades::{Grade, Grades, Judged, State};
use crate::review::safe::plain;
use crate::review::words::count;

const WIDTH: usize = 80;

/// Widest name of a task that is not cut.
const TASK: usize = 38;

/// The whole table.
pub fn render(grades: &Grades) -> String {
    let mut out = String::new();
    for quarantine in &grades.quarantines {
        let until =
            quarantine.until.parse::<Moment>().map_or_else(|_| quarantine.until.clone(), |until| until.to_string());
        let text = format!(
            "Not trusted until {until}: {} of {} in {}: {}",
            quarantine.checkpoint, quarantine.task, quarantine.course, quarantine.reason
        );
        wrap(&mut out, "", "  ", &text);
    }
    if grades.items.is_empty() {
        return out + "Nothing is recorded.\n";
    }
    let of_one = |a: &Grade, b: &Grade| (&a.course, &a.learner) == (&b.course, &b.learner);
    for block in grades.items.chunk_by(of_one) {
        let Some(first) = block.first() else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        let name = match &first.login {
            Some(login) if login != first.learner.as_str() => format!("{login} ({})", first.learner),
            _ => first.learner.to_string(),
        };
        let score: u32 = block.iter().map(|grade| grade.score).sum();
        let passed = block.iter().filter(|grade| grade.state == State::Passed).count();
        let head =
            format!("{}, {name}: {}, {passed} of {} passed", first.course, count(score as usize, "point"), block.len());
        wrap(&mut out, "", "  ", &head);
        out += &line("task", "score", "best", "latest", "attempts", "");
        for grade in block {
            let state = match grade.state {
                State::Passed => "passed",
                State::Open if !grade.stuck.is_empty() => "stuck",
                State::Open => "",
            };
            let attempts = grade.attempts.to_string();
            let score = grade.score.to_string();
            let (best, latest) = (shown(grade.best.as_ref()), shown(grade.latest.as_ref()));
            out += &line(grade.task.as_str(), &score, &best, &latest, &attempts, state);
            notes(&mut out, grade);
        }
    }
    out
}

fn line(task: &str, score: &str, best: &str, latest: &str, attempts: &str, state: &str) -> String {
    let task = match task.char_indices().nth(TASK) {
        // Identifiers are ASCII, and two with one beginning differ at the end.
        Some(_) => format!("{}…{}", &task[..TASK / 2], &task[task.len() - (TASK - TASK / 2 - 1)..]),
        None => task.to_owned(),
    };
    let text = format!("  {task:TASK$} {score:>5} {best:>7} {latest:>7} {attempts:>8} {state}");
    format!("{}\n", text.trim_end())
}

fn shown(judged: Option<&Judged>) -> String {
    judged.map_or_else(|| "-".to_owned(), |judged| format!("{}/{}", judged.score, judged.points))
}

fn notes(out: &mut String, grade: &Grade) {
    let mut note = |text: String| wrap(out, "    ", "      ", &text);
    if !grade.stuck.is_empty() {
        let stuck: Vec<String> = grade.stuck.iter().map(ToString::to_string).collect();
        note(format!("stuck on {}", stuck.join(", ")));
    }
    for error in &grade.errors {
        let cause = error.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        note(format!("our error in {}{cause}", error.checkpoint));
    }
    for decision in &grade.decisions {
        let day = decision.at.get(..10).unwrap_or_default();
        note(format!("{} by {} on {day}: {}", decision.what, decision.by, decision.reason));
    }
}

/// Words on lines of at most 80 characters; what people wrote cannot move the cursor.
fn wrap(out: &mut String, indent: &str, further: &str, text: &str) {
    let text = plain(text, 2_500);
    let mut line = indent.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = further.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradebook::grades::{Filter, tests::sample};
    use crate::store::time::Time;

    #[test]
    fn a_table_reads_well_without_colour_at_80_columns() {
        let dir = tempfile::tempdir().unwrap();
        let mut grades = sample(dir.path()).grades(&Filter::default(), Time(0)).unwrap();
        grades.items[0].task = "a".repeat(63).parse().unwrap();
        grades.items[0].decisions[0].reason = "many words ".repeat(20);
        let text = render(&grades);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text, @r#"
        Not trusted until 2026-12-01 23:59 UTC: c of t in hello: it looks at the wrong
          port

        hello, =eve (9): 0 points, 0 of 1 passed
          task                                   score    best  latest attempts
          aaaaaaaaaaaaaaaaaaa…aaaaaaaaaaaaaaaaaa     0     0/4     0/4        1
            our error in c: the fixture is missing
            waived d by grace on 1970-01-01: many words many words many words many words
              many words many words many words many words many words many words many
              words many words many words many words many words many words many words
              many words many words many words

        hello, ada (7): 0 points, 0 of 1 passed
          task                                   score    best  latest attempts
          t                                          0     0/4     0/4        3 stuck
            stuck on c
            extended by 3d by grace on 1970-01-01: ill

        hello, bob (8): 7 points, 1 of 2 passed
          task                                   score    best  latest attempts
          a-second-task                              4     4/4     4/4        1 passed
          t                                          3     4/4     4/4        2
            set to 3 of 4 by grace on 1970-01-01: appeal
        "#);
    }

    #[test]
    fn an_empty_gradebook_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = crate::gradebook::Gradebook::new(dir.path().to_owned());
        assert_eq!(render(&gradebook.grades(&Filter::default(), Time(0)).unwrap()), "Nothing is recorded.\n");
    }
}
