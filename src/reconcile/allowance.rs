//! How many commands somebody may give on a pull request: enough for every honest use, few enough that a loop of comments
//! does not eat the budget for writing. Pure, from the comments alone, so that any daemon comes to the same answer.

use std::time::Duration;

use super::command::parse;
use crate::forge::pull::{Author, Comment, CommentId};
use crate::store::time::Time;

/// Commands of one person on one pull request that are answered in a [`WINDOW`].
pub const COMMANDS: u32 = 20;

/// Begins with a person's first command after the last window.
pub const WINDOW: Duration = Duration::from_secs(600);

/// What a command gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Its answer.
    Answer,
    /// One comment that says that commands are answered again from then on.
    Exceeded(Time),
    /// Nothing: that was said already.
    Silence,
}

/// What the command in comment `of` gets. `comments` are all those of the pull request up to it, oldest first.
pub fn allowance(comments: &[Comment], of: CommentId) -> Allowance {
    let Some(Author::Person(who)) = comments.iter().find(|comment| comment.id == of).map(|comment| &comment.author)
    else {
        return Allowance::Answer;
    };
    let theirs = |comment: &&Comment| {
        matches!(&comment.author, Author::Person(author) if author.id == who.id) && parse(&comment.body).is_some()
    };
    let (mut end, mut given) = (Time(i64::MIN), 0);
    for comment in comments.iter().filter(|comment| comment.id <= of).filter(theirs) {
        if comment.created_at >= end {
            (end, given) = (comment.created_at.plus(WINDOW), 0);
        }
        given += 1;
    }
    match given {
        0..=COMMANDS => Allowance::Answer,
        given if given == COMMANDS + 1 => Allowance::Exceeded(end),
        _ => Allowance::Silence,
    }
}

/// The one comment about it.
pub fn exceeded(again: Time) -> String {
    format!(
        "That is more than {COMMANDS} commands in ten minutes on this pull request. They are answered again from {} on; \
         what you ask for until then, ask again after that.",
        again.to_the_minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::User;

    fn comment(id: i64, who: &str, minute: i64, body: &str) -> Comment {
        Comment {
            id: CommentId(id),
            author: Author::Person(User::local(who.parse().unwrap())),
            marker: None,
            body: body.to_owned(),
            created_at: Time(minute * 60_000),
        }
    }

    fn each(comments: &[Comment]) -> Vec<Allowance> {
        comments.iter().map(|comment| allowance(comments, comment.id)).collect()
    }

    #[test]
    fn the_first_command_too_many_is_answered_once_and_the_rest_with_silence_until_the_window_ends() {
        let count = i64::from(COMMANDS);
        let mut comments: Vec<Comment> = (0..count + 3).map(|id| comment(id, "ada", id / 10, "/hint")).collect();
        comments.push(comment(100, "ada", 10, "/hint"));
        let got = each(&comments);
        assert!(got[..20].iter().all(|allowance| *allowance == Allowance::Answer));
        assert_eq!(
            got[20..],
            [Allowance::Exceeded(Time(600_000)), Allowance::Silence, Allowance::Silence, Allowance::Answer]
        );
    }

    #[test]
    fn only_ones_own_commands_count() {
        let mut comments: Vec<Comment> = (0..40).map(|id| comment(id, "ada", 0, "thanks")).collect();
        comments.extend((40..80).map(|id| comment(id, "eve", 0, "/hint")));
        comments.push(comment(80, "ada", 0, "/hint"));
        assert_eq!(allowance(&comments, CommentId(80)), Allowance::Answer);
        let ours = Comment { author: Author::Grader, ..comment(81, "ada", 0, "/hint") };
        assert_eq!(allowance(&[ours], CommentId(81)), Allowance::Answer);
    }
}
