//! From what is seen to the one next step. Pure: no clock, no forge, no store.
//!
//! Level-triggered: the whole state is looked at before each step, so it does not matter which hint led here, whether
//! some were lost, or where an earlier worker stopped. A step that was done leads to another one next time; when nothing
//! is left the pull request is at rest.

use std::time::Duration;

use super::command::{Command, parse};
use crate::forge::pull::{Author, Comment, CommentId, Pull, PullState};
use crate::store::heads::SeenHead;
use crate::store::journal::{GradingState, JournalEntry, JournalId, JournalState};
use crate::store::time::Time;

/// Waits before a provisional result is graded again; after the last one it is left to an instructor.
pub const RETRIES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];

/// After this time without a final result a provisional review is posted (design §7).
pub const PROVISIONAL_AFTER: Duration = Duration::from_secs(600);

/// What is seen of one pull request.
#[derive(Debug, Clone)]
pub struct Observed {
    /// As the forge has it; none when it has no such.
    pub pull: Option<Pull>,
    /// Heads in the order seen; the last one is the pull request's, unless it is closed.
    pub heads: Vec<SeenHead>,
    /// The newest grading of the head.
    pub grading: Option<GradingState>,
    /// All entries, oldest first.
    pub journal: Vec<JournalEntry>,
    /// Comments that were not looked at yet, oldest first.
    pub comments: Vec<Comment>,
    /// Now.
    pub now: Time,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Grade the head.
    Grade,
    /// Write a provisional review into the journal: the final result takes too long.
    Settle,
    /// Post what the journal holds.
    Post(JournalId),
    /// Do what follows from a posted review.
    Finish(JournalId),
    /// Take back what was never posted: the head moved on.
    Supersede(JournalId),
    /// The head was answered when it was here before.
    Answered(JournalId),
    /// Answer a command.
    Answer(CommentId, Command),
    /// Nothing is asked in this comment, nor in those before it.
    Skip(CommentId),
    /// Look again then, whatever happens until then.
    Wait(Time),
    /// Nothing is left to do.
    Rest,
}

/// The next step.
pub fn decide(seen: &Observed) -> Step {
    // What is on the forge must have its consequences, whatever became of the head.
    if let Some(entry) = seen.journal.iter().find(|entry| entry.state == JournalState::Posted) {
        return Step::Finish(entry.id);
    }
    let open = seen.pull.as_ref().filter(|pull| pull.state == PullState::Open);
    if let Some(entry) = seen.journal.iter().find(|entry| entry.state == JournalState::Intent) {
        return if open.is_some_and(|pull| pull.head == entry.head) {
            Step::Post(entry.id)
        } else {
            Step::Supersede(entry.id)
        };
    }
    let wait = match (open, seen.heads.last()) {
        (Some(_), Some(head)) => match on_head(seen, head) {
            Next::Step(step) => return step,
            Next::Wait(at) => Some(at),
            Next::Nothing => None,
        },
        _ => None,
    };
    if let Some(step) = on_comments(&seen.comments) {
        return step;
    }
    wait.map_or(Step::Rest, Step::Wait)
}

enum Next {
    Step(Step),
    Wait(Time),
    Nothing,
}

fn on_head(seen: &Observed, head: &SeenHead) -> Next {
    let Some(grading) = &seen.grading else { return Next::Step(Step::Grade) };
    let entry = seen.journal.iter().find(|entry| entry.head == head.head && entry.digest == grading.digest);
    let unanswered = head.answered_at.is_none();
    if !grading.provisional {
        return match entry {
            // Nothing for the learner to see twice: the review of this head stands, from when it was here before.
            Some(entry) if matches!(entry.state, JournalState::Done | JournalState::Failed) => {
                if unanswered {
                    Next::Step(Step::Answered(entry.id))
                } else {
                    Next::Nothing
                }
            }
            // Superseded before it was posted, and now the head is back; or graded by a worker that stopped right there.
            _ => Next::Step(Step::Settle),
        };
    }
    let retry = grading.tries.checked_sub(1).and_then(|tries| RETRIES.get(tries as usize));
    let retry = retry.map(|wait| grading.graded_at.plus(*wait));
    if retry.is_some_and(|at| at <= seen.now) {
        return Next::Step(Step::Grade);
    }
    let patience = grading.first_at.plus(PROVISIONAL_AFTER);
    let posted = entry.is_some_and(|entry| matches!(entry.state, JournalState::Done | JournalState::Failed));
    if unanswered && posted {
        return Next::Step(Step::Answered(entry.map_or(JournalId(0), |entry| entry.id)));
    }
    if unanswered && (patience <= seen.now || retry.is_none()) {
        return Next::Step(Step::Settle);
    }
    let patience = unanswered.then_some(patience);
    match retry.into_iter().chain(patience).min() {
        Some(at) => Next::Wait(at),
        None => Next::Nothing,
    }
}

fn on_comments(comments: &[Comment]) -> Option<Step> {
    let mut quiet = None;
    for comment in comments {
        let asked = match comment.author {
            Author::Grader => None,
            Author::Person(_) => parse(&comment.body),
        };
        match asked {
            // What comes before is skipped with it.
            Some(command) => return Some(Step::Answer(comment.id, command)),
            None => quiet = Some(Step::Skip(comment.id)),
        }
    }
    quiet
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::forge::pull::{PullNumber, Readiness, User};
    use crate::submission::sha::CommitId;

    const NOW: Time = Time(10_000_000);

    fn sha(letter: &str) -> CommitId {
        letter.repeat(40).parse().unwrap()
    }

    fn ada() -> User {
        User::local("ada".parse().unwrap())
    }

    fn person() -> Author {
        Author::Person(ada())
    }

    fn pull(head: &str, state: PullState) -> Pull {
        Pull {
            number: PullNumber(1),
            author: ada(),
            course: "hello".parse().unwrap(),
            branch: "fix".parse().unwrap(),
            head: sha(head),
            state,
            readiness: Readiness::Ready,
            labels: BTreeSet::new(),
            opened_at: Time(0),
            updated_at: Time(0),
        }
    }

    fn head(letter: &str, answered: bool) -> SeenHead {
        SeenHead { seq: 1, head: sha(letter), seen_at: Time(0), answered_at: answered.then_some(NOW) }
    }

    fn graded(provisional: bool, tries: u32, first: Duration, last: Duration) -> GradingState {
        let before = |ago: Duration| Time(NOW.0 - i64::try_from(ago.as_millis()).unwrap());
        GradingState {
            digest: "a".repeat(64).parse().unwrap(),
            provisional,
            tries,
            first_at: before(first),
            graded_at: before(last),
        }
    }

    fn entry(id: i64, letter: &str, state: JournalState) -> JournalEntry {
        let digest = "a".repeat(64).parse().unwrap();
        JournalEntry { id: JournalId(id), head: sha(letter), digest, state, up_to: 1, provisional: false }
    }

    fn comment(id: i64, author: Author, body: &str) -> Comment {
        Comment { id: CommentId(id), author, marker: None, body: body.to_owned(), created_at: NOW }
    }

    /// Open at head `b`, which was seen and not answered.
    fn seen() -> Observed {
        Observed {
            pull: Some(pull("b", PullState::Open)),
            heads: vec![head("b", false)],
            grading: None,
            journal: Vec::new(),
            comments: Vec::new(),
            now: NOW,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_head_goes_from_graded_to_posted_to_finished_to_rest() {
        let fresh = graded(false, 1, SECOND, SECOND);
        assert_eq!(decide(&seen()), Step::Grade);
        let with = |state| Observed { grading: Some(fresh.clone()), journal: vec![entry(7, "b", state)], ..seen() };
        assert_eq!(decide(&with(JournalState::Intent)), Step::Post(JournalId(7)));
        assert_eq!(decide(&with(JournalState::Posted)), Step::Finish(JournalId(7)));
        assert_eq!(decide(&with(JournalState::Done)), Step::Answered(JournalId(7)));
        assert_eq!(decide(&with(JournalState::Superseded)), Step::Settle);
        let answered = Observed { heads: vec![head("b", true)], ..with(JournalState::Done) };
        assert_eq!(decide(&answered), Step::Rest);
        assert_eq!(decide(&Observed { grading: Some(fresh), ..seen() }), Step::Settle);
    }

    #[test]
    fn an_intent_for_another_head_or_a_closed_pull_request_is_taken_back() {
        let other = Observed { journal: vec![entry(7, "a", JournalState::Intent)], ..seen() };
        assert_eq!(decide(&other), Step::Supersede(JournalId(7)));
        let intent = vec![entry(7, "b", JournalState::Intent)];
        let closed = Observed { pull: Some(pull("b", PullState::Closed)), journal: intent.clone(), ..seen() };
        assert_eq!(decide(&closed), Step::Supersede(JournalId(7)));
        let gone = Observed { pull: None, journal: intent, ..seen() };
        assert_eq!(decide(&gone), Step::Supersede(JournalId(7)));
    }

    #[test]
    fn what_is_on_the_forge_has_its_consequences_whatever_came_after() {
        for state in [PullState::Open, PullState::Closed] {
            let pull = Some(pull("b", state));
            let journal = vec![entry(7, "a", JournalState::Posted), entry(8, "b", JournalState::Intent)];
            assert_eq!(decide(&Observed { pull, journal, ..seen() }), Step::Finish(JournalId(7)));
        }
    }

    #[test]
    fn a_closed_pull_request_is_not_graded() {
        assert_eq!(decide(&Observed { pull: Some(pull("b", PullState::Closed)), ..seen() }), Step::Rest);
        assert_eq!(decide(&Observed { pull: None, ..seen() }), Step::Rest);
    }

    #[test]
    fn provisional_results_wait_are_retried_and_are_told_after_ten_minutes() {
        let at = |tries, first, last| decide(&Observed { grading: Some(graded(true, tries, first, last)), ..seen() });
        assert_eq!(at(1, SECOND, SECOND), Step::Wait(NOW.plus(RETRIES[0] - SECOND)));
        assert_eq!(at(1, RETRIES[0], RETRIES[0]), Step::Grade);
        // Nine minutes after the first, one after the fifth: told before the next retry.
        let nine = 540 * SECOND;
        assert_eq!(at(5, nine, SECOND), Step::Wait(NOW.plus(60 * SECOND)));
        assert_eq!(at(6, PROVISIONAL_AFTER, SECOND), Step::Settle);
        let last = u32::try_from(RETRIES.len()).unwrap() + 1;
        assert_eq!(at(last, SECOND, SECOND), Step::Settle, "no retry is left: tell what there is");
    }

    #[test]
    fn a_provisional_review_that_stands_does_not_end_the_retries() {
        let told = |tries| Observed {
            grading: Some(graded(true, tries, PROVISIONAL_AFTER, SECOND)),
            journal: vec![entry(7, "b", JournalState::Done)],
            heads: vec![head("b", true)],
            ..seen()
        };
        assert_eq!(decide(&told(6)), Step::Wait(NOW.plus(RETRIES[5] - SECOND)));
        assert_eq!(decide(&told(8)), Step::Rest);
    }

    #[test]
    fn commands_are_answered_in_order_and_after_the_head() {
        let comments = vec![
            comment(1, person(), "hello"),
            comment(2, Author::Grader, "/hint is a command"),
            comment(3, person(), "/progress"),
            comment(4, person(), "/regrade"),
        ];
        let waiting = Observed { comments: comments.clone(), ..seen() };
        assert_eq!(decide(&waiting), Step::Grade);
        let settled = Observed {
            grading: Some(graded(false, 1, SECOND, SECOND)),
            journal: vec![entry(7, "b", JournalState::Done)],
            heads: vec![head("b", true)],
            comments,
            ..seen()
        };
        assert_eq!(decide(&settled), Step::Answer(CommentId(3), Command::Progress));
        let talk = Observed { comments: settled.comments[..2].to_vec(), ..settled };
        assert_eq!(decide(&talk), Step::Skip(CommentId(2)));
    }

    #[test]
    fn a_command_is_answered_while_a_retry_waits() {
        let waiting = Observed {
            grading: Some(graded(true, 1, SECOND, SECOND)),
            comments: vec![comment(3, person(), "/progress")],
            ..seen()
        };
        assert_eq!(decide(&waiting), Step::Answer(CommentId(3), Command::Progress));
    }
}
