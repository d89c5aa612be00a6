//! Lists of pull requests, of several learners.

use super::world::{Clone, Up, World};

fn pushed(world: &World, up: &Up, learner: &str, branch: &str, replicas: &str) -> Clone {
    let clone = world.clone(up, learner, &format!("{learner}-{branch}"));
    clone.branch(branch);
    clone.answer(replicas, "aurora");
    clone.hand_in();
    clone
}

#[test]
fn who_has_many_pull_requests_finds_those_of_one_learner_and_those_that_failed() {
    let world = World::new();
    let up = world.up();
    pushed(&world, &up, "ada", "right", "3");
    pushed(&world, &up, "ada", "wrong", "2");
    pushed(&world, &up, "bob", "wrong", "2");
    pushed(&world, &up, "bob", "gone", "2").git(&["push", "-q", "origin", "--delete", "gone"]);
    let numbers = |query: &str| -> Vec<i64> {
        let all = up.json(&format!("/api/v1/pulls{query}"));
        let mut numbers: Vec<_> = all.as_array().unwrap().iter().map(|pull| pull["number"].as_i64().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers(""), [1, 2, 3, 4]);
    assert_eq!(numbers("?state=open"), [1, 2, 3]);
    assert_eq!(numbers("?state=open&status=failure"), [2, 3]);
    assert_eq!(numbers("?learner=ada&status=success"), [1]);
    assert_eq!(numbers("?page=1"), [1, 2, 3, 4]);
    assert_eq!(numbers("?page=2"), [0; 0]);
    let (status, body) = up.get("/api/v1/pulls?state=merged");
    assert!(status == 400 && body.contains("`state` (open, closed or all)"), "{status}: {body}");

    let page = |query: &str| {
        let (status, body) = up.get(&format!("/pulls{query}"));
        assert_eq!(status, 200, "{query}: {body}");
        body
    };
    let listed = |body: &str| [1, 2, 3, 4].map(|number| body.contains(&format!("href=\"/pulls/{number}\"")));
    let open = page("");
    assert_eq!(listed(&open), [true, true, true, false], "{open}");
    assert!(open.contains(">ada</a>") && open.contains(">bob</a>"), "whose they are:\n{open}");
    assert_eq!(listed(&page("?learner=bob&state=all&status=")), [false, false, true, true]);
    assert!(page("?learner=eve").contains("No pull request is like that."));
    let (status, body) = up.get("/pulls?learner=%3Cscript%3E");
    assert!(status == 400 && !body.contains("<script>"), "{status}: {body}");
    assert!(up.get("/pulls/3").1.contains(">bob</a>, head"));
}

#[test]
fn marks_on_the_page_of_a_task_are_those_of_the_points_beside_them() {
    let world = World::new();
    let up = world.up();
    let clone = pushed(&world, &up, "ada", "work", "3");
    assert!(!up.reviews(1)[0].contains("changed after your branch began"), "nobody changed it");
    let passed = up.get("/courses/tiny/tasks/first").1;
    clone.answer("2", "aurora");
    assert!(clone.hand_in().contains("Not yet"));
    let after = up.get("/courses/tiny/tasks/first").1;
    for page in [passed, after] {
        assert!(page.contains("7 of 7 points"), "{page}");
        assert!(page.contains("mark pass\"") && !page.contains("mark fail\""), "{page}");
    }
}
