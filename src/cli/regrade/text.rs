//! What grading again would change, for people.

use std::time::Duration;

use crate::forge::budget::WritePolicy;
use crate::reconcile::regrade::{Change, Losses, Regraded, Row, Todo, writing_time};
use crate::review::safe::plain;
use crate::review::words::count;

/// The whole preview. `login` is what a learner is called.
pub fn render(
    all: &[Regraded],
    left_out: &[String],
    losses: Losses,
    login: impl Fn(&Regraded) -> Option<String>,
) -> String {
    if all.is_empty() && left_out.is_empty() {
        return "Nothing that was graded in an open pull request is asked for.\n".to_owned();
    }
    let mut out = String::new();
    let mut tally = [0_usize; 4];
    for one in all {
        let name = login(one).unwrap_or_else(|| one.learner.to_string());
        for row in one.rows() {
            tally[row.change as usize] += 1;
            if row.change != Change::Unchanged {
                out += &line(&name, &row);
            }
        }
    }
    for why in left_out {
        out += &format!("not judged  {}\n", plain(why, 300));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let [gains, loses, unchanged, undecided] = tally;
    out += &format!("{gains} gain, {loses} lose, {unchanged} unchanged, {undecided} cannot be judged now.\n");
    let todo = |wanted| all.iter().filter(|one| one.todo(losses) == wanted).count();
    let (again, alone, not_now) = (todo(Todo::Again), todo(Todo::LeftAlone), todo(Todo::NotNow));
    if alone > 0 {
        out += &format!(
            "{} left alone: what was reached stays. `--accept-losses REASON` applies it.\n",
            count(alone, "pull request")
        );
    }
    if not_now > 0 {
        out += &format!("{} left alone: say it again when they can be judged.\n", count(not_now, "pull request"));
    }
    out += &format!(
        "{} would be told: {}.\n",
        count(again, "pull request"),
        time(writing_time(again, &WritePolicy::GITHUB))
    );
    out
}

fn line(name: &str, row: &Row) -> String {
    let name = plain(name, 24);
    let (word, task) = (row.change.word(), row.task.as_str());
    let after = if row.change == Change::Undecided { "?".to_owned() } else { row.after.to_string() };
    format!("{word:9}  {name:24}  {} -> {after} of {}  {task}\n", row.before, row.of)
}

fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => "nothing to write".to_owned(),
        seconds @ 1..=90 => format!("about {} of GitHub's write budget", count(seconds as usize, "second")),
        seconds => format!("about {} of GitHub's write budget", count(seconds.div_ceil(60) as usize, "minute")),
    }
}
