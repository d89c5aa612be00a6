//! The scenarios.

use gradus::forge::pull::PullNumber;
use gradus::store::time::Time;

use super::{Desk, Files, Shown, Stage};

const FIRST: &str = "tasks/first/deployment.yaml";

/// The answer to the task `first`.
fn deployment(replicas: u32, team: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    team: {team}\nspec:\n  replicas: {replicas}\n"
    )
}

/// Opens a pull request with an answer.
async fn answer<S: Stage>(stage: &S, branch: &str, replicas: u32, team: &str) -> PullNumber {
    stage.open(branch, &[(FIRST, &deployment(replicas, team))]).await
}

async fn again<S: Stage>(stage: &S, number: PullNumber, replicas: u32, team: &str) -> String {
    stage.push(number, &[(FIRST, &deployment(replicas, team))]).await
}

/// The only review, or all of them for the message.
fn only(reviews: &[Shown]) -> &Shown {
    let [review] = reviews else { panic!("one review expected: {reviews:#?}") };
    review
}

pub async fn half_right_then_right<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 3, "none").await;
    let first = stage.head(number).await;
    desk.settle(stage).await;
    let reviews = stage.reviews(number).await;
    let review = only(&reviews);
    assert!(review.body.starts_with("**Not yet: 4 of 7 points"), "{}", review.body);
    assert_eq!(review.head, first);
    assert_eq!(review.lines, [(FIRST.to_owned(), 6)], "on the line of the field");
    assert_eq!(stage.status(number, &first).await.unwrap().0, "failure");
    let second = again(stage, number, 3, "aurora").await;
    desk.settle(stage).await;
    let reviews = stage.reviews(number).await;
    assert_eq!(reviews.len(), 2, "{reviews:#?}");
    assert!(reviews[1].body.contains("7 of 7 points"), "{}", reviews[1].body);
    assert!(reviews[1].body.contains("The debrief of the first task"), "{}", reviews[1].body);
    assert_eq!((&reviews[1].head, reviews[1].folded), (&second, false));
    assert!(reviews[0].folded, "the older one is out of date");
    assert_eq!(stage.status(number, &second).await.unwrap().0, "success");
}

pub async fn looking_again_and_again_posts_nothing_more<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 2, "aurora").await;
    for _ in 0..3 {
        desk.settle(stage).await;
    }
    only(&stage.reviews(number).await);
}

pub async fn of_two_pushes_the_newest_is_answered_and_the_other_named<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 1, "aurora").await;
    // Seen by us, and gone before it was graded.
    let skipped = stage.head(number).await;
    let key = gradus::forge::pull::PullKey {
        workspace: gradus::forge::Forge::workspace(&stage.forge(&desk.store).await).clone(),
        number,
    };
    desk.store.see_head(&key, &skipped.parse().unwrap(), Time(0), stage.clock().now()).await.unwrap();
    let newest = again(stage, number, 2, "aurora").await;
    desk.settle(stage).await;
    let reviews = stage.reviews(number).await;
    let review = only(&reviews);
    assert_eq!(review.head, newest);
    assert!(review.body.contains(&skipped[..7]), "{}", review.body);
}

pub async fn a_head_that_comes_back_is_answered_by_its_review<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 1, "aurora").await;
    let first = stage.head(number).await;
    desk.settle(stage).await;
    stage.force_push(number, &[(FIRST, &deployment(2, "aurora"))]).await;
    desk.settle(stage).await;
    stage.force_push_back(number, &first).await;
    desk.settle(stage).await;
    assert_eq!(stage.reviews(number).await.len(), 2, "none for the second time");
    assert_eq!(stage.status(number, &first).await.unwrap().0, "failure");
}

pub async fn a_near_miss_is_named<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let text = deployment(3, "aurora");
    let files: Files<'_> = &[("Tasks/first/deployment.yaml", &text)];
    let number = stage.open("lost", files).await;
    desk.settle(stage).await;
    let reviews = stage.reviews(number).await;
    let review = only(&reviews);
    assert!(review.body.contains("Nothing to grade yet"), "{}", review.body);
    assert!(review.body.contains("tasks/first/deployment.yaml"), "{}", review.body);
}

pub async fn every_command_is_answered_once<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 1, "aurora").await;
    desk.settle(stage).await;
    stage.say(number, "Thank you!").await;
    stage.say(number, "/hint replicas").await;
    stage.say(number, "/explian replicas").await;
    stage.say(number, "> /regrade").await;
    stage.say(number, "/waive replicas because I say so").await;
    for _ in 0..2 {
        desk.settle(stage).await;
    }
    let answers = stage.answers(number).await;
    assert_eq!(answers.len(), 3, "{answers:#?}");
    assert!(answers[0].contains("Count the copies") || answers[0].contains("Look at the spec"), "{}", answers[0]);
    assert!(answers[1].contains("/explain"), "{}", answers[1]);
    only(&stage.reviews(number).await);
}

pub async fn commands_that_are_too_many_are_answered_by_one<S: Stage>(stage: &S) {
    use gradus::reconcile::allowance::COMMANDS;
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 1, "aurora").await;
    desk.settle(stage).await;
    for _ in 0..COMMANDS + 3 {
        stage.say(number, "/hnit").await;
    }
    for _ in 0..2 {
        desk.settle(stage).await;
    }
    let answers = stage.answers(number).await;
    let (last, own) = answers.split_last().unwrap();
    assert_eq!(own.len(), COMMANDS as usize, "{answers:#?}");
    assert!(own.iter().all(|answer| answer.contains("Did you mean `/hint`?")), "{answers:#?}");
    assert!(last.contains("This answers all further ones") && last.contains("The next one is taken at"), "{last}");
    // An empty store asks nobody to wait again.
    let other = Desk::open(stage, "b").await;
    other.settle(stage).await;
    assert_eq!(stage.answers(number).await, answers);
}

pub async fn grading_again_with_the_same_result_posts_no_review<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 1, "aurora").await;
    desk.settle(stage).await;
    stage.say(number, "/regrade").await;
    desk.settle(stage).await;
    let answers = stage.answers(number).await;
    assert!(answers[0].contains("same result"), "{answers:#?}");
    only(&stage.reviews(number).await);
}

pub async fn a_closed_pull_request_gets_nothing<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let number = answer(stage, "work", 1, "aurora").await;
    stage.close(number).await;
    desk.settle(stage).await;
    assert_eq!(stage.reviews(number).await, []);
}

pub async fn an_empty_store_learns_from_what_stands_there<S: Stage>(stage: &S) {
    let number = answer(stage, "work", 1, "aurora").await;
    let desk = Desk::open(stage, "a").await;
    desk.settle(stage).await;
    stage.say(number, "/hint replicas").await;
    desk.settle(stage).await;
    // As another machine would see it.
    let other = Desk::open(stage, "b").await;
    other.settle(stage).await;
    only(&stage.reviews(number).await);
    assert_eq!(stage.answers(number).await.len(), 1);
    again(stage, number, 2, "aurora").await;
    other.settle(stage).await;
    let reviews = stage.reviews(number).await;
    assert_eq!(reviews.len(), 2);
    assert!(reviews[1].body.contains("ttempt 2"), "attempts go on: {}", reviews[1].body);
}

pub async fn two_daemons_at_once_leave_one_review<S: Stage>(stage: &S) {
    let (one, two) = (Desk::open(stage, "a").await, Desk::open(stage, "b").await);
    let number = answer(stage, "work", 1, "aurora").await;
    tokio::join!(one.settle(stage), two.settle(stage));
    // At rest: whoever finds two takes one away.
    one.settle(stage).await;
    two.settle(stage).await;
    only(&stage.reviews(number).await);
}

pub async fn what_a_learner_writes_shows_harmlessly<S: Stage>(stage: &S) {
    let desk = Desk::open(stage, "a").await;
    let hostile =
        "@teacher <!-- gradus:v1:forged --> ``` ~~~ \u{202e}evil\u{200b} <script>x</script> #1 [x](javascript:y)";
    let text = deployment(3, &format!("{hostile:?}"));
    let number = stage.open("work", &[(FIRST, &text)]).await;
    desk.settle(stage).await;
    stage.say(number, &format!("/explain {hostile}")).await;
    desk.settle(stage).await;
    let shown = [stage.reviews(number).await[0].body.clone(), stage.answers(number).await[0].clone()];
    for text in shown {
        // Our own marker is the only comment, and the last thing in the text.
        assert!(text.matches("<!--").count() <= 1, "{text}");
        assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'), "{text:?}");
        assert!(!text.contains("<script"), "{text}");
        assert!(!text.contains("\n@teacher") && !text.contains(" @teacher"), "{text}");
    }
    only(&stage.reviews(number).await);
}

macro_rules! acts {
    ($stage:ty) => {
        crate::scenario::acts::acts!($stage:
            half_right_then_right,
            looking_again_and_again_posts_nothing_more,
            of_two_pushes_the_newest_is_answered_and_the_other_named,
            a_head_that_comes_back_is_answered_by_its_review,
            a_near_miss_is_named,
            every_command_is_answered_once,
            commands_that_are_too_many_are_answered_by_one,
            grading_again_with_the_same_result_posts_no_review,
            a_closed_pull_request_gets_nothing,
            an_empty_store_learns_from_what_stands_there,
            two_daemons_at_once_leave_one_review,
            what_a_learner_writes_shows_harmlessly,
        );
    };
    ($stage:ty: $($act:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $act() {
            let stage = <$stage as crate::scenario::Stage>::new().await;
            crate::scenario::acts::$act(&stage).await;
            crate::scenario::Stage::finish(stage).await;
        }
    )*};
}
pub(crate) use acts;
