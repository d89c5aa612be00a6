//! The kill matrix as text: one row per submission, one column per checkpoint.

use std::fmt::Write as _;

use crate::checkpoint::outcome::Outcome;
use crate::grade::proof::{Entry, Finding, Proof};
use crate::review::words::count;

/// A proof: one line, and below it the matrix and what is wrong, each with what `help` has to say of it.
pub fn render(proof: &Proof, always: bool, help: impl Fn(&Finding) -> String) -> String {
    let mut text = String::new();
    let word = if proof.is_green() { "proven" } else { "NOT PROVEN" };
    let of = |is: fn(&Entry) -> bool| proof.matrix.iter().filter(|row| is(&row.entry)).count();
    let mutants = count(of(|entry| matches!(entry, Entry::Mutant(_))), "mutant");
    let alternatives = count(of(|entry| matches!(entry, Entry::Alternative(_))), "alternative");
    let checkpoints = count(proof.checkpoints.len(), "checkpoint");
    let _ = writeln!(
        text,
        "{word}  {}: {checkpoints}, {mutants}, {alternatives}, {}",
        proof.task,
        count(proof.draws as usize, "draw")
    );
    if proof.is_green() && !always {
        return text;
    }
    if !proof.matrix.is_empty() {
        matrix(&mut text, proof);
    }
    for finding in &proof.findings {
        let _ = writeln!(text, "  - {finding}");
        text += &help(finding);
    }
    text.push('\n');
    text
}

fn matrix(text: &mut String, proof: &Proof) {
    let width = proof.matrix.iter().map(|row| row.entry.to_string().len()).max().unwrap_or(0);
    let ids: Vec<_> = proof.checkpoints.iter().enumerate().map(|(at, id)| format!("{} {id}", letter(at))).collect();
    let _ = writeln!(text, "  {}", ids.join("  "));
    let letters: Vec<_> = (0..proof.checkpoints.len()).map(letter).collect();
    let _ = writeln!(text, "  {:width$}  {}", "", letters.join(" "));
    for row in &proof.matrix {
        let marks = row.outcomes.iter().enumerate().map(|(at, o)| format!("{:<1$}", mark(*o), letter(at).len()));
        let marks = marks.collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "  {:<width$}  {}", row.entry.to_string(), marks.trim_end());
    }
    let _ = writeln!(text, "  . pass   x fail   - blocked   ? could not be judged   (blank) not run");
}

/// `a` to `z`, then `a1`, `b1`, …
fn letter(position: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(position % 26).unwrap_or(0));
    match position / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

fn mark(outcome: Outcome) -> char {
    match outcome {
        Outcome::Pass => '.',
        Outcome::Fail => 'x',
        Outcome::Blocked => '-',
        Outcome::NotRun => ' ',
        Outcome::Inconclusive | Outcome::Error => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::proof::{Problem, Row};

    #[test]
    fn a_task_with_findings_shows_who_kills_whom() {
        let row = |entry, outcomes: [Outcome; 2]| Row { entry, outcomes: outcomes.to_vec() };
        let proof = Proof {
            task: "first-steps".parse().unwrap(),
            draws: 3,
            checkpoints: vec!["replicas".parse().unwrap(), "guard".parse().unwrap()],
            matrix: vec![
                row(Entry::Starter, [Outcome::Fail, Outcome::Blocked]),
                row(Entry::Solution, [Outcome::Pass, Outcome::Pass]),
                row(Entry::Mutant("too-few".to_owned()), [Outcome::Fail, Outcome::Blocked]),
            ],
            findings: vec![Finding {
                problem: Problem::Unkilled { checkpoint: "guard".parse().unwrap() },
                only_draws: Vec::new(),
                values: Default::default(),
            }],
        };
        insta::assert_snapshot!(render(&proof, false, |_| String::new()), @r"
        NOT PROVEN  first-steps: 2 checkpoints, 1 mutant, 0 alternatives, 3 draws
          a replicas  b guard
                          a b
          starter         x -
          solution        . .
          mutant too-few  x -
          . pass   x fail   - blocked   ? could not be judged   (blank) not run
          - nothing kills `guard`: write a mutant that it must fail on
        ");
    }
}
