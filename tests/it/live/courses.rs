//! Tasks of `courses/cnpe` in environments, with the stack's Gitea and Argo CD: what their authors prove on files is what a push
//! is told of the live state.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus::course::draw::Drawn;
use gradus::course::load::load;
use gradus::course::values::Scope;
use gradus::submission::tree::{Entry, Tree};
use kube::api::{Api, DeleteParams, DynamicObject};
use serde_json::Value;

use super::beside;
use super::shop::Shop;
use super::tenant::resource;
use crate::gitea::academy::{Academy, Learner};
use crate::planes::world::{client, kill_below};
use crate::until::until;

/// How long a review may take; the first one waits for an API server to start.
const PATIENCE: Duration = Duration::from_secs(240);

/// What a review says where a live checkpoint was judged without an environment.
const ON_FILES: &str = "judged on the files";

fn write(dir: &Path, tree: &Tree) {
    for (path, entry) in tree.iter() {
        let Entry::File { bytes, .. } = entry else { panic!("{path}") };
        std::fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        std::fs::write(dir.join(path), bytes).unwrap();
    }
}

/// A learner who works on one task.
struct Work<'s> {
    shop: &'s Shop,
    learner: Learner,
    task: &'static str,
    drawn: Drawn,
    pull: Option<i64>,
}

impl<'s> Work<'s> {
    fn new(shop: &'s Shop, files: &Tree, learner: &str, task: &'static str) -> Self {
        let course = load(files, "cnpe").unwrap().course;
        let drawn = course.tasks_in_order().find(|one| one.task.id.as_str() == task).unwrap();
        let drawn = drawn.draw(&course, &Scope::Course).unwrap();
        let learner = shop.academy.learner(learner);
        learner.clone.branch("work");
        Self { shop, learner, task, drawn, pull: None }
    }

    /// Pushes these files; the pull request and its head.
    fn push(&mut self, files: &Tree) -> (i64, String) {
        let dir = self.learner.clone.dir.join("tasks").join(self.task);
        std::fs::remove_dir_all(&dir).unwrap();
        write(&dir, files);
        let pull = match self.pull {
            Some(pull) => {
                self.learner.force_push(pull);
                pull
            }
            None => self.learner.open("work"),
        };
        self.pull = Some(pull);
        (pull, self.learner.clone.head())
    }

    /// Pushes these files, and waits for what everybody is told of them.
    async fn told_of(&mut self, files: &Tree) -> String {
        let (pull, head) = self.push(files);
        told(self.shop, pull, &head, self.points()).await
    }

    fn points(&self) -> u32 {
        self.drawn.task.points
    }

    fn environment(&self) -> String {
        self.shop.environment_of(&self.learner.name, self.task)
    }

    async fn told_of_mutant(&mut self, name: &str) -> String {
        let files = self.drawn.mutants[name].files.clone();
        let told = self.told_of(&files).await;
        let mut fails: Vec<_> = self.drawn.mutants[name].fails.iter().map(ToString::to_string).collect();
        fails.sort();
        assert_eq!(to_fix(&told), fails, "{name}: {told}");
        told
    }

    async fn told_of_starter(&mut self) {
        // Something has to be new, and it is nothing that counts.
        let mut starter = self.drawn.starter.clone();
        starter.insert_file("notes.md", &b"Mine.\n"[..]);
        let told = self.told_of(&starter).await;
        assert!(told.contains(&format!("Not yet: 0 of {} points", self.points())), "{told}");
    }

    async fn told_of_right(&mut self) {
        let right = [self.drawn.solution.clone()].into_iter().chain(self.drawn.alternatives.values().cloned());
        for files in right.collect::<Vec<_>>() {
            let told = self.told_of(&files).await;
            assert!(told.contains(&format!("Passed: {0} of {0} points", self.points())), "{told}");
        }
    }
}

/// Waits for what everybody is told of a head.
async fn told(shop: &Shop, pull: i64, head: &str, points: u32) -> String {
    let (begun, points) = (Instant::now(), format!(" of {points} points"));
    loop {
        let reviews = shop.academy.reviews(pull);
        let judged = |(_, commit, body, _): &&(i64, String, String, u64)| commit == head && body.contains(&points);
        if let Some((_, _, body, _)) = reviews.iter().rev().find(judged) {
            assert!(!body.contains(ON_FILES), "{body}");
            return body.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "no review of {head}: {reviews:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The checkpoints that a review says are to be fixed, in the order of the alphabet.
fn to_fix(told: &str) -> Vec<String> {
    let mut all: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("### ")?.split('`').nth(1)).collect();
    all.sort_unstable();
    all.into_iter().map(str::to_owned).collect()
}

/// Whatever still runs of its API servers ends after the shop.
struct Ended(Arc<Academy>);

impl Drop for Ended {
    fn drop(&mut self) {
        kill_below(&self.0.path("data/planes"));
    }
}

/// A shop that lends API servers. Its fields are dropped in this order.
pub struct Place {
    pub shop: Shop,
    _ended: Ended,
}

impl Place {
    pub fn of(shop: Shop) -> Self {
        Self { _ended: Ended(shop.academy.clone()), shop }
    }

    /// The kubeconfig of the only API server that there is.
    fn kubeconfig(&self) -> PathBuf {
        let planes = std::fs::read_dir(self.shop.academy.path("data/planes/planes")).unwrap();
        let all: Vec<_> = planes.map(|plane| plane.unwrap().path()).collect();
        let [plane] = &all[..] else { panic!("{all:?}") };
        plane.join("kubeconfig")
    }

    /// Ends everything, also what the Argo CD of the stack, which others use after us, knows of it.
    pub async fn end(mut self, environments: &[String]) {
        let (code, ..) = self.shop.daemon.take().unwrap().stop("TERM");
        assert_eq!(code, Some(0));
        let delete = async |kind: &str, name: &str| {
            let _ = self.shop.api(kind, "argocd").delete(name, &DeleteParams::default()).await;
        };
        delete("ApplicationSet", &self.shop.academy.name).await;
        for name in environments {
            for kind in ["Application", "Secret", "AppProject"] {
                delete(kind, name).await;
            }
        }
    }
}

#[test]
fn tasks_of_the_course_are_judged_on_api_servers_of_the_learners_own_as_on_their_files() {
    beside(async {
        let files = Tree::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("courses/cnpe")).unwrap();
        let lends = "controlPlanes: {limit: 2, warm: 1}";
        let shop = Shop::of("cnpe", |dir| write(dir, &files), lends).await;
        let place = Place::of(shop);
        let mut baseline = Work::new(&place.shop, &files, "ada", "tenant-namespace-baseline");
        let mut rights = Work::new(&place.shop, &files, "eve", "tenant-rbac-scoped");
        tokio::join!(namespace(&mut baseline), roles(&mut rights));
        let environments = [&baseline, &rights].map(|work| work.environment());
        place.end(&environments).await;
    });
}

#[test]
fn a_learners_application_heals_and_prunes_as_its_policy_says_and_drift_proves_it() {
    beside(async {
        let files = Tree::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("courses/cnpe")).unwrap();
        let shop = Shop::of("cnpe", |dir| write(dir, &files), "controlPlanes: {limit: 1, warm: 1}").await;
        let mut place = Place::of(shop);
        let mut work = Work::new(&place.shop, &files, "ada", "argocd-app-selfheal-prune");
        application(&mut work).await;
        let environment = work.environment();
        // The daemon is killed while the Deployment is scaled. The next one ends the API server that it left, starts it again,
        // and undoes what was done there before anything else.
        let mutant = work.drawn.mutants["no-heal"].files.clone();
        let (pull, head) = work.push(&mutant);
        let plane = place.kubeconfig();
        until("the act", async || replicas(&plane, &environment).await == Some(7.into())).await;
        place.shop.daemon.take().unwrap().stop("KILL");
        place.shop.serve().await;
        let told = told(&place.shop, pull, &head, 8).await;
        assert_eq!(to_fix(&told), ["heals"], "{told}");
        assert!(told.contains("Not yet: 6 of 8 points"), "{told}");
        assert!(told.contains("after Deployment `storefront` was scaled to 7: `replicas` is 7, must be 3"), "{told}");
        let after = replicas(&plane, &environment).await;
        assert!(after.as_ref().is_some_and(|after| *after != 7), "it is as it was: {after:?}");
        place.end(&[environment]).await;
    });
}

/// The replicas of the storefront on an API server.
async fn replicas(kubeconfig: &Path, environment: &str) -> Option<Value> {
    let client = client(&std::fs::read_to_string(kubeconfig).unwrap()).await;
    let api: Api<DynamicObject> = Api::namespaced_with(client, environment, &resource("apps", "v1", "Deployment"));
    api.get("storefront").await.ok().map(|storefront| storefront.data["spec"]["replicas"].clone())
}

async fn application(work: &mut Work<'_>) {
    work.told_of_starter().await;
    let told = work.told_of_mutant("switched-off").await;
    assert!(told.contains("automated sync is switched off"), "{told}");
    let told = work.told_of_mutant("no-prune").await;
    assert!(told.contains("Not yet: 7 of 8 points"), "{told}");
    assert!(told.contains("ConfigMap `promotion-of-last-year` is still there"), "{told}");
    let told = work.told_of_mutant("promotion-stays").await;
    assert!(told.contains("Not yet: 6 of 8 points"), "{told}");
    // By itself it would only fail to prune what is planted; now the promotion of the commit before is left, too.
    let files = work.drawn.mutants["no-prune"].files.clone();
    let told = work.told_of(&files).await;
    assert!(told.contains("not in this commit any more, and still in the cluster: ConfigMap"), "{told}");
    // The last of these has the manifests of no-heal: Argo CD's first try of that one is not what heals.
    work.told_of_right().await;
}

async fn namespace(work: &mut Work<'_>) {
    work.told_of_starter().await;
    // The words are the API server's, the line is that of the quota.
    let told = work.told_of_mutant("no-limit-range").await;
    assert!(told.contains("Not yet: 6 of 10 points"), "{told}");
    assert!(told.contains("forbidden: failed quota: budget: must specify limits.cpu for: web"), "{told}");
    assert!(told.contains("`tasks/tenant-namespace-baseline/tenants/team-cobalt/quota.yaml:1`"), "{told}");
    // A label that is no text: nothing of the object is taken, and why is told although the pods are hidden.
    let mut files = work.drawn.solution.clone();
    let path = "tenants/team-cobalt/namespace.yaml";
    let text = String::from_utf8(files.file(path).unwrap().to_vec()).unwrap();
    files.insert_file(path, text.replace("\"4711\"", "4711").into_bytes());
    let told = work.told_of(&files).await;
    assert!(told.contains("4711, must be the text"), "{told}");
    assert!(told.contains("not applied: the value of `cost-centre` is no text"), "{told}");
    // Applied, and not enough.
    let told = work.told_of_mutant("quota-with-a-scope").await;
    assert!(told.contains("Not yet: 8 of 10 points"), "{told}");
    work.told_of_right().await;
}

async fn roles(work: &mut Work<'_>) {
    work.told_of_starter().await;
    let told = work.told_of_mutant("secrets-for-debugging").await;
    assert!(told.contains("Not yet: 6 of 10 points"), "{told}");
    assert!(
        told.contains("may get `secrets` in the namespace `indigo-dev`, must not: RBAC: allowed by RoleBinding"),
        "{told}"
    );
    // The line of the binding that lets them.
    assert!(told.contains("`tasks/tenant-rbac-scoped/tenants/rbac.yaml:20`"), "{told}");
    // Another role for a binding that is there. An API server lets nobody change a `roleRef`; Argo CD makes the binding anew.
    let mut files = work.drawn.solution.clone();
    let path = "tenants/rbac.yaml";
    let text = String::from_utf8(files.file(path).unwrap().to_vec()).unwrap();
    let text = text.replace("name: develop\n", "name: build\n").replace("name: develop}", "name: build}");
    files.insert_file(path, text.into_bytes());
    let told = work.told_of(&files).await;
    assert!(told.contains("Passed: 10 of 10 points"), "{told}");
    work.told_of_right().await;
}
