//! `grade.yml`: reviews without a server.

use serde_json::json;

use super::course::{HIDDEN, deployment};
use super::world::{HEAD, KEYS, World};

/// What a learner could put into a pull request so that something of it is executed, believed or leaked.
fn hostile(pwned: &str) -> Vec<(String, String)> {
    let run = format!("touch {pwned}; env >{pwned}.env");
    let workflow = format!(
        "# {HEAD}\non: [pull_request_target, push]\njobs:\n  own:\n    runs-on: ubuntu-24.04\n    steps: [{{run: \"{run}\"}}]\n"
    );
    let action = format!(
        "# {HEAD}\nname: grade\ndescription: x\nruns: {{using: composite, steps: [{{shell: bash, run: \"{run}\"}}]}}\n"
    );
    let free = format!(
        "# {HEAD}\napiVersion: gradus.dev/v1alpha1\nkind: Task\nmetadata: {{id: copies, title: Free}}\nspec:\n  points: \
         6\n  minutes: 1\n  checkpoints:\n    - {{id: free, title: Free points, points: 6, file: {{path: web.yaml}}}}\n"
    );
    let script = format!("#!/bin/sh\n# {HEAD}\n{run}\n");
    [
        (".github/workflows/gradus.yml", workflow.clone()),
        (".github/workflows/own.yml", workflow),
        (".github/actions/grade/action.yml", action),
        (".gradus/tasks/copies.yaml", free.clone()),
        ("tasks/copies/task.yaml", free),
        ("course.yaml", format!("# {HEAD}\n")),
        ("tasks/copies/conftest.sh", script.clone()),
        ("Makefile", format!("# {HEAD}\nall:\n\t{run}\n")),
        (".envrc", script.clone()),
        (".githooks/post-checkout", script),
        (".gitattributes", format!("# {HEAD}\n* filter=own\n")),
        (".gitconfig", format!("# {HEAD}\n[filter \"own\"]\n\tsmudge = {run}\n[core]\n\thooksPath = .githooks\n")),
        ("tasks/copies/web.yaml", deployment(2, &format!("{HEAD} @everybody <!-- gradus:1 x -->"), "")),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into()
}

#[test]
fn a_pull_request_is_answered_once_and_never_checked_out() {
    let world = World::new();
    let pwned = world.path("pwned").display().to_string();
    let hostile = hostile(&pwned);
    let hostile: Vec<(&str, &str)> = hostile.iter().map(|(path, text)| (&**path, &**text)).collect();
    let at = world.open(&hostile);
    let head = world.hub.pull(at).head_sha;

    let first = world.run("gradus", "pull_request_target", world.payload(at, "opened"));
    assert!(first.good, "{}", first.log);
    println!("minutes per verdict: one run took {:.1} s", first.took.as_secs_f64());
    let reviews = world.hub.reviews_by(at, world.bot);
    assert_eq!(reviews.len(), 1, "{}", first.raw);
    assert_eq!((&*reviews[0].commit_id, world.hub.visible_reviews(at).len()), (&*head, 1));
    assert!(reviews[0].body.starts_with("**Not yet: 0 of 6 points"), "{}", reviews[0].body);
    assert!(HIDDEN.iter().chain(&KEYS).all(|secret| !reviews[0].body.contains(secret)), "{}", reviews[0].body);
    let statuses = world.hub.statuses(world.repo, &head);
    assert_eq!(statuses.len(), 1);
    assert!(first.summary.contains(&format!("/acme/hello/pull/{}", at.number)), "{}", first.summary);
    assert!(first.log.contains("answered: Not yet: 0 of 6 points"), "{}", first.log);
    assert!(!first.seen.is_empty(), "the runner's disk was looked at");
    for name in ["conftest.sh", ".envrc", ".githooks", "Makefile"] {
        assert!(!first.seen.contains(name), "{name} is on the runner's disk:\n{}", first.seen);
    }
    assert!(!world.path("pwned").exists() && !world.path("pwned.env").exists(), "something of the head was executed");
    world.assert_discreet(&first);

    // Another event, the timer, somebody's re-run: an empty store each time, and nothing to add.
    for (event, payload) in [
        ("pull_request_target", world.payload(at, "synchronize")),
        ("schedule", json!({"schedule": "17 */2 * * *", "repository": {"full_name": "acme/hello", "fork": false}})),
    ] {
        let again = world.run("gradus", event, payload);
        assert!(again.good && again.raw.contains("nothing new"), "{}", again.log);
        assert_eq!(world.hub.reviews_by(at, world.bot).len(), 1, "{event}");
        world.assert_discreet(&again);
    }

    let [expectation, fixture, ..] = HIDDEN;
    let fixed = deployment(3, expectation, fixture);
    // The learner guessed: from here on the words are theirs, and stand in their own file.
    let second = world.push(at, &[("tasks/copies/web.yaml", &deployment(3, "", ""))]);
    let next = world.run("gradus", "pull_request_target", world.payload(at, "synchronize"));
    assert!(next.good, "{}", next.log);
    let reviews = world.hub.reviews_by(at, world.bot);
    assert_eq!((reviews.len(), &*reviews[1].commit_id), (2, &*second));
    assert!(reviews[1].body.contains("ttempt 2"), "attempts go on over empty stores: {}", reviews[1].body);
    assert!(reviews[1].body.starts_with("**Not yet: 2 of 6 points"), "{}", reviews[1].body);
    world.assert_discreet(&next);

    let third = world.push(at, &[("tasks/copies/web.yaml", &fixed)]);
    let passed = world.run("gradus", "pull_request_target", world.payload(at, "synchronize"));
    assert!(passed.good, "{}", passed.log);
    let reviews = world.hub.reviews_by(at, world.bot);
    assert_eq!((reviews.len(), &*reviews[2].commit_id), (3, &*third));
    assert!(reviews[2].body.starts_with("**Passed"), "{}", reviews[2].body);
    world.hub.finish();
}

#[test]
fn a_comment_is_answered_and_people_talk_for_free() {
    let world = World::new();
    let at = world.open(&[("tasks/copies/web.yaml", &deployment(2, "", ""))]);
    let comment = |text: &str| {
        world.hub.comment(at, world.ada, text);
        json!({
            "action": "created",
            "repository": {"full_name": "acme/hello", "fork": false},
            "issue": {"number": at.number, "pull_request": {}},
            "comment": {"body": text, "user": {"id": world.ada.0, "login": "ada", "type": "User"}},
        })
    };
    let talk = world.run("gradus", "issue_comment", comment("thank you all"));
    assert_eq!((talk.good, &*talk.raw), (true, ""), "nothing was started: {}", talk.log);
    let asked = world.run("gradus", "issue_comment", comment("/progress"));
    assert!(asked.good && asked.raw.contains("a command was answered"), "{}", asked.log);
    let ours = |at| world.hub.comments(at).into_iter().filter(|comment| comment.user == world.bot).count();
    assert_eq!((ours(at), world.hub.reviews_by(at, world.bot).len()), (1, 1));
    let again = world.run("gradus", "workflow_dispatch", json!({"inputs": {"pull": at.number.to_string()}}));
    assert!(again.good, "{}", again.log);
    assert_eq!((ours(at), world.hub.reviews_by(at, world.bot).len()), (1, 1));
    world.assert_discreet(&asked);
    world.hub.finish();
}

#[test]
fn without_the_course_the_workspaces_own_rules_judge_what_everybody_may_see() {
    let world = World::new();
    world.edit_workflow("gradus", "      course-repository: acme/hello-course\n", "");
    world.edit_workflow("gradus", "      course-directory: hello\n", "");
    let at = world.open(&[("tasks/copies/web.yaml", &deployment(3, "", ""))]);
    let run = world.run("gradus", "pull_request_target", world.payload(at, "opened"));
    assert!(run.good, "{}", run.log);
    let reviews = world.hub.reviews_by(at, world.bot);
    assert!(reviews[0].body.contains("2 of 2 points"), "{}", reviews[0].body);
    world.assert_discreet(&run);
    world.hub.finish();
}

#[test]
fn a_learners_own_repository_gets_nothing_hidden() {
    let world = World::new();
    let at = world.open(&[("tasks/copies/web.yaml", &deployment(3, "", ""))]);
    let mut payload = world.payload(at, "opened");
    payload["repository"]["fork"] = json!(true);
    let run = world.run("gradus", "pull_request_target", payload);
    assert!(!run.good);
    assert!(run.raw.contains("::error title=gradus::in a repository of a learner's own"), "{}", run.raw);
    assert!(run.raw.contains("`copies`") && run.raw.contains("`gradus serve`"), "{}", run.raw);
    assert_eq!(world.hub.visible_reviews(at).len(), 0);
    world.assert_discreet(&run);
    world.hub.finish();
}

#[test]
fn in_a_learners_own_repository_a_task_with_hidden_checkpoints_is_refused_and_the_others_are_graded() {
    let world = World::new();
    world.edit_workflow("gradus", "      course-repository: acme/hello-course\n", "");
    world.edit_workflow("gradus", "      course-directory: hello\n", "");
    let at = world.open(&[("tasks/copies/web.yaml", &deployment(3, "", ""))]);
    let newest = || {
        let mut payload = world.payload(at, "opened");
        payload["repository"]["fork"] = json!(true);
        let run = world.run("gradus", "pull_request_target", payload);
        assert!(run.good, "{}", run.log);
        world.assert_discreet(&run);
        let reviews = world.hub.reviews_by(at, world.bot);
        reviews.last().unwrap().body.clone()
    };
    let alone = newest();
    assert!(
        alone.starts_with("**Not graded here.** Head") && alone.contains("hidden in `copies` is not judged"),
        "{alone}"
    );
    assert!(!alone.contains("of 6 points"), "{alone}");
    world.push(at, &[("tasks/copies/web.yaml", &deployment(3, "", "")), ("tasks/note/note.txt", "done\n")]);
    let both = newest();
    assert!(both.starts_with("**Passed: 2 of 2 points.**") && both.contains("### Not graded here"), "{both}");
    assert_eq!(world.hub.reviews_by(at, world.bot).len(), 2);
    world.hub.finish();
}

#[test]
fn a_key_that_is_not_the_courses_opens_nothing_and_is_not_shown() {
    let world = World::new();
    world.edit_workflow("gradus", "${{ secrets.COURSE_KEY }}", "${{ secrets.GRADUS_KEY }}");
    let at = world.open(&[("tasks/copies/web.yaml", &deployment(3, "", ""))]);
    let run = world.run("gradus", "pull_request_target", world.payload(at, "opened"));
    assert!(!run.good && run.log.contains("cannot read acme/hello-course"), "{}", run.log);
    assert_eq!(world.hub.visible_reviews(at).len(), 0);
    world.assert_discreet(&run);
    world.hub.finish();
}
