//! Every page with everything on it, and with learner text that is out to do harm.

use super::model::*;
use super::{Page, diff, html};
use crate::review::LineComment;
use crate::submission::diff::{Diff, FileDiff, Hunk, Line, LineKind, Shown};
use crate::submission::history::Change;

const REVIEW: &str = "\
**Not yet: 5 of 8 points.** 1 checkpoint to fix, 1 waits for it. Head `4f2c9ab`, attempt 2.

Since attempt 1: fixed `windows` (+3). Nothing broke.

### 1. `door` · 0 of 2 · your files

- **Expected:** Somebody on call can sync during a freeze.
- **Found:** AppProject retail: `spec.syncWindows[0].manualSync` must be `true`; found `false`.
- **Where:** `tasks/freeze/gitops/projects/retail.yaml:14`
- **Hint 1 of 2:** a freeze that nobody can open is an outage waiting to happen. Next: `/hint door` (free).

### Waiting

- `emergency` (1 point) waits for `door`. Nothing to do for it yet.

<details><summary>Passed: 2 checkpoints, 5 points</summary>

`windows` 3 · `scope` 2

</details>

---

Before you push: `gradus grade` judges 3 of the 4 checkpoints on your machine; the other one is judged only after a push.

Your values: team `aurora`. GitOps: 29 of 128 points.

Is this wrong? `/explain door` shows how it was judged, `/dispute door why` asks a person.

Judged by course `cnpe` at `a41f09c`.
";

fn frame(title: &str, nav: Nav) -> Frame {
    Frame { title: title.to_owned(), learner: "ada".to_owned(), nav, events: None }
}

fn when(text: &str) -> When {
    When { text: text.to_owned(), iso: "2026-11-24T09:15:00Z".to_owned() }
}

fn link(text: &str, href: &str) -> Link {
    Link { text: text.to_owned(), href: href.to_owned() }
}

fn status(state: &'static str, word: &'static str, text: &str) -> StatusView {
    StatusView { state, word, text: text.to_owned() }
}

fn row(number: i64, branch: &str, status: StatusView) -> PullRow {
    PullRow {
        number,
        branch: branch.to_owned(),
        learner: "ada".to_owned(),
        course: "cnpe".to_owned(),
        open: number != 2,
        status,
        updated: when("2026-11-24 09:15 UTC"),
    }
}

fn rows() -> Vec<PullRow> {
    vec![
        row(
            3,
            "argocd-sync-windows-freeze",
            status("failure", "Not yet", "Not yet: 5 of 8 points, 1 checkpoint to fix"),
        ),
        row(2, "lost", status("pending", "Pending", "Being graded")),
        row(1, "hello-edit", status("success", "Passed", "Passed: 3 of 3 points")),
    ]
}

fn card(title: &str, id: &str, passed: u32) -> CourseCard {
    CourseCard {
        id: id.to_owned(),
        title: title.to_owned(),
        score: 29 * passed,
        points: 128,
        passed,
        tasks: 3,
        clone: format!("git clone http://127.0.0.1:7421/git/ada/{id}.git"),
        next: (passed < 3)
            .then(|| link("Freeze production on Fridays, keep an emergency door", "/courses/cnpe/tasks/f")),
    }
}

fn task(title: &str, score: u32, progress: Progress) -> TaskRow {
    TaskRow {
        title: title.to_owned(),
        href: "/courses/cnpe/tasks/freeze".to_owned(),
        score,
        points: 8,
        minutes: 8,
        progress,
    }
}

fn home() -> Home {
    let courses = vec![card("First steps", "hello", 1), card("Certified Cloud Native Platform Engineer", "cnpe", 1)];
    Home { frame: frame("Courses", Nav::Courses), courses, pulls: rows(), any: true }
}

fn pulls() -> PullList {
    let choice = |text, class, current| Choice { text, class, number: 2, href: "/pulls?state=all".to_owned(), current };
    PullList {
        frame: frame("Pull requests", Nav::Pulls),
        pulls: rows(),
        any: true,
        states: vec![choice("Open", "", true), choice("Closed", "", false)],
        statuses: vec![choice("Pending", "pending", true), choice("Ours", "error", false)],
        search: Some(Search {
            learner: "ada".to_owned(),
            course: "cnpe".to_owned(),
            learners: vec!["ada".to_owned(), "bob".to_owned()],
            courses: vec!["cnpe".to_owned(), "hello".to_owned()],
            state: "open",
            status: "",
        }),
        newer: Some("/pulls".to_owned()),
        older: Some("/pulls?page=3".to_owned()),
    }
}

fn course() -> CoursePage {
    let module = |title: &str| ModuleView {
        title: title.to_owned(),
        lessons: vec![link("Sync windows and who may open them", "/courses/cnpe/lessons/m/s")],
        tasks: vec![
            task("Freeze production on Fridays, keep an emergency door", 5, Progress::Tried),
            task("Roll out from the lab to production", 8, Progress::Passed),
            task("A project for each team", 0, Progress::Untried),
        ],
    };
    let domain = |title: &str, score| DomainView {
        title: title.to_owned(),
        score,
        points: 24,
        modules: vec![module("Health, gates, projects"), module("Fleets")],
    };
    CoursePage {
        frame: frame("Certified Cloud Native Platform Engineer", Nav::Courses),
        course: card("Certified Cloud Native Platform Engineer", "cnpe", 1),
        description: "Portals, GitOps, Crossplane, tenancy and SLOs, as the exam asks for them.".to_owned(),
        draft: true,
        domains: vec![domain("GitOps and continuous delivery", 13), domain("Platform APIs", 0)],
    }
}

fn lesson() -> LessonPage {
    LessonPage {
        frame: frame("RBAC at scale", Nav::Courses),
        course: link("CNPE", "/courses/cnpe"),
        module: "Tenancy".to_owned(),
        text: Html::document(
            "# RBAC at scale\n\nRBAC only adds.\n\n## Four objects\n\n| object | says |\n|---|---|\n| `Role` | *what*: verbs on resources |\n\n```yaml\n- name: check-quota\n  templateRef: {name: shared-checks, template: quota}\n```\n",
        ),
        previous: Some(link("Namespaces", "/courses/cnpe/lessons/m/a")),
        next: Some(link("Quotas", "/courses/cnpe/lessons/m/b")),
        tasks: vec![task("RBAC for a team, without a way up", 0, Progress::Untried)],
    }
}

fn task_page() -> TaskPage {
    let check = |id: &str, title: &str, outcome| CheckpointRow {
        id: id.to_owned(),
        title: title.to_owned(),
        points: 2,
        outcome,
    };
    TaskPage {
        frame: frame("Freeze production on Fridays, keep an emergency door", Nav::Courses),
        course: link("Certified Cloud Native Platform Engineer", "/courses/cnpe"),
        module: "Health, gates, projects".to_owned(),
        id: "argocd-sync-windows-freeze".to_owned(),
        row: task("Freeze production on Fridays", 5, Progress::Tried),
        brief: Html::document(
            "# Freeze\n\nTeam **aurora** deploys `retail` with Argo CD. From Friday 16:00 to Monday 06:00 in Berlin nothing may sync by itself, and whoever is on call can still sync by hand.\n\n1. Write the windows into `gitops/projects/retail.yaml`.\n2. Staging stays open.\n\n| | dev | prod |\n|---|---|---|\n| sync by itself | always | not in a freeze |\n\n```yaml\nspec:\n  syncWindows: []\n```\n",
        ),
        values: vec![("team".to_owned(), "aurora".to_owned()), ("replicas".to_owned(), "3".to_owned())],
        checkpoints: vec![
            check("windows", "Every window has a schedule, a duration and a time zone", Some("pass")),
            check("door", "Somebody on call can sync during a freeze", Some("fail")),
            check("emergency", "The door is for people, not for machines", Some("blocked")),
            check("scope", "Only production freezes", None),
        ],
        start: "git switch main\ngit pull\ngit switch -c argocd-sync-windows-freeze".to_owned(),
        hand_in: "git add -A\ngit commit -m \"Freeze production\"\ngit push -u origin argocd-sync-windows-freeze"
            .to_owned(),
        attempts: vec![AttemptRow {
            number: 1,
            score: 5,
            points: 8,
            head: "4f2c9ab".to_owned(),
            at: when("2026-11-24 09:15 UTC"),
            pull: Some(link("#3", "/pulls/3")),
        }],
        debrief: Some(Html::document("**Why it works.** A deny window wins over every allow window.")),
        lessons: vec![link("Sync windows and who may open them", "/courses/cnpe/lessons/m/s")],
    }
}

fn diff_of(path: &str, texts: &[(LineKind, &str)]) -> Diff {
    let (mut old, mut new) = (9, 9);
    let lines = texts
        .iter()
        .map(|(kind, text)| {
            old += u32::from(*kind != LineKind::Added);
            new += u32::from(*kind != LineKind::Removed);
            Line {
                kind: *kind,
                old: (*kind != LineKind::Added).then_some(old),
                new: (*kind != LineKind::Removed).then_some(new),
                text: (*text).to_owned(),
            }
        })
        .collect();
    let hunk = Hunk { old_start: 10, old_lines: 4, new_start: 10, new_lines: 8, lines };
    Diff {
        files: vec![
            FileDiff { path: path.to_owned(), change: Change::Modified, shown: Shown::Lines, hunks: vec![hunk] },
            FileDiff {
                path: "tasks/freeze/logo.png".to_owned(),
                change: Change::Added,
                shown: Shown::Binary,
                hunks: Vec::new(),
            },
        ],
        truncated: false,
    }
}

fn pull() -> PullPage {
    use LineKind::{Added, Context, Removed};
    let path = "tasks/freeze/gitops/projects/retail.yaml";
    let diff = diff_of(
        path,
        &[
            (Context, "spec:"),
            (Removed, "  syncWindows: []"),
            (Added, "  syncWindows:"),
            (Added, "    - kind: deny"),
            (Added, "      schedule: \"0 16 * * 5\""),
            (Added, "      manualSync: false"),
            (Added, "      timeZone: Europe/Berlin"),
            (Context, "  destinations:"),
        ],
    );
    let comment = LineComment {
        path: path.to_owned(),
        start_line: 14,
        line: 14,
        body: "**`door`** · Somebody on call can sync during a freeze\n\n`manualSync` must be `true`; found `false`."
            .to_owned(),
    };
    let review = |head: &str, newest, status| ReviewView {
        head: head.to_owned(),
        at: when("2026-11-24 09:15 UTC"),
        newest,
        status,
        body: Html::comment(REVIEW),
        comments: 1,
    };
    PullPage {
        frame: Frame {
            events: Some("/pulls/3/events".to_owned()),
            ..frame("argocd-sync-windows-freeze #3", Nav::Pulls)
        },
        pull: rows().remove(0),
        course: link("Certified Cloud Native Platform Engineer", "/courses/cnpe"),
        head: "4f2c9ab".to_owned(),
        reviews: vec![
            review("4f2c9ab", true, status("failure", "Not yet", "Not yet: 5 of 8 points, 1 checkpoint to fix")),
            review("1111111", false, status("failure", "Not yet", "Not yet: 2 of 8 points, 2 checkpoints to fix")),
        ],
        comments: vec![
            CommentView {
                author: Some("ada".to_owned()),
                at: when("2026-11-24 09:16 UTC"),
                body: Html::comment("/hint door"),
            },
            CommentView {
                author: None,
                at: when("2026-11-24 09:16 UTC"),
                body: Html::comment("**Hint 2 of 2 for `door`:** read what `manualSync` does."),
            },
        ],
        files: diff::files(&diff, &[comment]),
        truncated: false,
        open: true,
        instructor: None,
    }
}

fn message() -> Message {
    Message {
        frame: frame("No such pull request", Nav::Pulls),
        text: "There is no pull request 99. A pushed branch becomes one.".to_owned(),
        onward: Some(link("All pull requests", "/pulls")),
    }
}

fn check<P: Page>(page: &P) -> String {
    let html = html(page);
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{html}");
    assert!(html.ends_with("</html>\n"), "{html}");
    assert_eq!(html.matches("<h1").count(), 1, "{html}");
    assert_eq!(html.matches("<main").count(), 1, "{html}");
    for forbidden in [" style=", " onclick", "javascript:", "src=\"http", "href=\"http", "<script>"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
    html
}

#[test]
fn every_page_is_whole_and_keeps_the_content_security_policy() {
    check(&home());
    check(&course());
    check(&lesson());
    check(&task_page());
    let list = check(&pulls());
    assert!(list.contains(">Open <span class=\"quiet\">2</span>") && list.contains(">Ours 2</a>"), "{list}");
    assert!(list.contains("<option selected>cnpe</option><option>hello</option>"), "{list}");
    assert!(list.contains("rel=\"prev\">Newer</a>") && list.contains("page&#x3D;3\" rel=\"next\""), "{list}");
    check(&message());
    let pull = check(&pull());
    assert!(pull.contains("<details><summary>Passed: 2 checkpoints, 5 points</summary>"), "{pull}");
    let marked = pull.find("manualSync: false").expect("the line");
    let comment = pull.find("<strong>Grader</strong> <span class=\"quiet\">on line 14</span>").expect("its comment");
    let after = pull.find("timeZone: Europe/Berlin").expect("the next line");
    assert!(marked < comment && comment < after, "{pull}");
}

#[test]
fn pages_with_nothing_on_them_say_what_comes() {
    let mut empty = pull();
    empty.reviews.clear();
    empty.files.clear();
    empty.comments.clear();
    let html = check(&empty);
    assert!(html.contains("No review yet.") && html.contains("Nothing differs"), "{html}");
    let none = PullList { pulls: Vec::new(), newer: None, older: None, ..pulls() };
    let list = check(&none);
    assert!(list.contains("No pull request is like that.") && !list.contains("class=\"pager\""), "{list}");
    let list = check(&PullList { any: false, search: None, ..none });
    assert!(list.contains("Nothing pushed yet.") && !list.contains("class=\"choices\""), "{list}");
}

#[test]
fn an_instructor_speaks_by_a_button_of_their_own_where_there_is_one() {
    let alone = check(&pull());
    assert!(!alone.contains("/waive") && !alone.contains("name=\"author\""), "{alone}");
    let both = check(&PullPage { instructor: Some("grace".to_owned()), ..pull() });
    assert!(both.contains("name=\"author\" value=\"grace\">Comment as grace</button>"), "{both}");
    assert!(both.contains(">Comment as ada</button>") && both.contains("/waive CHECKPOINT WHY"), "{both}");
}

#[test]
fn learner_text_stays_text() {
    let bad = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{frame}}\u{202e}";
    let mut page = pull();
    page.pull.branch = bad.to_owned();
    page.pull.status.text = bad.to_owned();
    page.comments[0].body = Html::comment(bad);
    page.reviews[0].body = Html::comment(bad);
    let comment = LineComment { path: bad.to_owned(), start_line: 10, line: 10, body: bad.to_owned() };
    page.files = diff::files(&diff_of(bad, &[(LineKind::Added, bad)]), &[comment]);
    let html = check(&page);
    assert!(!html.contains("<script>alert") && !html.contains("<img"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
}

#[test]
fn no_colour_of_text_is_hard_to_read() {
    // WCAG 2.2 AA: 4.5 to 1 for text, on each ground that it stands on.
    let css = include_str!("../assets/style.css");
    let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").expect("both themes");
    let dark = rest.split_once("* {").expect("rules").0;
    for theme in [light, dark] {
        let colour = |name: &str| {
            let hex = theme.split_once(&format!("--{name}: #")).unwrap_or_else(|| panic!("{name}")).1;
            let channel = |at: usize| {
                let c = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let grounds = ["ground", "paper", "sunk"];
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for text in ["ink", "quiet", "accent", "good", "bad"] {
            pairs.extend(grounds.map(|ground| (text, ground)));
        }
        pairs.extend([
            ("ink", "added"),
            ("ink", "removed"),
            ("quiet", "marked"),
            ("quiet", "added"),
            ("quiet", "removed"),
        ]);
        pairs.extend([
            ("good", "good-ground"),
            ("bad", "bad-ground"),
            ("wait", "wait-ground"),
            ("ours", "ours-ground"),
        ]);
        pairs.extend([("wait", "paper"), ("ours", "paper"), ("on-accent", "accent")]);
        pairs.extend(["good-ground", "bad-ground", "wait-ground", "ours-ground"].map(|ground| ("quiet", ground)));
        for (text, ground) in pairs {
            let (a, b) = (colour(text), colour(ground));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2} to 1");
        }
    }
}
