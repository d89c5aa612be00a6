//! `gradus new`: start a course or a task from a skeleton that passes `gradus test`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::trouble;
use crate::course::id::{CourseId, DomainId, InvalidId, ModuleId, TaskId};
use crate::course::patch;

/// Start a course or a task from a skeleton that passes `gradus test`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A course with one module, one lesson and one task
    Course {
        /// Directory to make; its last part is the course's id, as in `courses/linux`
        #[arg(value_name = "NAME")]
        dir: PathBuf,
    },
    /// A task in a module, which is made when it is not there
    Task {
        /// Directory to make, as in `courses/linux/d1-first/module-1-1/open-a-file`
        #[arg(value_name = "COURSE/DOMAIN/MODULE/ID")]
        dir: PathBuf,
    },
}

/// Path and text of a task's skeleton, `TASK-ID` to be replaced.
const TASK: &[(&str, &str)] = &[
    ("task.yaml", include_str!("new/task/task.yaml")),
    ("brief.md", include_str!("new/task/brief.md")),
    ("debrief.md", include_str!("new/task/debrief.md")),
    ("starter/shop.yaml", include_str!("new/task/starter/shop.yaml")),
    ("solution/shop.yaml", include_str!("new/task/solution/shop.yaml")),
    ("alternatives/flow-style/shop.yaml", include_str!("new/task/alternatives/flow-style/shop.yaml")),
    ("mutants/colour-in-labels.yaml", include_str!("new/task/mutants/colour-in-labels.yaml")),
    ("mutants/renamed.yaml", include_str!("new/task/mutants/renamed.yaml")),
];
/// Its points.
const TASK_POINTS: u64 = 3;

/// Path and text of a course's skeleton, `COURSE-ID` to be replaced.
const COURSE: &[(&str, &str)] = &[
    ("course.yaml", include_str!("new/course/course.yaml")),
    ("d1-first/module-1-1/module.yaml", include_str!("new/course/module.yaml")),
    ("d1-first/module-1-1/lessons/01-where-it-begins.md", include_str!("new/course/lesson.md")),
];

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Id(#[from] InvalidId),
    #[error("`{}` is not a path COURSE/DOMAIN/MODULE/ID, as in `courses/linux/d1-first/module-1-1/my-task`", .0.display())]
    Shape(PathBuf),
    #[error("{} is no course: make one by `gradus new course {}`", .0.display(), .0.display())]
    NoCourse(PathBuf),
    #[error("cannot edit {}: {message}", file.display())]
    Edit { file: PathBuf, message: String },
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let made = match args.what {
        What::Course { dir } => course(&dir),
        What::Task { dir } => task(&dir),
    };
    match made {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::from(super::EXIT_PASS)
        }
        Err(error) => trouble::fail(&error),
    }
}

fn course(dir: &Path) -> Result<Vec<String>, NewError> {
    let id: CourseId = last(dir)?.parse()?;
    if dir.exists() {
        return Err(NewError::Exists(dir.to_owned()));
    }
    write_all(dir, COURSE, "COURSE-ID", id.as_str())?;
    let first = dir.join("d1-first/module-1-1/tasks/first-task");
    write_all(&first, TASK, "TASK-ID", "first-task")?;
    Ok(vec![
        format!("made {}", dir.display()),
        format!("next: `gradus test {}` proves it; then change {}", dir.display(), first.display()),
    ])
}

fn task(path: &Path) -> Result<Vec<String>, NewError> {
    let shape = || NewError::Shape(path.to_owned());
    let id: TaskId = last(path)?.parse()?;
    let above = path.parent().ok_or_else(shape)?;
    let module_dir = if above.ends_with("tasks") { above.parent().ok_or_else(shape)? } else { above };
    let module: ModuleId = last(module_dir).map_err(|_| shape())?.parse()?;
    let domain_dir = module_dir.parent().ok_or_else(shape)?;
    let domain: DomainId = last(domain_dir).map_err(|_| shape())?.parse()?;
    let course = domain_dir.parent().ok_or_else(shape)?;
    let course = if course.as_os_str().is_empty() { Path::new(".") } else { course };
    let course_file = course.join("course.yaml");
    if !course_file.is_file() {
        return Err(NewError::NoCourse(course.to_owned()));
    }
    let dir = module_dir.join("tasks").join(id.as_str());
    if dir.exists() {
        return Err(NewError::Exists(dir));
    }
    let mut lines = Vec::new();
    let module_file = module_dir.join("module.yaml");
    if !module_file.is_file() {
        let text = format!(
            "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {{id: {module}, title: A new module}}\nspec:\n  tasks: []\n"
        );
        write(&module_file, &text)?;
        edit(&course_file, "/spec/modules/-", &module.as_str().into())?;
        lines.push(format!("made {} and listed it in {}", module_file.display(), course_file.display()));
    }
    edit(&module_file, "/spec/tasks/-", &id.as_str().into())?;
    grow_domain(&course_file, &domain)?;
    write_all(&dir, TASK, "TASK-ID", id.as_str())?;
    lines.push(format!("made {}, {TASK_POINTS} points, and listed it in {}", dir.display(), module_file.display()));
    lines.push(format!("next: `gradus test {}` proves it; then change it to what you want to teach", dir.display()));
    Ok(lines)
}

/// A course that is not a draft has domains whose points are those of their tasks.
fn grow_domain(course_file: &Path, domain: &DomainId) -> Result<(), NewError> {
    let text = read(course_file)?;
    let course: Value = serde_yaml::from_str(&text).unwrap_or_default();
    let draft = course.pointer("/spec/draft").and_then(Value::as_bool).unwrap_or(false);
    let domains = course.pointer("/spec/domains").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match domains.iter().position(|one| one["id"] == domain.as_str()) {
        None => {
            let new = serde_json::json!({"id": domain.as_str(), "title": "A new domain", "points": TASK_POINTS});
            edit(course_file, "/spec/domains/-", &new)
        }
        Some(_) if draft => Ok(()),
        Some(index) => {
            let points = domains[index]["points"].as_u64().unwrap_or(0) + TASK_POINTS;
            edit(course_file, &format!("/spec/domains/{index}/points"), &points.into())
        }
    }
}

/// Sets one value of a YAML file, keeping the rest as it is.
fn edit(file: &Path, pointer: &str, to: &Value) -> Result<(), NewError> {
    let text = read(file)?;
    let new = patch::set(&text, 0, pointer, to)
        .map_err(|message| NewError::Edit { file: file.to_owned(), message: format!("{pointer}: {message}") })?;
    write(file, &new)
}

fn last(path: &Path) -> Result<&str, NewError> {
    path.file_name().and_then(|name| name.to_str()).ok_or_else(|| NewError::Shape(path.to_owned()))
}

fn write_all(dir: &Path, files: &[(&str, &str)], placeholder: &str, id: &str) -> Result<(), NewError> {
    files.iter().try_for_each(|(path, text)| write(&dir.join(path), &text.replace(placeholder, id)))
}

fn read(path: &Path) -> Result<String, NewError> {
    std::fs::read_to_string(path).map_err(|source| NewError::Io { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|source| NewError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::{lint, locate};

    #[test]
    fn a_new_course_and_new_tasks_are_clean() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("linux");
        course(&root).expect("made");
        for path in ["d1-first/module-1-1/second", "d1-first/module-1-2/tasks/third", "d2-more/module-2-1/fourth"] {
            task(&root.join(path)).expect(path);
        }
        let located = locate::load_dir(&root).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(located.course.tasks.len(), 4);
        assert_eq!(lint::course(&located.course), lint::Findings::default());
    }

    #[test]
    fn a_new_task_keeps_the_sums_of_a_finished_course() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("linux");
        course(&root).expect("made");
        let file = root.join("course.yaml");
        write(&file, &read(&file).expect("read").replace("draft: true ", "draft: false")).expect("written");
        task(&root.join("d1-first/module-1-1/second")).expect("made");
        let located = locate::load_dir(&root).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(located.course.domains[0].points, 6);
        assert!(read(&file).expect("read").contains("# a new salt means"), "comments stay");
    }

    #[test]
    fn nothing_is_overwritten_and_odd_names_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("linux");
        course(&root).expect("made");
        assert!(matches!(course(&root), Err(NewError::Exists(_))));
        assert!(matches!(course(&dir.path().join("A B")), Err(NewError::Id(_))));
        assert!(matches!(task(&root.join("d1-first/module-1-1/first-task")), Err(NewError::Exists(_))));
        assert!(matches!(task(&dir.path().join("none/d1/m1/t")), Err(NewError::NoCourse(_))));
        for path in ["foo", "module-1-1/foo", "d1-first/tasks/foo"] {
            let error = task(Path::new(path)).expect_err(path).to_string();
            assert!(error.starts_with(&format!("`{path}` is not a path COURSE/DOMAIN/MODULE/ID")), "{error}");
        }
    }
}
