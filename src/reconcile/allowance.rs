//! How many commands somebody may give on a pull request: enough for every honest use, few enough that a loop of comments
//! does not eat the budget for writing. Pure, from the comments alone, so that any daemon comes to the same answer.
//!
//! Every command is answered (design §1, promise 7): those within the allowance each by a comment of its own, all others of
//! the window together by one, which says that nothing of them is done and when commands are taken again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::parse;
use crate::course::id::Learner;
use crate::forge::pull::{Author, Comment, CommentId, UserKind};
use crate::store::time::Time;

/// Commands of one person on one pull request that are done in a [`WINDOW`].
pub const COMMANDS: u32 = 20;

/// Begins with a person's first command after the last window.
pub const WINDOW: Duration = Duration::from_secs(600);

/// What a command gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Its answer.
    Answer,
    /// The one answer to all commands until then that are too many.
    Exceeded(Time),
    /// Nothing of its own: that answer stands.
    Answered,
}

/// What the command in comment `of` gets. `comments` are all of the pull request, oldest first.
pub fn allowance(comments: &[Comment], of: CommentId) -> Allowance {
    let found = each(comments).find(|(id, _)| *id == of);
    // A list that is older than what we saw before: rather an answer too many than none.
    found.map_or(Allowance::Answer, |(_, allowance)| allowance)
}

/// The last comment of those that can be passed over with the one that is answered already.
pub fn passed_over(comments: &[Comment], from: CommentId) -> CommentId {
    let row = each(comments).skip_while(|(id, _)| *id != from);
    row.take_while(|(_, allowance)| *allowance == Allowance::Answered).last().map_or(from, |(id, _)| id)
}

/// What each command gets, oldest first.
fn each(comments: &[Comment]) -> impl Iterator<Item = (CommentId, Allowance)> {
    let mut windows: BTreeMap<&Learner, (Time, u32)> = BTreeMap::new();
    comments.iter().filter_map(move |comment| {
        let who = match &comment.author {
            Author::Person(who) if who.kind == UserKind::Person => &who.id,
            _ => return None,
        };
        parse(&comment.body)?;
        let (end, given) = windows.entry(who).or_insert((Time(i64::MIN), 0));
        if comment.created_at >= *end {
            (*end, *given) = (comment.created_at.plus(WINDOW), 0);
        }
        *given += 1;
        let allowance = match *given {
            0..=COMMANDS => Allowance::Answer,
            given if given == COMMANDS + 1 => Allowance::Exceeded(*end),
            _ => Allowance::Answered,
        };
        Some((comment.id, allowance))
    })
}

/// The one answer.
pub fn exceeded(again: Time, now: Time) -> String {
    let again = match again {
        passed if passed <= now => "Commands are taken again".to_owned(),
        // A minute has begun before it is over: whoever reads the time and comes back is not turned away again.
        again => format!("The next one is taken at {}", again.plus(Duration::from_secs(59)).to_the_minute()),
    };
    format!(
        "That is more than {COMMANDS} commands of yours in {} minutes on this pull request. This answers all further ones of that \
         time: they stay in the conversation, and nothing of them is done. {again}: then ask once more for what you still need.",
        WINDOW.as_secs() / 60
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

    fn got(comments: &[Comment]) -> Vec<Allowance> {
        comments.iter().map(|comment| allowance(comments, comment.id)).collect()
    }

    /// The allowance used up, `more` further commands, and one when the window is over.
    fn flood(more: i64) -> Vec<Comment> {
        let count = i64::from(COMMANDS) + more;
        let mut comments: Vec<Comment> = (0..count).map(|id| comment(id, "ada", id / 10, "/hint")).collect();
        comments.push(comment(100, "ada", 10, "/hint"));
        comments
    }

    #[test]
    fn the_first_command_too_many_is_answered_for_all_until_the_window_ends() {
        let got = got(&flood(3));
        assert!(got[..20].iter().all(|allowance| *allowance == Allowance::Answer));
        assert_eq!(
            got[20..],
            [Allowance::Exceeded(Time(600_000)), Allowance::Answered, Allowance::Answered, Allowance::Answer]
        );
    }

    #[test]
    fn only_ones_own_commands_count_misspelt_ones_too_and_talk_does_not() {
        let mut comments: Vec<Comment> = (0..40).map(|id| comment(id, "ada", 0, "thanks")).collect();
        comments.extend((40..80).map(|id| comment(id, "eve", 0, if id % 2 == 0 { "/hnit" } else { "/waive a b" })));
        comments.push(comment(80, "ada", 0, "/hint"));
        let got = got(&comments);
        assert_eq!(got[80], Allowance::Answer);
        assert_eq!(got[60], Allowance::Exceeded(Time(600_000)));
        assert_eq!(got[61..80], [Allowance::Answered; 19]);
    }

    #[test]
    fn what_we_or_a_program_write_takes_nothing_of_it() {
        let mut comments = flood(0);
        comments.truncate(20);
        for comment in &mut comments[..10] {
            comment.author = Author::Grader;
        }
        let bot = User { kind: UserKind::Bot, ..User::local("ada".parse().unwrap()) };
        for comment in &mut comments[10..20] {
            comment.author = Author::Person(bot.clone());
        }
        comments.extend(flood(0).into_iter().map(|one| Comment { id: CommentId(one.id.0 + 200), ..one }));
        assert_eq!(got(&comments)[20..40], [Allowance::Answer; 20]);
    }

    #[test]
    fn a_row_of_answered_ones_is_passed_over_up_to_what_gets_an_answer() {
        let mut comments = flood(5);
        assert_eq!(passed_over(&comments, CommentId(21)), CommentId(24));
        comments.insert(23, Comment { id: CommentId(22), ..comment(22, "bob", 2, "/hint") });
        comments.remove(22);
        assert_eq!(passed_over(&comments, CommentId(21)), CommentId(21), "bob is answered");
        assert_eq!(passed_over(&comments, CommentId(23)), CommentId(24));
    }

    #[test]
    fn a_list_that_lags_costs_nobody_an_answer() {
        assert_eq!(allowance(&flood(3)[..5], CommentId(22)), Allowance::Answer);
    }

    #[test]
    fn the_answer_says_when_the_next_one_is_taken() {
        // 08:15:30.
        let again = Time(1_795_508_130_000);
        let text = exceeded(again, Time(0));
        assert!(text.contains("The next one is taken at 2026-11-24 08:16 UTC:"), "{text}");
        assert!(exceeded(again, again).contains("Commands are taken again:"));
    }
}
