//! Whether what learners start from, or are to write, has the course's own objects in it.

use crate::course::CourseTask;
use crate::course::diagnostic::{Diagnostic, Spot};
use crate::course::draw::Drawn;
use crate::gitops::preflight::{Objection, Rule, of_tree};
use crate::submission::tree::Tree;

/// Objects of starter, solution and alternatives that pre-flight would refuse since they are in `seed/`.
pub fn collisions(task: &CourseTask, drawn: &Drawn) -> Vec<Diagnostic> {
    let Some(environment) = drawn.task.environment.as_ref().filter(|one| !one.seeds.is_empty()) else {
        return Vec::new();
    };
    let id = &drawn.task.id;
    let (origin, allowed) = (environment.origin(id), environment.allowed(id.as_str()));
    let mut all: Vec<Diagnostic> = Vec::new();
    let trees = [("starter".to_owned(), &drawn.starter), ("solution".to_owned(), &drawn.solution)];
    for (dir, files) in
        trees.into_iter().chain(drawn.alternatives.iter().map(|(name, files)| (format!("alternatives/{name}"), files)))
    {
        let prefix = format!("{}/", id.dir());
        let tree: Tree = files.iter().map(|(path, entry)| (format!("{prefix}{path}"), entry.clone())).collect();
        let objections = of_tree(&tree, &origin, &allowed).err().unwrap_or_default();
        for objection in objections.iter().filter(|objection| objection.rule == Rule::Seeded) {
            let problem = told(task, &dir, &prefix, objection);
            // What an overlay leaves as it is was told of the starter.
            if !all.contains(&problem) {
                all.push(problem);
            }
        }
    }
    all
}

fn told(task: &CourseTask, dir: &str, prefix: &str, objection: &Objection) -> Diagnostic {
    let path = objection.place.file.as_deref().unwrap_or_default();
    let path = path.strip_prefix(prefix).unwrap_or(path);
    let homes = [dir, "starter"].into_iter().flat_map(|dir| ["", ".hbs"].map(|end| format!("{dir}/{path}{end}")));
    let home = homes.into_iter().find(|home| task.files.get(home).is_some()).unwrap_or_else(|| dir.to_owned());
    let problem = Diagnostic::new(format!("{}/{home}", task.dir), "an object of this kind and name is in `seed/`, too");
    let number = |n: Option<u32>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
    let column = number(objection.place.column) - 1;
    let end = objection.place.end_column.map_or(column + 1, |end| number(Some(end)) - 1);
    problem.at(Spot::line(number(objection.place.line), column, end)).help("keep one of the two")
}

#[cfg(test)]
mod tests {
    use crate::course::lint::{self, Findings};
    use crate::course::tests::{TASK, demo_with};
    use crate::course::values::Scope;
    use crate::course::{load, publish};
    use crate::submission::tree::Tree;

    const ENVIRONMENT: &str =
        "  environment: {tier: namespace, path: m, allow: {kinds: [{kind: ConfigMap}]}}\n  checkpoints:\n";

    fn map(name: &str) -> Vec<u8> {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n").into_bytes()
    }

    fn with(files: &[(&str, &[u8])]) -> Tree {
        let mut tree = demo_with(&format!("{TASK}/task.yaml"), "  checkpoints:\n", ENVIRONMENT);
        tree.insert_file(format!("{TASK}/starter/m/own.yaml"), map("own"));
        files.iter().for_each(|(path, bytes)| tree.insert_file(format!("{TASK}/{path}"), *bytes));
        tree
    }

    fn said(tree: &Tree) -> Vec<String> {
        let problems = match load::load(tree, "demo") {
            Ok(loaded) => {
                let Findings { errors, .. } = lint::course(&loaded.course);
                errors
            }
            Err(problems) => problems,
        };
        problems.iter().map(|one| one.to_string().replace(&format!("{TASK}/"), "")).collect()
    }

    #[test]
    fn the_courses_objects_are_filled_in_and_stay_in_the_course() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: motd}\ndata: {n: 'canary {{replicas}}'}\n";
        let tree = with(&[("seed/motd.yaml.hbs", text.as_bytes())]);
        assert_eq!(said(&tree), [] as [&str; 0]);
        let course = load::load(&tree, "demo").unwrap().course;
        let task = course.tasks_in_order().next().unwrap();
        let drawn = task.draw(&course, &Scope::Learner("7".parse().unwrap())).unwrap();
        let made = drawn.task.environment.unwrap().seeds.made("own");
        assert_eq!(made[0]["data"]["n"], format!("canary {}", drawn.values["replicas"]));
        let published = publish::workspace(&course, None).unwrap();
        for (path, _) in published.iter() {
            let text = String::from_utf8_lossy(published.file(path).unwrap());
            assert!(!text.contains("canary") && !text.contains("motd"), "{path}: {text}");
        }
    }

    #[test]
    fn what_collides_with_them_is_told_where_the_learners_have_it() {
        let (motd, own) = (map("motd"), map("own"));
        assert_eq!(
            said(&with(&[("seed/a.yaml", &motd), ("solution/m/motd.yaml", &motd)])),
            ["solution/m/motd.yaml:4:9: an object of this kind and name is in `seed/`, too (keep one of the two)"]
        );
        assert_eq!(
            said(&with(&[("seed/a.yaml", &own)])),
            ["starter/m/own.yaml:4:9: an object of this kind and name is in `seed/`, too (keep one of the two)"]
        );
        assert_eq!(
            said(&with(&[("seed/a.yaml", &motd), ("alternatives/notes/m/x.yaml", &motd)])),
            [
                "alternatives/notes/m/x.yaml:4:9: an object of this kind and name is in `seed/`, too (keep one of the two)"
            ]
        );
    }

    #[test]
    fn mistakes_are_told_at_their_line_as_the_author_wrote_the_file() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n";
        let told = said(&with(&[("seed/a.yaml.hbs", secret.as_bytes())]));
        assert!(told[0].starts_with("seed/a.yaml.hbs:2:7: ") && told.len() == 1, "{told:?}");
        let mut homeless = crate::course::tests::demo();
        homeless.insert_file(format!("{TASK}/seed/a.yaml"), map("motd"));
        assert_eq!(
            said(&homeless),
            [
                "seed: the task has no environment to put this in (add `environment` to task.yaml, or move the files to `hidden/`)"
            ]
        );
    }
}
