use super::*;
use crate::checkpoint::outcome::Outcome;
use crate::forge::pull::Permission;
use crate::grade::report::CourseRef;
use crate::gradebook::Keeping;
use crate::gradebook::book::Book;
use crate::reconcile::answer::{Again, answer};
use crate::reconcile::command::parse;
use crate::reconcile::grader::Grading;
use crate::reconcile::testing;
use crate::store::time::Time;

/// `replicas` as it was judged at a head of forty times this letter.
fn verdict(pull: &str, head: char, files: char, outcome: Outcome) -> Entry {
    let score = if outcome == Outcome::Pass { 2 } else { 0 };
    Entry::Verdict(Verdict {
        at: Time(0),
        course: CourseRef { id: "hello".parse().unwrap(), revision: "b".repeat(40).parse().unwrap() },
        task: "scale-the-web".parse().unwrap(),
        pull: pull.to_owned(),
        head: head.to_string().repeat(40).parse().unwrap(),
        files: files.to_string().repeat(40).parse().unwrap(),
        outcome,
        score,
        points: 4,
        provisional: false,
        checkpoints: vec![CheckpointVerdict {
            id: "replicas".parse().unwrap(),
            outcome,
            score,
            points: 2,
            cause: None,
        }],
    })
}

/// What `/explain replicas` and `/hint` say at a head with nothing to grade.
fn said(entries: Vec<Entry>, passed_before: &[&str]) -> [String; 2] {
    let mut book = Book::default();
    entries.into_iter().for_each(|entry| book.add(entry));
    let course = CourseRef { id: "hello".parse().unwrap(), revision: "b".repeat(40).parse().unwrap() };
    let grading = Grading {
        passed_before: passed_before.iter().map(|id| id.parse().unwrap()).collect(),
        ..testing::grading(course, Vec::new())
    };
    let about = About {
        pull: &testing::pull("e"),
        key: &testing::key(),
        by: &testing::ada(),
        permission: Permission::Owner,
        keeping: Keeping::Kept,
        grading: Some(&grading),
        book: &book,
        course: None,
        at: Time(0),
        again: Again::No,
    };
    ["/explain replicas", "/hint"].map(|command| answer(&about, &parse(command).unwrap()).text)
}

#[test]
fn changes_that_were_taken_back_leave_what_was_graded_before() {
    let fail = || verdict("local#1", 'c', 'c', Outcome::Fail);
    let [explained, hinted] = said(vec![verdict("local#1", 'a', 'a', Outcome::Pass), fail()], &[]);
    assert_eq!(
        explained,
        "`replicas`: fail, 0 of 2 points, at `ccccccc`; what was found stands in the review of that commit. Head \
         `eeeeeee` changes no file of a task, so it is not graded now: push a change below `tasks/scale-the-web/`."
    );
    assert_eq!(
        hinted,
        "Head `eeeeeee` changes no file of a task, so nothing of it is graded: push a change below `tasks/TASK-ID/`. \
         Graded here before:\n\n- `scale-the-web` at `ccccccc`: 0 of 4 points (`replicas`)"
    );
}

#[test]
fn what_passed_before_and_is_unchanged_is_said_to_be_passed() {
    // It failed here since, and passed in another pull request.
    let entries = vec![verdict("local#7", 'a', 'a', Outcome::Pass), verdict("local#1", 'c', 'c', Outcome::Fail)];
    let [explained, hinted] = said(entries, &["scale-the-web"]);
    assert!(explained.starts_with("`replicas`: pass, 2 of 2 points, at `aaaaaaa`. The files of"), "{explained}");
    assert!(explained.ends_with("the points are yours, and there is nothing to change."), "{explained}");
    assert!(hinted.contains("`scale-the-web` are those that passed before"), "{hinted}");
}

#[test]
fn where_nothing_was_ever_graded_that_is_said() {
    let nothing = "Nothing was graded here yet: push a change below `tasks/TASK-ID/`.";
    assert_eq!(said(Vec::new(), &[]), [nothing, nothing]);
    assert_eq!(said(vec![verdict("local#7", 'a', 'a', Outcome::Fail)], &[]), [nothing, nothing], "of another one");
}
