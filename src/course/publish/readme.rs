//! Texts of the workspace: README and the foot of each brief.

use std::fmt::Write;

use crate::course::{Course, CourseTask};

/// The README: how to work here, and the way through lessons and tasks.
pub(super) fn readme(course: &Course, address: Option<&str>) -> String {
    let mut text = format!("# {}\n\n{}\n\n", course.title, course.description.trim());
    let first = course.tasks_in_order().next().map_or("TASK", |task| task.task.id.as_str());
    let _ = write!(
        text,
        "## How to work here\n\n\
         Each task is a directory below `tasks/`. Its brief is in `briefs/`, the lessons are in `lessons/`.\n\
         A pushed branch is your answer: it is graded, and a review points at the lines to change.\n\n\
         ```sh\n\
         {}git switch --no-track -c {first} origin/main    # a branch per task\n\
         # read briefs/{first}.md, edit files below tasks/{first}/\n\
         gradus grade                  # optional: most checkpoints can be judged here\n\
         git add -A && git commit -m \"{first}\"\n\
         git push -u origin HEAD       # prints the score; the review has the details\n\
         ```\n\n\
         Not there yet? Edit, commit and push again: the best attempt counts, and hints get clearer with each failure.\n\
         When the course changes, `git fetch` and `git merge origin/main` bring it into your branch.\n",
        clone(course, address),
    );
    for domain in &course.domains {
        let mut modules = course.modules.iter().filter(|module| module.domain == domain.id).peekable();
        if modules.peek().is_none() {
            continue;
        }
        let _ = write!(text, "\n## {}\n", domain.title);
        for module in modules {
            let _ = write!(text, "\n### {}\n\n", module.title);
            for lesson in &module.lessons {
                let path = format!("lessons/{}/{}/{}", module.domain, module.id, lesson.file);
                let _ = writeln!(text, "- Lesson: [{}]({path})", lesson.title);
            }
            for task in module.tasks.iter().filter_map(|id| course.tasks.get(id)) {
                let task = &task.task;
                let _ = writeln!(
                    text,
                    "- Task: [{}](briefs/{}.md), {}, {} minutes: `{}`",
                    task.title,
                    task.id,
                    points(task.points),
                    task.minutes,
                    task.id
                );
            }
        }
    }
    text
}

fn clone(course: &Course, address: Option<&str>) -> String {
    address.map(|address| format!("git clone {address} {id} && cd {id}\n", id = course.id)).unwrap_or_default()
}

fn points(points: u32) -> String {
    if points == 1 { "1 point".to_owned() } else { format!("{points} points") }
}

/// What stands below each brief: where to work, what is judged, how to come by one's own values.
pub(super) fn footer(task: &CourseTask, own: &[&str]) -> String {
    let id = &task.task.id;
    let mut text = String::from("---\n\n");
    if !own.is_empty() {
        let names: Vec<String> = own.iter().map(|name| super::own_value(name)).collect();
        let _ = write!(
            text,
            "**Your own values:** this brief says {} where every learner has a value of their own.\n\
             `gradus values {id}` shows yours, and so do the task's page and your first review.\n\n",
            names.join(", "),
        );
    }
    let _ =
        write!(text, "Work in `tasks/{id}/`. {}, about {} minutes:\n\n", points(task.task.points), task.task.minutes);
    for checkpoint in &task.task.checkpoints {
        let _ = writeln!(text, "- {} ({})", checkpoint.title, points(checkpoint.points));
    }
    text
}
