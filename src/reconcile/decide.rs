//! From what is seen to the one next step. Pure: no clock, no forge, no store.
//!
//! Level-triggered: the whole state is looked at before each step, so it does not matter which hint led here, whether
//! some were lost, or where an earlier worker stopped. A step that was done leads to another one next time; when nothing
//! is left the pull request is at rest.

use std::time::Duration;

use super::command::{Command, parse};
use super::policy::Admission;
use crate::forge::pull::{Author, Comment, CommentId, Pull, PullState, Readiness, User, UserKind};
use crate::store::heads::SeenHead;
use crate::store::journal::{GradingState, JournalEntry, JournalId, JournalState};
use crate::store::time::Time;
use crate::submission::sha::{CommitId, TreeId};

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

/// How long after a write began it may still take effect although nobody waits for its answer any more.
pub const LATE: Duration = Duration::from_secs(120);

/// What is seen of one pull request.
#[derive(Debug, Clone)]
pub struct Observed {
    /// As the forge has it; none when it has no such.
    pub pull: Option<Pull>,
    /// Whether this store has seen it before.
    pub known: bool,
    /// Whether its author is graded.
    pub admission: Admission,
    /// Heads in the order seen; the last one is the pull request's, unless it is closed.
    pub heads: Vec<SeenHead>,
    /// The newest grading of the head.
    pub grading: Option<GradingState>,
    /// Whether a person's review is due or there.
    pub human: HumanReview,
    /// All entries, oldest first.
    pub journal: Vec<JournalEntry>,
    /// Heads that will never be graded, and whose status still says that they will.
    pub left_waiting: Vec<CommitId>,
    /// When the newest write began whose answer is not known.
    pub in_doubt: Option<Time>,
    /// Comments that were not looked at yet, oldest first; none before they are asked for.
    pub comments: Option<Vec<Comment>>,
    /// How long a passed pull request stays open; none leaves it open.
    pub close_after: Option<Duration>,
    /// From when on there is room for writes that nobody waits for.
    pub idle_from: Time,
    /// The revision of its course that is served.
    pub revision: Option<TreeId>,
    /// Now.
    pub now: Time,
}

/// A person's review of what passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HumanReview {
    /// Nobody asks for one.
    NotAsked,
    /// An instructor has to approve.
    Due,
    /// An instructor did, on these files, and it is not written down yet.
    Approved(User),
    /// And it is written down.
    Recorded,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Take in what stands on the forge: this store knows nothing of the pull request.
    Recall,
    /// Tell somebody who is not graded that it is so.
    Refuse,
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
    /// Answer by the status alone.
    Quiet,
    /// Write down that an instructor approved.
    Approve(User),
    /// Ask for the comments: nothing else goes before them.
    Listen,
    /// Answer a command.
    Answer(CommentId, Command),
    /// Nothing is asked in this comment, nor in those before it.
    Skip(CommentId),
    /// Put in order what may have been left behind until then.
    Tidy(Time),
    /// Fold a review of ours: a newer one stands.
    Retire(JournalId),
    /// Say on a head that it was never graded to the end.
    Withdraw(CommitId),
    /// Close what passed and was left open long enough.
    Close,
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
    if open.is_some() && !seen.known {
        return Step::Recall;
    }
    let wait = match (open, seen.heads.last()) {
        (Some(pull), Some(head)) => match on_head(seen, pull, head) {
            Next::Step(step) => return step,
            Next::Wait(at) => Some(at),
            Next::Nothing => None,
        },
        _ => None,
    };
    let Some(comments) = &seen.comments else { return Step::Listen };
    if let Some(step) = on_comments(comments, seen.admission) {
        return step;
    }
    // Behind what learners wait for.
    if let (Some(_), Some(head)) = (&seen.pull, seen.left_waiting.first()) {
        return Step::Withdraw(head.clone());
    }
    let later = [doubting(seen), open.and_then(|pull| closing(seen, pull)), retiring(seen)];
    let mut waits = wait.into_iter().collect::<Vec<_>>();
    for next in later.into_iter().flatten() {
        match next {
            Next::Step(step) => return step,
            Next::Wait(at) => waits.push(at),
            Next::Nothing => {}
        }
    }
    waits.into_iter().min().map_or(Step::Rest, Step::Wait)
}

enum Next {
    Step(Step),
    Wait(Time),
    Nothing,
}

fn on_head(seen: &Observed, pull: &Pull, head: &SeenHead) -> Next {
    let unanswered = head.answered_at.is_none();
    if seen.admission == Admission::Refused {
        return if unanswered { Next::Step(Step::Refuse) } else { Next::Nothing };
    }
    let Some(grading) = &seen.grading else {
        // Answered in the life of another store: graded again when somebody asks.
        return if unanswered { Next::Step(Step::Grade) } else { Next::Nothing };
    };
    // A draft that is ready now was graded as practice: it counts from here on. The way back changes nothing.
    if grading.traits.practice && pull.readiness == Readiness::Ready {
        return Next::Step(Step::Grade);
    }
    // A quarantine began or ended, or the course changed and somebody wants it applied.
    let changed = grading.wanted.is_some() && grading.wanted == seen.revision;
    if changed || grading.again_at.is_some_and(|at| at <= seen.now) {
        return Next::Step(Step::Grade);
    }
    if grading.traits.quiet && !grading.provisional {
        return if unanswered { Next::Step(Step::Quiet) } else { Next::Nothing };
    }
    let entry = seen.journal.iter().find(|entry| entry.head == head.head && entry.digest == grading.digest);
    if !grading.provisional {
        return match entry {
            // Nothing for the learner to see twice: the review of this head stands, from when it was here before.
            Some(entry) if matches!(entry.state, JournalState::Done | JournalState::Failed) => {
                match (&seen.human, unanswered) {
                    (_, true) => Next::Step(Step::Answered(entry.id)),
                    (HumanReview::Approved(by), false) => Next::Step(Step::Approve(by.clone())),
                    _ => Next::Nothing,
                }
            }
            // Superseded before it was posted, and now the head is back; or graded by a worker that stopped right there.
            _ => Next::Step(Step::Settle),
        };
    }
    let retry = grading.tries.checked_sub(1).and_then(|tries| RETRIES.get(tries as usize));
    let retry = retry.filter(|_| !grading.traits.held_up).map(|wait| grading.graded_at.plus(*wait));
    if retry.is_some_and(|at| at <= seen.now) {
        return Next::Step(Step::Grade);
    }
    if grading.traits.quiet {
        return retry.into_iter().chain(grading.again_at).min().map_or(Next::Nothing, Next::Wait);
    }
    let patience = grading.first_at.plus(PROVISIONAL_AFTER);
    let posted = entry.filter(|entry| matches!(entry.state, JournalState::Done | JournalState::Failed));
    if let Some(posted) = posted.filter(|_| unanswered) {
        return Next::Step(Step::Answered(posted.id));
    }
    if unanswered && (patience <= seen.now || retry.is_none()) {
        return Next::Step(Step::Settle);
    }
    let patience = unanswered.then_some(patience);
    match retry.into_iter().chain(patience).chain(grading.again_at).min() {
        Some(at) => Next::Wait(at),
        None => Next::Nothing,
    }
}

fn on_comments(comments: &[Comment], admission: Admission) -> Option<Step> {
    let mut quiet = None;
    for comment in comments {
        let asked = match &comment.author {
            // They were told, once.
            _ if admission == Admission::Refused => None,
            // Two programs could talk to each other for ever.
            Author::Grader | Author::Person(User { kind: UserKind::Bot, .. }) => None,
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

/// A passed pull request is closed some days after it was answered; never while a person's review is due.
fn closing(seen: &Observed, pull: &Pull) -> Option<Next> {
    let (after, head, grading) = (seen.close_after?, seen.heads.last()?, seen.grading.as_ref()?);
    let due = matches!(seen.human, HumanReview::Due | HumanReview::Approved(_));
    if !grading.traits.passed || due || head.head != pull.head {
        return None;
    }
    let at = head.answered_at?.plus(after);
    Some(if at <= seen.now { Next::Step(Step::Close) } else { Next::Wait(at) })
}

/// A write whose answer never came may still arrive, after others that were meant to replace it.
fn doubting(seen: &Observed) -> Option<Next> {
    let since = seen.in_doubt?;
    let at = since.plus(LATE);
    Some(if at <= seen.now { Next::Step(Step::Tidy(since)) } else { Next::Wait(at) })
}

/// Older reviews of ours are folded when the budget is idle.
fn retiring(seen: &Observed) -> Option<Next> {
    let done = |entry: &&JournalEntry| entry.state == JournalState::Done;
    let newest = seen.journal.iter().filter(done).max_by_key(|entry| (entry.up_to, entry.id))?;
    let older = |entry: &&JournalEntry| entry.id != newest.id && !entry.retired && entry.review_id.is_some();
    let entry = seen.journal.iter().filter(done).find(older)?;
    Some(if seen.idle_from <= seen.now { Next::Step(Step::Retire(entry.id)) } else { Next::Wait(seen.idle_from) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::{self, ada};
    use crate::store::journal::Traits;

    const NOW: Time = Time(10_000_000);

    fn sha(letter: &str) -> CommitId {
        letter.repeat(40).parse().unwrap()
    }

    fn revision(digit: &str) -> TreeId {
        digit.repeat(40).parse().unwrap()
    }

    fn person() -> Author {
        Author::Person(ada())
    }

    fn pull(head: &str, state: PullState) -> Pull {
        Pull { state, ..testing::pull(head) }
    }

    fn head(letter: &str, answered: bool) -> SeenHead {
        SeenHead {
            seq: 1,
            head: sha(letter),
            seen_at: Time(0),
            answered_at: answered.then_some(NOW),
            updated_at: Time(0),
        }
    }

    fn graded(provisional: bool, tries: u32, first: Duration, last: Duration) -> GradingState {
        let before = |ago: Duration| Time(NOW.0 - i64::try_from(ago.as_millis()).unwrap());
        GradingState {
            digest: "a".repeat(64).parse().unwrap(),
            provisional,
            traits: Traits::default(),
            tries,
            first_at: before(first),
            graded_at: before(last),
            again_at: None,
            wanted: None,
        }
    }

    fn entry(id: i64, letter: &str, state: JournalState) -> JournalEntry {
        let digest = "a".repeat(64).parse().unwrap();
        JournalEntry {
            id: JournalId(id),
            head: sha(letter),
            digest,
            state,
            up_to: id,
            provisional: false,
            review_id: Some(id.to_string()),
            retired: false,
        }
    }

    fn comment(id: i64, author: Author, body: &str) -> Comment {
        Comment { id: CommentId(id), author, marker: None, body: body.to_owned(), created_at: NOW }
    }

    /// Open at head `b`, which was seen and not answered.
    fn seen() -> Observed {
        Observed {
            pull: Some(pull("b", PullState::Open)),
            known: true,
            admission: Admission::Admitted,
            human: HumanReview::NotAsked,
            close_after: None,
            idle_from: Time(0),
            heads: vec![head("b", false)],
            grading: None,
            journal: Vec::new(),
            left_waiting: Vec::new(),
            in_doubt: None,
            comments: Some(Vec::new()),
            revision: Some(revision("1")),
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
    fn a_wait_that_nobody_ends_any_more_is_ended() {
        let closed = Observed { pull: Some(pull("b", PullState::Closed)), left_waiting: vec![sha("b")], ..seen() };
        assert_eq!(decide(&closed), Step::Withdraw(sha("b")));
        assert_eq!(decide(&Observed { pull: None, ..closed }), Step::Rest, "nobody is there to be told");
        let pushed_over = Observed { left_waiting: vec![sha("a")], ..seen() };
        assert_eq!(decide(&pushed_over), Step::Grade, "first what a learner waits for");
        let answered = Observed {
            grading: Some(graded(false, 1, SECOND, SECOND)),
            journal: vec![entry(7, "b", JournalState::Done)],
            heads: vec![head("b", true)],
            ..pushed_over
        };
        assert_eq!(decide(&answered), Step::Withdraw(sha("a")));
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
    fn what_a_quarantine_holds_up_is_told_at_once_and_graded_again_when_it_ends() {
        let held_up = Traits { held_up: true, ..Traits::default() };
        let held =
            |ends: Time| GradingState { traits: held_up, again_at: Some(ends), ..graded(true, 1, SECOND, SECOND) };
        let later = NOW.plus(3600 * SECOND);
        assert_eq!(decide(&Observed { grading: Some(held(later)), ..seen() }), Step::Settle);
        let told = |grading| Observed {
            grading: Some(grading),
            journal: vec![entry(7, "b", JournalState::Done)],
            heads: vec![head("b", true)],
            ..seen()
        };
        assert_eq!(decide(&told(held(later))), Step::Wait(later), "no retry in between");
        assert_eq!(decide(&told(held(NOW))), Step::Grade);
        let asked = GradingState { again_at: Some(NOW), ..graded(false, 1, SECOND, SECOND) };
        assert_eq!(decide(&told(asked)), Step::Grade, "also what is final");
    }

    #[test]
    fn what_waits_for_a_revision_of_the_course_is_graded_once_that_is_served() {
        let wanting = |wanted| GradingState { wanted: Some(revision(wanted)), ..graded(false, 1, SECOND, SECOND) };
        assert_eq!(decide(&answered(wanting("1"))), Step::Grade);
        assert_eq!(decide(&answered(wanting("2"))), Step::Rest, "another one is served");
        let gone = Observed { revision: None, ..answered(wanting("1")) };
        assert_eq!(decide(&gone), Step::Rest);
    }

    #[test]
    fn what_is_in_doubt_is_put_in_order_once_nothing_of_it_can_arrive_any_more() {
        let answered = answered(graded(false, 1, SECOND, SECOND));
        let since = |ago: Duration| {
            let in_doubt = Some(NOW.before(ago));
            [PullState::Open, PullState::Closed]
                .map(|state| decide(&Observed { in_doubt, pull: Some(pull("b", state)), ..answered.clone() }))
        };
        let early = Step::Wait(NOW.plus(SECOND));
        assert_eq!(since(LATE - SECOND), [early.clone(), early]);
        let late = Step::Tidy(NOW.before(LATE));
        assert_eq!(since(LATE), [late.clone(), late]);
        let unanswered = Observed { in_doubt: Some(NOW.before(LATE)), ..seen() };
        assert_eq!(decide(&unanswered), Step::Grade, "first of all the head");
    }

    #[test]
    fn commands_are_answered_in_order_and_after_the_head() {
        let comments = vec![
            comment(1, person(), "hello"),
            comment(2, Author::Grader, "/hint is a command"),
            comment(3, person(), "/progress"),
            comment(4, person(), "/regrade"),
        ];
        let waiting = Observed { comments: Some(comments.clone()), ..seen() };
        assert_eq!(decide(&waiting), Step::Grade);
        let settled = Observed {
            grading: Some(graded(false, 1, SECOND, SECOND)),
            journal: vec![entry(7, "b", JournalState::Done)],
            heads: vec![head("b", true)],
            comments: Some(comments.clone()),
            ..seen()
        };
        assert_eq!(decide(&settled), Step::Answer(CommentId(3), Command::Progress));
        let talk = Observed { comments: Some(comments[..2].to_vec()), ..settled };
        assert_eq!(decide(&talk), Step::Skip(CommentId(2)));
    }

    #[test]
    fn a_command_is_answered_while_a_retry_waits() {
        let waiting = Observed {
            grading: Some(graded(true, 1, SECOND, SECOND)),
            comments: Some(vec![comment(3, person(), "/progress")]),
            ..seen()
        };
        assert_eq!(decide(&waiting), Step::Answer(CommentId(3), Command::Progress));
    }

    fn passed() -> GradingState {
        let traits = Traits { passed: true, ..Traits::default() };
        GradingState { traits, ..graded(false, 1, SECOND, SECOND) }
    }

    fn answered(grading: GradingState) -> Observed {
        let journal = vec![entry(7, "b", JournalState::Done)];
        Observed { grading: Some(grading), journal, heads: vec![head("b", true)], ..seen() }
    }

    #[test]
    fn an_unknown_pull_request_is_recalled_before_anything_is_graded() {
        assert_eq!(decide(&Observed { known: false, ..seen() }), Step::Recall);
        let recalled = Observed { heads: vec![head("b", true)], ..seen() };
        assert_eq!(decide(&recalled), Step::Rest, "answered in the life of another store");
    }

    #[test]
    fn who_is_not_graded_is_told_once_per_head() {
        let refused = |answered| Observed { admission: Admission::Refused, heads: vec![head("b", answered)], ..seen() };
        assert_eq!(decide(&refused(false)), Step::Refuse);
        assert_eq!(decide(&refused(true)), Step::Rest);
    }

    #[test]
    fn a_quiet_grading_sets_the_status_and_posts_nothing() {
        let quiet =
            GradingState { traits: Traits { quiet: true, ..Traits::default() }, ..graded(false, 1, SECOND, SECOND) };
        assert_eq!(decide(&Observed { grading: Some(quiet.clone()), ..seen() }), Step::Quiet);
        let answered = Observed { grading: Some(quiet), heads: vec![head("b", true)], ..seen() };
        assert_eq!(decide(&answered), Step::Rest);
    }

    #[test]
    fn a_draft_counts_once_it_is_ready_and_not_before() {
        let practice =
            GradingState { traits: Traits { practice: true, ..Traits::default() }, ..graded(false, 1, SECOND, SECOND) };
        let draft = Pull { readiness: Readiness::Draft, ..pull("b", PullState::Open) };
        let drafted = Observed { pull: Some(draft.clone()), ..answered(practice) };
        assert_eq!(decide(&drafted), Step::Rest);
        assert_eq!(decide(&Observed { pull: Some(pull("b", PullState::Open)), ..drafted }), Step::Grade);
        let back = Observed { pull: Some(draft), ..answered(graded(false, 1, SECOND, SECOND)) };
        assert_eq!(decide(&back), Step::Rest, "what counted goes on to count");
    }

    #[test]
    fn what_passed_is_closed_after_some_days_unless_a_person_is_due() {
        let after =
            |close_after, human| decide(&Observed { close_after: Some(close_after), human, ..answered(passed()) });
        assert_eq!(after(Duration::ZERO, HumanReview::NotAsked), Step::Close);
        assert_eq!(after(SECOND, HumanReview::NotAsked), Step::Wait(NOW.plus(SECOND)));
        assert_eq!(after(Duration::ZERO, HumanReview::Due), Step::Rest);
        assert_eq!(after(Duration::ZERO, HumanReview::Approved(ada())), Step::Approve(ada()));
        assert_eq!(after(Duration::ZERO, HumanReview::Recorded), Step::Close);
        let failed = Observed { close_after: Some(Duration::ZERO), ..answered(graded(false, 1, SECOND, SECOND)) };
        assert_eq!(decide(&failed), Step::Rest);
    }

    #[test]
    fn older_reviews_are_folded_when_there_is_room_and_the_newest_never() {
        let journal = vec![entry(6, "a", JournalState::Done), entry(7, "b", JournalState::Done)];
        let mut seen = Observed { journal, ..answered(graded(false, 1, SECOND, SECOND)) };
        assert_eq!(decide(&seen), Step::Retire(JournalId(6)));
        seen.idle_from = NOW.plus(SECOND);
        assert_eq!(decide(&seen), Step::Wait(NOW.plus(SECOND)));
        seen.idle_from = NOW;
        seen.journal[0].retired = true;
        assert_eq!(decide(&seen), Step::Rest);
    }

    #[test]
    fn who_was_refused_is_not_refused_again_for_each_comment() {
        let comments = vec![comment(3, person(), "/regrade")];
        let asked = Observed {
            admission: Admission::Refused,
            comments: Some(comments),
            heads: vec![head("b", true)],
            ..seen()
        };
        assert_eq!(decide(&asked), Step::Skip(CommentId(3)));
    }

    #[test]
    fn programs_are_not_answered() {
        let bot = Author::Person(User { kind: UserKind::Bot, ..ada() });
        let comments = vec![comment(3, bot, "/regrade")];
        let asked = Observed { comments: Some(comments), ..answered(graded(false, 1, SECOND, SECOND)) };
        assert_eq!(decide(&asked), Step::Skip(CommentId(3)));
    }
}
