//! The workspace: what it holds, what it must not hold, and its history.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::course::tests::{TASK, demo_with, loaded, shown};
use crate::course::{load, workspace as forked};

fn published(course: &Course) -> Tree {
    workspace(course, Some("http://127.0.0.1:7777/git/demo.git"))
        .unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

fn text(tree: &Tree, path: &str) -> String {
    let bytes = tree.file(path).unwrap_or_else(|| panic!("{path} is missing"));
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_workspace_holds_what_learners_need() {
    let tree = published(&loaded());
    insta::assert_snapshot!(tree.paths().collect::<Vec<_>>().join("\n"), @r"
    .gradus/tasks/replicas.yaml
    .gradus/workspace.yaml
    README.md
    briefs/replicas.md
    lessons/d1-first/module-1-1/01-fields.md
    lessons/d1-first/module-1-1/img/tree.svg
    tasks/replicas/note.txt
    tasks/replicas/web.yaml
    ");
    insta::assert_snapshot!(text(&tree, "README.md"), @r#"
    # A demonstration

    For tests.

    ## How to work here

    Each task is a directory below `tasks/`. Its brief is in `briefs/`, the lessons are in `lessons/`.
    A pushed branch is your answer: it is graded, and a review points at the lines to change.

    ```sh
    git clone http://127.0.0.1:7777/git/demo.git demo && cd demo
    git switch --no-track -c replicas origin/main    # a branch per task
    # read briefs/replicas.md, edit files below tasks/replicas/
    gradus grade                  # optional: most checkpoints can be judged here
    git add -A && git commit -m "replicas"
    git push -u origin HEAD       # prints the score; the review has the details
    ```

    Not there yet? Edit, commit and push again: the best attempt counts, and hints get clearer with each failure.
    When the course changes, `git fetch` and `git merge origin/main` bring it into your branch.

    ## First steps

    ### Fields

    - Lesson: [Fields](lessons/d1-first/module-1-1/01-fields.md)
    - Task: [Scale the web of basalt](briefs/replicas.md), 6 points, 3 minutes: `replicas`
    "#);
    insta::assert_snapshot!(text(&tree, "briefs/replicas.md"), @r"
    # Scale

    Team basalt wants ‹replicas› replicas.

    ---

    **Your own values:** this brief says ‹replicas› where every learner has a value of their own.
    `gradus values replicas` shows yours, and so do the task's page and your first review.

    Work in `tasks/replicas/`. 6 points, about 3 minutes:

    - The Deployment is there (1 point)
    - The replicas are right (3 points)
    - Nobody reads the expectation (1 point)
    - Every case holds (1 point)
    ");
    insta::assert_snapshot!(text(&tree, ".gradus/workspace.yaml"), @r#"
    apiVersion: gradus.dev/v1alpha1
    kind: Workspace
    metadata:
      id: demo
      title: A demonstration
    spec:
      address: http://127.0.0.1:7777/git/demo.git
      revision: "9dc9777f3c82ad09d9d032cf242ef38a48739a89"
      draft: false
      description: For tests.
      salt: demo-2026
      domains:
        - id: d1-first
          title: First steps
          points: 6
      modules:
        - id: module-1-1
          title: Fields
          domain: d1-first
          tasks:
            - id: replicas
              starter: "18655f7e81c08d6ea5d3655c6d7f73194a6613ed"
    "#);
    insta::assert_snapshot!(text(&tree, ".gradus/tasks/replicas.yaml"), @r#"
    apiVersion: gradus.dev/v1alpha1
    kind: Task
    metadata:
      id: replicas
      title: Scale the web of ${team}
    spec:
      points: 6
      minutes: 3
      parameters:
        team:
          oneOf:
            - aurora
            - basalt
            - cobalt
        replicas:
          int:
            min: 3
            max: 9
          scope: learner
      checkpoints:
        - id: there
          title: The Deployment is there
          points: 1
          file:
            path: web.yaml
            expect: exists
        - id: replicas
          title: The replicas are right
          points: 3
          dependsOn:
            - there
          manifest:
            in: web.yaml
            select:
              kind: Deployment
            match:
              spec:
                replicas: "${replicas}"
        - id: sealed
          title: Nobody reads the expectation
          points: 1
          withheld: visibility
        - id: cases
          title: Every case holds
          points: 1
          withheld: hidden
    "#);
}

#[test]
fn a_fork_knows_the_course_that_it_was_published_from() {
    let course = loaded();
    let fork = forked::load(&published(&course)).unwrap_or_else(|problems| panic!("{}", shown(&problems))).course;
    assert_eq!((&fork.id, &fork.revision, &fork.salt), (&course.id, &course.revision, &course.salt));
    assert_eq!(fork.modules, course.modules);
    let (here, there) = (&course.tasks.values().next().expect("a task"), fork.tasks.values().next().expect("a task"));
    let ada = Scope::Learner("ada".parse().expect("an id"));
    let own = there.draw(&fork, &ada).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    let original = here.draw(&course, &ada).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert!(own.brief.starts_with(original.brief.trim_end()), "{}", own.brief);
    for (own, original) in own.task.checkpoints.iter().zip(&original.task.checkpoints) {
        match own.id.as_str() {
            "there" | "replicas" => assert_eq!(own.kind, original.kind),
            _ => assert_eq!(own.kind.key(), "withheld"),
        }
        assert!(own.hints.is_empty());
    }
    assert_eq!(forked::starters(&published(&course)).expect("hashes").len(), 1);
}

#[test]
fn words_that_yaml_readers_disagree_about_survive_publishing() {
    let words = "[\"yes\", \"0644\", \"1_000\", \"null\", \"~\", \"\", \"- a\", \"a: b\", \"1e3\", \"0x1f\", \"$${x}\", \"a\\nb\\n\", \" a\"]";
    let tree = demo_with(&format!("{TASK}/task.yaml"), "minutes: 3", &format!("minutes: 3\n  competencies: {words}"));
    let course = load::load(&tree, "demo").unwrap_or_else(|problems| panic!("{}", shown(&problems))).course;
    let fork = forked::load(&published(&course)).unwrap_or_else(|problems| panic!("{}", shown(&problems))).course;
    let of = |course: &Course| course.tasks.values().next().expect("a task").task.competencies.clone();
    assert_eq!(of(&fork), of(&course));
}

/// A line without what different spellings of the same data differ in.
fn normal(line: &str) -> String {
    line.trim().trim_start_matches("- ").trim_end_matches(':').replace(['"', '\''], "")
}

/// Lines of a text that tell something.
fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(normal).filter(|line| line.chars().filter(|c| c.is_alphanumeric()).count() >= 8)
}

fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(lines(text)),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let scalar = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.extend(lines(key).chain(lines(&format!("{key}: {scalar}"))));
            strings(value, found);
        }),
        _ => {}
    }
}

/// Everything of a course that learners must not see and that is not said in public anyway, line by line.
fn secrets(course: &Course) -> BTreeSet<String> {
    let (mut secret, mut public) = (BTreeSet::new(), BTreeSet::new());
    for module in &course.modules {
        module.lessons.iter().for_each(|lesson| public.extend(lines(&lesson.text)));
    }
    for task in course.tasks.values() {
        for scope in [Scope::Course, Scope::Proof(1), Scope::Proof(2)] {
            let drawn = task.draw(course, &scope).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
            let hidden = drawn.alternatives.values().chain([&drawn.solution, &drawn.hidden]);
            for tree in hidden.chain(drawn.mutants.values().map(|mutant| &mutant.files)) {
                tree.paths().for_each(|path| secret.extend(lines(&text(tree, path))));
            }
            drawn.starter.paths().for_each(|path| public.extend(lines(&text(&drawn.starter, path))));
            public.extend(lines(&drawn.brief));
            secret.extend(lines(&drawn.debrief));
            drawn.mutants.values().for_each(|mutant| secret.extend(lines(&mutant.why)));
        }
        // As written: what of task.yaml may be seen, checkpoint by checkpoint, told apart without the publisher's code.
        let raw = task.source.raw.pointer("/spec/checkpoints").and_then(Value::as_array).expect("checkpoints");
        for checkpoint in raw {
            let open = checkpoint.get("visibility").is_none_or(|visibility| visibility == "always")
                && !checkpoint.to_string().contains("hidden/");
            for (key, value) in checkpoint.as_object().expect("a map") {
                let always = ["id", "title", "points"].contains(&key.as_str());
                strings(value, if key != "hints" && (open || always) { &mut public } else { &mut secret });
            }
        }
    }
    secret.retain(|line| !public.iter().any(|public| public.contains(line.as_str())));
    secret
}

/// All bytes that a clone receives: every object that `main` reaches.
fn reachable(repository: &git2::Repository) -> Vec<String> {
    let mut walk = repository.revwalk().expect("a walk");
    walk.push_ref("refs/heads/main").expect("main");
    let mut texts = Vec::new();
    for id in walk {
        let commit = repository.find_commit(id.expect("an id")).expect("a commit");
        texts.push(commit.message().expect("text").to_owned());
        let visit = |dir: &str, entry: &git2::TreeEntry<'_>| {
            texts.push(format!("{dir}{}", entry.name().expect("text")));
            if let Ok(blob) = repository.find_blob(entry.id()) {
                texts.push(String::from_utf8_lossy(blob.content()).into_owned());
            }
            git2::TreeWalkResult::Ok
        };
        commit.tree().expect("a tree").walk(git2::TreeWalkMode::PreOrder, visit).expect("walks");
    }
    texts
}

fn assert_no_leak(course: &Course) {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = open_or_create(dir.path()).expect("a repository");
    commit(&repository, course, &published(course), 0).expect("published");
    let secrets = secrets(course);
    assert!(!secrets.is_empty(), "a course without secrets proves nothing");
    for text in reachable(&repository) {
        for line in text.lines() {
            let line = normal(line);
            // A long public line may hold a short secret one: a sentence that quotes a field, for example.
            let leaked = secrets.iter().find(|secret| line.contains(secret.as_str()) && secret.len() * 2 > line.len());
            assert!(leaked.is_none(), "{}: the workspace says `{line}`, secret is `{leaked:?}`", course.id);
        }
    }
}

#[test]
fn nothing_secret_is_reachable_in_a_workspace() {
    let secrets = secrets(&loaded());
    for expected in
        ["A hint that stays here", "# an alternative", "The debrief of ", "sealed-expectation", "hidden/cases"]
    {
        assert!(secrets.iter().any(|secret| secret.contains(expected)), "{expected}: {secrets:?}");
    }
    assert!(secrets.iter().any(|line| line.contains("the secret case")), "{secrets:?}");
    assert_no_leak(&loaded());
}

#[test]
fn no_course_of_the_repository_leaks() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("courses");
    for entry in std::fs::read_dir(root).expect("courses/").flatten() {
        let located = crate::course::locate::load_dir(&entry.path()).unwrap_or_else(|error| panic!("{error}"));
        if !located.course.tasks.is_empty() {
            assert_no_leak(&located.course);
        }
    }
}

#[test]
fn publishing_adds_a_commit_only_when_something_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = open_or_create(dir.path()).expect("a repository");
    let course = loaded();
    let first = commit(&repository, &course, &published(&course), 1_000).expect("published");
    let Published::Commit { id, message } = &first else { panic!("{first:?}") };
    insta::assert_snapshot!(message.replace(course.revision.as_str(), "REVISION"), @r"
    Publish A demonstration: 1 lesson, 1 task

    Gradus-Course: demo
    Gradus-Revision: REVISION
    ");
    let again = open_or_create(dir.path()).expect("opens again");
    let second = commit(&again, &course, &published(&course), 2_000).expect("published");
    assert_eq!(second, Published::Unchanged(id.clone()));

    // A clock that went back does not make history go back.
    let publish = |path: &str, old: &str, new: &str| {
        let course = load::load(&demo_with(path, old, new), "demo").unwrap_or_else(|p| panic!("{}", shown(&p))).course;
        match commit(&repository, &course, &published(&course), 500).expect("published") {
            Published::Commit { message, .. } => message.replace(course.revision.as_str(), "REVISION"),
            unchanged => panic!("{unchanged:?}"),
        }
    };
    insta::assert_snapshot!(publish(&format!("{TASK}/brief.md"), "wants", "needs"), @r"
    Update replicas

    - task replicas: brief

    Gradus-Course: demo
    Gradus-Revision: REVISION
    ");
    insta::assert_snapshot!(publish("d1-first/module-1-1/lessons/01-fields.md", "a name", "a value"), @r"
    Update replicas and 1 lesson

    - task replicas: brief
    - lesson d1-first/module-1-1/01-fields.md: changed

    Gradus-Course: demo
    Gradus-Revision: REVISION
    ");
    insta::assert_snapshot!(publish(&format!("{TASK}/hidden/cases.yaml"), "limit: 12", "limit: 13"), @r"
    Update d1-first/module-1-1/01-fields.md

    - lesson d1-first/module-1-1/01-fields.md: changed

    Gradus-Course: demo
    Gradus-Revision: REVISION
    ");
    let head = repository.find_reference("refs/heads/main").expect("main").peel_to_commit().expect("a commit");
    assert_eq!(head.time().seconds(), 1_000);
    assert_eq!(head.parent_count(), 1);
    let mut walk = repository.revwalk().expect("a walk");
    walk.push_head().expect("HEAD names main");
    assert_eq!(walk.count(), 4);
}

#[test]
fn a_commit_for_another_address_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = open_or_create(dir.path()).expect("a repository");
    let publish = |course: &Course, address: &str| {
        let tree = workspace(course, Some(address)).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        match commit(&repository, course, &tree, 0).expect("published") {
            Published::Commit { message, .. } => message.replace(course.revision.as_str(), "REVISION"),
            unchanged => panic!("{unchanged:?}"),
        }
    };
    let course = loaded();
    publish(&course, "http://127.0.0.1:7777/git/demo.git");
    insta::assert_snapshot!(publish(&course, "http://127.0.0.1:8888/git/demo.git"), @r"
    Update where to clone from: the course is the same

    - clone from http://127.0.0.1:8888/git/demo.git

    Gradus-Course: demo
    Gradus-Revision: REVISION
    ");
    let changed = |old: &str, new: &str| {
        let changed = demo_with(&format!("{TASK}/hidden/cases.yaml"), old, new);
        load::load(&changed, "demo").unwrap_or_else(|problems| panic!("{}", shown(&problems))).course
    };
    let both = publish(&changed("limit: 12", "limit: 13"), "http://127.0.0.1:9999/git/demo.git");
    insta::assert_snapshot!(both.lines().next().unwrap_or_default(), @"Update the course's revision and where to clone from: no task or lesson changed");
    let one = publish(&changed("limit: 12", "limit: 14"), "http://127.0.0.1:9999/git/demo.git");
    insta::assert_snapshot!(one.lines().next().unwrap_or_default(), @"Update the course's revision: no task or lesson changed");
}

#[test]
fn the_same_workspace_at_the_same_time_is_the_same_commit() {
    let course = loaded();
    let ids: BTreeSet<String> = (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().expect("a directory");
            let repository = open_or_create(dir.path()).expect("a repository");
            commit(&repository, &course, &published(&course), 7).expect("published").id().to_string()
        })
        .collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_commit_holds_exactly_the_workspace() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = open_or_create(dir.path()).expect("a repository");
    let course = loaded();
    let workspace = published(&course);
    let done = commit(&repository, &course, &workspace, 0).expect("published");
    assert_eq!(Tree::from_commit(&repository, done.id()).expect("read"), workspace);
}

#[test]
fn what_a_workspaces_owner_put_beside_it_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = open_or_create(dir.path()).expect("a repository");
    let course = loaded();
    let mut workspace = published(&course);
    let first = commit(&repository, &course, &workspace, 0).expect("published");
    let mut owned = workspace.clone();
    owned.insert_file(".github/workflows/gradus.yml", *b"on: push\n");
    owned.insert_file("tasks/gone/x.yaml", *b"a: 1\n");
    let theirs = super::commit::write_tree(&repository, &owned).expect("written");
    let theirs = repository.find_tree(theirs).expect("there");
    let parent = repository.find_commit(first.id().as_str().parse().expect("an id")).expect("there");
    let who = git2::Signature::now("Owner", "owner@example.org").expect("a signature");
    repository.commit(Some("refs/heads/main"), &who, &who, "workflows", &theirs, &[&parent]).expect("a commit");

    let next = commit(&repository, &course, &workspace, 1).expect("published");
    workspace.insert_file(".github/workflows/gradus.yml", *b"on: push\n");
    assert_eq!(Tree::from_commit(&repository, next.id()).expect("read"), workspace, "what is ours is exactly ours");
    let again = commit(&repository, &course, &published(&course), 2).expect("published");
    assert!(matches!(again, super::Published::Unchanged(_)));
}

#[test]
fn a_repository_that_is_not_a_workspace_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let course = loaded();
    git2::Repository::init(dir.path().join("tree")).expect("made");
    assert!(matches!(open_or_create(&dir.path().join("tree")), Err(PublishError::NotBare(_))));
    std::fs::write(dir.path().join("file"), "x").expect("written");
    assert!(matches!(open_or_create(dir.path()), Err(PublishError::NotBare(_))));

    let repository = open_or_create(&dir.path().join("foreign")).expect("a repository");
    let who = git2::Signature::now("a", "a@example.org").expect("a signature");
    let empty = repository.treebuilder(None).and_then(|builder| builder.write()).expect("a tree");
    let tree = repository.find_tree(empty).expect("a tree");
    repository.commit(Some("refs/heads/main"), &who, &who, "mine", &tree, &[]).expect("a commit");
    let refused = commit(&repository, &course, &published(&course), 0);
    assert!(matches!(refused, Err(PublishError::Foreign(_))), "{refused:?}");
}
