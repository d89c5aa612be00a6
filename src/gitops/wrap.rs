//! A learner's own Application. It is never applied as written: its path and its sync policy are taken over into the one that
//! we make, whose name, project, repository, revision and destination are ours. Pure.

use serde_json::Value;

use super::policy::{Automated, Policy};
use super::preflight::{Objection, Rule};
use crate::checkpoint::evidence::Place;
use crate::submission::tree::{Entry, Tree};
use crate::submission::yaml::{Dialect, Document, YamlFile};

/// Longest file that is read.
const MAX_BYTES: usize = 64 << 10;

/// What is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The directory that is applied, from the top of the repository.
    pub path: String,
    /// How it syncs by itself.
    pub policy: Policy,
    /// Where the path is written.
    pub path_at: Place,
    /// Where the policy is written, or would be.
    pub policy_at: Place,
}

/// What is taken over of the Application in `file`, whose path counts from `root`, the task's directory: to the learner that is
/// the repository.
///
/// # Errors
/// Every reason why nothing can be.
pub fn wrap(tree: &Tree, root: &str, file: &str) -> Result<Wrapped, Vec<Objection>> {
    let whole = Place { file: Some(file.to_owned()), ..Place::default() };
    let refuse = |place: Place, what: &str, remedy: &str| {
        vec![Objection { rule: Rule::Application, place, what: what.to_owned(), remedy: remedy.to_owned() }]
    };
    let bytes = match tree.get(file) {
        Some(Entry::File { bytes, .. }) if bytes.len() <= MAX_BYTES => bytes,
        Some(Entry::File { .. }) => {
            return Err(refuse(whole, "this file is longer than any Application", "keep only the Application in it"));
        }
        Some(Entry::Symlink(_) | Entry::Submodule) => {
            return Err(refuse(whole, "this is not a file", "commit the Application itself in its place"));
        }
        None => return Err(refuse(whole, "the commit has no such file", "put your Application into it")),
    };
    let yaml = YamlFile::parse(bytes);
    if let Some(problem) = yaml.problems.into_iter().next() {
        let place = Place { file: Some(file.to_owned()), ..problem.place };
        return Err(refuse(place, &problem.message, "mend this line"));
    }
    let mut found = Vec::new();
    for document in &yaml.documents {
        match document.resolve(Dialect::Kubectl) {
            Ok(value) if value.is_null() => {}
            Ok(value) => found.push((document, value)),
            Err(problem) => {
                let place = Place { file: Some(file.to_owned()), ..problem.place };
                return Err(refuse(place, &problem.message, "mend this line"));
            }
        }
    }
    let [(document, value)] = found.as_slice() else {
        return Err(refuse(whole, "this file has to hold one Application and nothing else", "take the rest out"));
    };
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let of_argocd = text("/apiVersion").is_some_and(|version| version.starts_with("argoproj.io/"));
    if !of_argocd || text("/kind") != Some("Application") {
        let place = Place { file: Some(file.to_owned()), ..document.locate("") };
        return Err(refuse(
            place,
            "this is not an Application of Argo CD",
            "write `apiVersion: argoproj.io/v1alpha1` and `kind: Application`",
        ));
    }
    let reader = Reader { file, document, value };
    let mut against = Vec::new();
    let path = reader.path(root, &mut against);
    let policy = reader.policy(&mut against);
    let policy_at = Place { file: Some(file.to_owned()), ..document.locate_key("/spec/syncPolicy") };
    match (path, against.is_empty()) {
        (Some((path, path_at)), true) => Ok(Wrapped { path, policy, path_at, policy_at }),
        _ => Err(against),
    }
}

struct Reader<'a> {
    file: &'a str,
    document: &'a Document,
    value: &'a Value,
}

impl Reader<'_> {
    fn place(&self, pointer: &str) -> Place {
        Place { file: Some(self.file.to_owned()), ..self.document.locate(pointer) }
    }

    fn object(&self, pointer: &str, what: impl Into<String>, remedy: impl Into<String>) -> Objection {
        Objection { rule: Rule::Application, place: self.place(pointer), what: what.into(), remedy: remedy.into() }
    }

    /// The directory of its one source. `sources` counts where it holds something, as in Argo CD.
    fn path(&self, root: &str, against: &mut Vec<Objection>) -> Option<(String, Place)> {
        let several = self.value.pointer("/spec/sources").and_then(Value::as_array).filter(|all| !all.is_empty());
        let at = match several.map(Vec::len) {
            None => "/spec/source",
            Some(1) => "/spec/sources/0",
            Some(_) => {
                against.push(self.object("/spec/sources", "this environment runs one source", "keep one of them"));
                return None;
            }
        };
        let pointer = format!("{at}/path");
        let Some(path) = self.value.pointer(&pointer).and_then(Value::as_str).filter(|path| !path.is_empty()) else {
            against.push(self.object(
                &pointer,
                "the source has no `path`",
                "name the directory that your manifests are in",
            ));
            return None;
        };
        let steps: Vec<&str> = path.split('/').filter(|step| !matches!(*step, "" | ".")).collect();
        if path.starts_with('/') || steps.contains(&"..") || path.chars().any(char::is_control) {
            against.push(self.object(
                &pointer,
                "this is not a directory of the repository",
                "write it from the top, without `..` and without `/` before it",
            ));
            return None;
        }
        let all: Vec<&str> = std::iter::once(root).chain(steps).collect();
        Some((all.join("/"), self.place(&pointer)))
    }

    fn policy(&self, against: &mut Vec<Objection>) -> Policy {
        let mut policy = Policy { automated: None, options: Vec::new() };
        let at = "/spec/syncPolicy/automated";
        match self.value.pointer(at) {
            None | Some(Value::Null) => {}
            Some(Value::Object(_)) => {
                let mut flag = |name: &str, otherwise| self.flag(&format!("{at}/{name}"), otherwise, against);
                let enabled = flag("enabled", true);
                let automated = Automated {
                    prune: flag("prune", false),
                    self_heal: flag("selfHeal", false),
                    allow_empty: flag("allowEmpty", false),
                };
                policy.automated = enabled.then_some(automated);
            }
            Some(_) => against.push(self.object(
                at,
                "`automated` has to be a map",
                "write `automated: {}` with what it says inside",
            )),
        }
        let options = self.value.pointer("/spec/syncPolicy/syncOptions").and_then(Value::as_array);
        for option in options.into_iter().flatten().filter_map(Value::as_str) {
            policy.take_option(option);
        }
        policy
    }

    fn flag(&self, pointer: &str, otherwise: bool, against: &mut Vec<Objection>) -> bool {
        match self.value.pointer(pointer) {
            None | Some(Value::Null) => otherwise,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                let name = pointer.rsplit('/').next().unwrap_or_default();
                against.push(self.object(
                    pointer,
                    format!("`{name}` has to be true or false"),
                    "write it without quotes",
                ));
                otherwise
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "tasks/heal/gitops/apps/shop.yaml";

    fn read(content: &str) -> Result<Wrapped, Vec<Objection>> {
        let mut tree = Tree::default();
        tree.insert_file(FILE, content.as_bytes());
        wrap(&tree, "tasks/heal", FILE)
    }

    fn application(spec: &str) -> String {
        format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n{spec}")
    }

    const SOURCE: &str = "  source: {repoURL: https://example.org/x.git, path: gitops/shop, targetRevision: main}\n";

    fn policy(text: &str) -> Policy {
        read(&application(&format!("{SOURCE}  syncPolicy:\n{text}"))).unwrap().policy
    }

    #[test]
    fn path_and_policy_are_taken_over_and_nothing_else() {
        let spec = "  project: default
  destination: {server: https://elsewhere, namespace: kube-system}
  source: {repoURL: https://evil.example/x.git, targetRevision: HEAD, path: ./gitops//shop/, helm: {values: x}, chart: y}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    managedNamespaceMetadata: {labels: {pod-security.kubernetes.io/enforce: privileged}}
    syncOptions: [CreateNamespace=true, PruneLast=true]
    retry: {limit: -1}
";
        let wrapped = read(&application(spec)).unwrap();
        assert_eq!(wrapped.path, "tasks/heal/gitops/shop");
        let automated = Automated { prune: true, self_heal: true, allow_empty: false };
        assert_eq!(wrapped.policy, Policy { automated: Some(automated), options: vec!["PruneLast=true".into()] });
        assert_eq!((wrapped.path_at.line, wrapped.policy_at.line), (Some(7), Some(8)));
    }

    #[test]
    fn the_policy_means_what_it_means_to_argo_cd() {
        assert_eq!(policy("    syncOptions: []\n").automated, None);
        assert_eq!(policy("    automated:\n").automated, None);
        let nothing = Automated { prune: false, self_heal: false, allow_empty: false };
        assert_eq!(policy("    automated: {}\n").automated, Some(nothing));
        assert_eq!(policy("    automated: {enabled: false, selfHeal: true}\n").automated, None, "inert in 3.x");
        assert_eq!(
            policy("    automated: {enabled: true, prune: yes}\n").automated,
            Some(Automated { prune: true, ..nothing })
        );
    }

    #[test]
    fn one_entry_of_sources_is_a_source_and_counts_before_it() {
        let one = "  source: {path: a}\n  sources: [{path: gitops/b}]\n";
        assert_eq!(read(&application(one)).unwrap().path, "tasks/heal/gitops/b");
        assert_eq!(read(&application("  source: {path: a}\n  sources: []\n")).unwrap().path, "tasks/heal/a");
        let two = read(&application("  sources: [{path: a}, {path: b}]\n")).unwrap_err();
        assert!(two[0].what.contains("one source"), "{two:?}");
    }

    #[test]
    fn what_cannot_be_taken_over_is_refused_at_its_line() {
        let cases = [
            ("  source: {path: ../other-task}\n", 5),
            ("  source: {path: /etc}\n", 5),
            ("  source: {path: a/../../b}\n", 5),
            ("  source: {chart: x}\n", 5),
            ("  destination: {}\n", 4),
            ("  source: {path: a}\n  syncPolicy:\n    automated: {prune: \"true\"}\n", 7),
            ("  source: {path: a}\n  syncPolicy:\n    automated: true\n", 7),
        ];
        for (spec, line) in cases {
            let against = read(&application(spec)).unwrap_err();
            assert_eq!(
                against.iter().map(|one| one.place.line).collect::<Vec<_>>(),
                [Some(line)],
                "{spec}: {against:?}"
            );
        }
        for content in
            ["", "kind: Application\n", "a: [\n", "apiVersion: v1\nkind: ConfigMap\n", &application(SOURCE).repeat(2)]
        {
            assert_eq!(read(content).unwrap_err().len(), 1, "{content}");
        }
        let mut link = Tree::default();
        link.insert(FILE, Entry::Symlink("../../../other".into()));
        assert!(wrap(&link, "tasks/heal", FILE).is_err());
        assert!(wrap(&Tree::default(), "tasks/heal", FILE).is_err());
    }
}
