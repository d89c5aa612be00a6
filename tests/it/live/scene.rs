//! Scenarios in a real environment: what is changed there, what becomes of it, and that nothing of it stays.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus::checkpoint::observed::Environs;
use gradus::checkpoint::outcome::Outcome;
use gradus::course::task::Task;
use gradus::environment::lender::{Argocd, Lender, Shared};
use gradus::forge::pull::{Pull, PullNumber, PullState, Readiness, User, Workspace};
use gradus::gitops::generator::{Offer, Tenancy};
use gradus::gitops::kinds::Kinds;
use gradus::grade::report::{CheckpointResult, CourseRef, Report};
use gradus::grade::{Job, grade};
use gradus::reconcile::live::{Begun, Live, Offered, Offers, Open, Stay, Undecided};
use gradus::sandbox::Sandbox;
use gradus::store::Store;
use gradus::store::offers::Push;
use gradus::store::time::{Clock, SystemClock, Time};
use gradus::submission::sha::CommitId;
use gradus::submission::tree::Tree;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::beside;
use super::shop::{settings, web};
use super::stack::Stack;
use super::tenant::{PATH, SERVER, Tenant, resource};

/// How long something is waited for that comes in seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long the gate may take with all scenes of a task, which are played one after the other.
const BUDGET: Duration = Duration::from_secs(240);

/// How an Application is synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// As ours are.
    Heals,
    /// Once for each commit.
    LeavesIt,
}

fn scale(replicas: u32, within: &str) -> Value {
    json!({ "do": { "scale": { "kind": "Deployment", "name": "web", "replicas": replicas } },
        "check": { "live": { "select": { "kind": "Deployment", "name": "web" }, "match": { "spec": { "replicas": 2 } } } },
        "eventually": { "within": within } })
}

fn delete(within: &str) -> Value {
    json!({ "do": { "delete": { "kind": "Deployment", "name": "web" } },
        "check": { "live": { "select": { "kind": "Deployment", "name": "web" }, "match": { "spec": { "replicas": 2 } } } },
        "eventually": { "within": within } })
}

fn patch(within: &str) -> Value {
    json!({ "do": { "patch": { "kind": "ConfigMap", "name": "settings", "merge": { "data": { "open": "no", "more": "1" } } } },
        "check": { "live": { "select": { "kind": "ConfigMap", "name": "settings" }, "match": { "data": { "open": "yes" } } } },
        "eventually": { "within": within } })
}

fn plant(within: &str) -> Value {
    json!({ "do": { "plant": { "object": { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "left-over" } } } },
        "check": { "gone": { "kind": "ConfigMap", "name": "left-over" } }, "eventually": { "within": within } })
}

/// A task with one scenario, which depends on a file that is right or not.
fn task(steps: &[Value], replicas: u32) -> Task {
    let select = json!({ "kind": "Deployment", "name": "web" });
    let file = json!({ "id": "policy", "title": "Two copies",
        "manifest": { "select": select, "match": { "spec": { "replicas": replicas } } } });
    let twin = json!({ "manifest": { "select": select, "match": {} } });
    let scenario = json!({ "id": "heals", "title": "It heals", "points": 2, "dependsOn": ["policy"],
        "scenario": { "steps": steps, "offline": twin } });
    let kinds = json!([{ "kind": "ConfigMap" }, { "group": "apps", "kind": "Deployment" }]);
    let task = json!({ "id": "shop", "title": "A shop", "points": 3, "minutes": 5, "checkpoints": [file, scenario],
        "environment": { "tier": "namespace", "application": "app.yaml", "allow": { "kinds": kinds } } });
    serde_json::from_value(task).unwrap()
}

/// The learner's own, of which path and policy are taken over.
fn application(policy: Policy) -> String {
    let automated =
        if policy == Policy::Heals { "{prune: true, selfHeal: true}" } else { "{prune: false, selfHeal: false}" };
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  source: {{path: manifests}}\n  \
         syncPolicy:\n    automated: {automated}\n"
    )
}

fn files() -> Tree {
    let mut files = Tree::default();
    files.insert_file("app.yaml", application(Policy::LeavesIt).into_bytes());
    files.insert_file("manifests/web.yaml", web(2).into_bytes());
    files.insert_file("manifests/settings.yaml", settings("yes").into_bytes());
    files
}

fn report(task: &Task, environs: &Environs) -> Report {
    let course = CourseRef { id: "hello".parse().unwrap(), revision: "0".repeat(40).parse().unwrap() };
    let (files, values) = (files(), Default::default());
    let job = Job {
        course: &course,
        task,
        values: &values,
        commit: None,
        files: &files,
        base: &files,
        hidden: None,
        history: None,
        environs: Some(environs),
        violations: &[],
    };
    grade(&job, &Sandbox::InProcess)
}

/// As the grader asks.
fn undecided(task: &Task) -> Undecided {
    let task = task.clone();
    Arc::new(move |environs| {
        let scenario = report(&task, environs).checkpoints.pop().unwrap();
        let decided = scenario.cases.map_or(0, |(decided, _)| decided);
        let open = scenario.outcome == Outcome::Inconclusive;
        open.then_some(Open { checkpoint: scenario.id, decided }).into_iter().collect()
    })
}

async fn client() -> Client {
    let config = Kubeconfig::read_from(Stack::shared().kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// A learner's environment in which scenes are played.
struct Ground {
    tenant: Tenant,
    tenancy: Tenancy,
    head: CommitId,
    dir: tempfile::TempDir,
    store: Store,
    live: Live,
}

impl Ground {
    /// One that runs a commit, with an Application of this policy.
    async fn new(word: &str, policy: Policy) -> Self {
        let workspace = Workspace(format!("git.example.org/acme/{word}-{}", std::process::id()));
        let tenancy = Tenancy { workspace, learner: "7".parse().unwrap(), task: "shop".parse().unwrap() };
        let tenant = Tenant::named(tenancy.name()).await;
        let head = tenant.push(&[
            ("web.yaml", Some(&web(2))),
            ("settings.yaml", Some(&settings("yes"))),
            ("../app.yaml", Some(&application(policy))),
        ]);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let live = live(&tenancy, &tenant.repository, store.clone()).await;
        let ground = Self { tenant, tenancy, head, dir, store, live };
        // Made before the Application is.
        let offered = ground.begin(&task(&[], 2)).await;
        drop(offered);
        ground.tenant.offer(&ground.head).await;
        if policy == Policy::LeavesIt {
            let automated = json!({ "prune": false, "selfHeal": false });
            ground.change(json!({ "spec": { "syncPolicy": { "automated": automated } } })).await;
        }
        ground
            .within("the commit", async || {
                ground.replicas().await.is_some()
                    && ground.api("ConfigMap").get_opt("settings").await.unwrap().is_some()
            })
            .await;
        ground
    }

    async fn change(&self, patch: Value) {
        let merge = Patch::Merge(patch);
        self.tenant.applications().patch(&self.tenant.name, &PatchParams::default(), &merge).await.unwrap();
    }

    fn stay(&self, task: &Task) -> Stay {
        let pull = Pull {
            number: PullNumber(1),
            author: User::local("7".parse().unwrap()),
            course: "hello".parse().unwrap(),
            branch: "work".to_owned().try_into().unwrap(),
            head: self.head.clone(),
            base: None,
            state: PullState::Open,
            readiness: Readiness::Ready,
            labels: BTreeSet::new(),
            opened_at: Time(1),
            updated_at: Time(1),
        };
        let objects = self.tenant.clone_dir().join(".git");
        Stay { pull, pushed_at: Time(1), objects, task: task.clone(), hidden: Tree::default() }
    }

    async fn begin(&self, task: &Task) -> Box<Offered> {
        begin(&self.live, self.stay(task)).await
    }

    /// The whole way of one grading.
    async fn grade(&self, task: &Task) -> (Environs, CheckpointResult) {
        let offered = self.begin(task).await;
        self.live.offered_all(PullNumber(1), Offers::None).await.unwrap();
        let environs = self.live.observe(&offered, &undecided(task)).await.unwrap();
        let result = report(task, &environs).checkpoints.pop().unwrap();
        (environs, result)
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let group = if kind == "Deployment" { "apps" } else { "" };
        Api::namespaced_with(self.tenant.client.clone(), &self.tenant.name, &resource(group, "v1", kind))
    }

    async fn replicas(&self) -> Option<Value> {
        self.api("Deployment").get_opt("web").await.unwrap().map(|web| web.data["spec"]["replicas"].clone())
    }

    /// Everything is as the commit asks for, and nothing is to be undone any more.
    async fn is_as_committed(&self, when: &str) {
        assert_eq!(self.store.undos(&self.tenant.name).await.unwrap(), [], "{when}");
        assert_eq!(self.replicas().await, Some(2.into()), "{when}");
        let map = self.api("ConfigMap").get("settings").await.unwrap();
        assert_eq!(map.data["data"], json!({ "open": "yes" }), "{when}");
        assert!(self.api("ConfigMap").get_opt("left-over").await.unwrap().is_none(), "{when}");
        self.within("Synced", async || {
            let application = self.tenant.applications().get(&self.tenant.name).await.unwrap();
            application.data["status"]["sync"]["status"] == "Synced"
        })
        .await;
    }

    async fn within(&self, what: &str, mut ask: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !ask().await {
            assert!(begun.elapsed() < PATIENCE, "{what} does not come");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a scene that ends in the middle leaves: one that is in its first step, with five replicas.
    async fn is_played(&self) {
        self.within("the act", async || self.replicas().await == Some(5.into())).await;
        assert_eq!(self.store.undos(&self.tenant.name).await.unwrap().len(), 1, "written down before it was done");
    }
}

async fn live(tenancy: &Tenancy, repository: &str, store: Store) -> Live {
    let client = client().await;
    let argocd = Argocd { client: client.clone(), namespace: "argocd".into(), set: "none".into() };
    let shared = Shared { kinds: Arc::new(Kinds::of(client)), server: SERVER.into() };
    let lender = Arc::new(Lender::new(argocd, Some(shared), None, Arc::new(SystemClock)));
    let repository = repository.to_owned();
    let clock = Arc::new(SystemClock);
    Live::new(lender, store, clock, tenancy.workspace.clone(), Arc::new(move |_| repository.clone()), BUDGET)
}

async fn begin(live: &Live, stay: Stay) -> Box<Offered> {
    match live.begin(stay).await.unwrap() {
        Begun::Offered(offered) => offered,
        Begun::Settled(environs) => panic!("{environs:?}"),
    }
}

fn messages(result: &CheckpointResult) -> Vec<&str> {
    result.evidence.iter().map(|one| one.message.as_str()).collect()
}

#[test]
fn what_heals_and_prunes_passes_and_is_judged_again_later() {
    beside(async {
        let ground = Ground::new("heals", Policy::Heals).await;
        let task = task(&[scale(5, "60s"), delete("60s"), plant("80s")], 2);
        let uid = async || ground.api("Deployment").get("web").await.unwrap().metadata.uid;
        let first = uid().await;
        let (environs, result) = ground.grade(&task).await;
        assert_eq!((result.outcome, result.cases), (Outcome::Pass, Some((3, 3))), "{result:#?}");
        assert_ne!(uid().await, first, "it was deleted, and is another one");
        ground.is_as_committed("healed").await;

        let id = ground.store.keep(&environs, SystemClock.now()).await.unwrap();
        let kept = ground.store.kept(&id).await.unwrap().unwrap();
        assert_eq!(report(&task, &kept).checkpoints.pop().unwrap(), result);
    });
}

#[test]
fn what_is_left_as_it_is_fails_step_by_step_and_everything_is_undone() {
    beside(async {
        let ground = Ground::new("leaves", Policy::LeavesIt).await;
        let task = task(&[scale(5, "4s"), delete("4s"), plant("4s"), patch("4s")], 2);
        let (_, result) = ground.grade(&task).await;
        assert_eq!((result.outcome, result.cases), (Outcome::Fail, Some((0, 4))), "{result:#?}");
        let found = messages(&result);
        let words = [
            "after Deployment `web` was scaled to 5: `replicas` is 5, must be 2 (",
            "after Deployment `web` was deleted: the environment has no Deployment `web` of this commit (so for",
            "after ConfigMap `left-over` was made, as if an earlier commit had brought it: ConfigMap `left-over` is still there (so",
            "after ConfigMap `settings` was changed: `open` is `no`, must be `yes` (",
        ];
        assert_eq!(found.len(), words.len(), "{found:#?}");
        for (found, words) in found.iter().zip(words) {
            assert!(found.starts_with(words), "{found}");
        }
        let places: Vec<_> = result.evidence.iter().map(|one| (one.place.file.as_deref(), one.place.line)).collect();
        assert_eq!(places, [(Some("tasks/shop/app.yaml"), Some(6)); 4], "what is to be mended");
        ground.is_as_committed("undone").await;
    });
}

#[test]
fn what_could_not_be_tried_is_told_and_nothing_passes_for_want_of_an_act() {
    beside(async {
        let ground = Ground::new("nothing", Policy::LeavesIt).await;
        let by_hand = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "by-hand" }, "data": { "open": "yes" } });
        let by_hand = serde_json::from_value(by_hand).unwrap();
        ground.api("ConfigMap").create(&PostParams::default(), &by_hand).await.unwrap();
        let named = |name: &str| {
            let mut step = patch("2s");
            step["do"]["patch"]["name"] = name.into();
            step
        };
        let mut taken = plant("2s");
        for field in ["/do/plant/object/metadata/name", "/check/gone/name"] {
            *taken.pointer_mut(field).unwrap() = "settings".into();
        }
        let steps = [named("nowhere"), named("by-hand"), taken];
        let (_, result) = ground.grade(&task(&steps, 2)).await;
        assert_eq!(result.outcome, Outcome::Fail, "{result:#?}");
        let words = [
            "the environment has no ConfigMap `nowhere` of this commit that could be changed",
            "ConfigMap `by-hand` is there, but nothing of this commit made it: what is made by hand does not count",
            "ConfigMap `settings` is of this commit, and its name has to be free for what is tried here",
        ];
        assert_eq!(messages(&result), words);
        assert_eq!(ground.tenant.value("by-hand", "open").await.as_deref(), Some("yes"), "left alone");

        let (_, same) = ground.grade(&task(&[scale(2, "2s")], 2)).await;
        assert_eq!(same.outcome, Outcome::Error, "{same:#?}");
        let mut invalid = patch("2s");
        invalid["do"]["patch"]["merge"] = json!({ "data": 3 });
        let (_, refused) = ground.grade(&task(&[invalid], 2)).await;
        assert!(refused.outcome.is_provisional(), "{refused:#?}");
        // A kind that the account has no right to: never the learner's matter.
        let mut forbidden = patch("2s");
        forbidden["do"]["patch"]["kind"] = "Service".into();
        let (_, forbidden) = ground.grade(&task(&[forbidden], 2)).await;
        assert_eq!(forbidden.outcome, Outcome::Inconclusive, "{forbidden:#?}");
        assert!(messages(&forbidden)[0].contains("gradus-deployer"), "asked as the account: {forbidden:#?}");
        // Blocked by a file: not begun.
        let (environs, blocked) = ground.grade(&task(&[scale(5, "2s")], 3)).await;
        assert_eq!(blocked.outcome, Outcome::Blocked);
        let Environs::Seen(seen) = environs else { panic!("{environs:?}") };
        assert_eq!(seen.scenes, []);
        assert_eq!(ground.api("Deployment").get("web").await.unwrap().metadata.generation, Some(1), "never touched");
        ground.is_as_committed("nothing was done").await;
    });
}

#[test]
fn a_newer_head_ends_a_scene_at_once_which_is_undone_and_not_judged() {
    beside(async {
        let ground = Ground::new("newer", Policy::LeavesIt).await;
        let task = task(&[scale(5, "60s"), plant("60s")], 2);
        let newer = async {
            ground.is_played().await;
            let offer = Offer {
                tenancy: ground.tenancy.clone(),
                repo_url: ground.tenant.repository.clone(),
                path: PATH.into(),
                commit: "b".repeat(40).parse().unwrap(),
                server: SERVER.into(),
                policy: gradus::gitops::policy::Policy::default(),
            };
            let push = Push { number: PullNumber(1), at: Time(2) };
            assert_eq!(ground.store.offer(&offer, push, SystemClock.now()).await.unwrap(), None);
            Instant::now()
        };
        let ((environs, result), since) = tokio::join!(ground.grade(&task), newer);
        // The step alone would last 60 s.
        assert!(since.elapsed() < Duration::from_secs(50), "{:?}", since.elapsed());
        assert!(matches!(environs, Environs::Shut(_)), "{environs:?}");
        assert_eq!(result.outcome, Outcome::Inconclusive, "{result:#?}");
        ground.is_as_committed("superseded").await;
    });
}

#[test]
fn an_application_that_is_made_to_ask_for_another_commit_ends_a_scene_too() {
    beside(async {
        let ground = Ground::new("asks", Policy::LeavesIt).await;
        let task = task(&[scale(5, "20s")], 2);
        let moved = async {
            ground.is_played().await;
            ground.change(json!({ "spec": { "source": { "targetRevision": "b".repeat(40) } } })).await;
            ground.within("the undo", async || ground.replicas().await == Some(2.into())).await;
            ground.change(json!({ "spec": { "source": { "targetRevision": ground.head } } })).await;
        };
        let begun = Instant::now();
        let ((environs, result), ()) = tokio::join!(ground.grade(&task), moved);
        // Begun anew, and seen to the end then.
        assert_eq!(result.outcome, Outcome::Fail, "{environs:?}");
        assert!(begun.elapsed() > Duration::from_secs(20));
        ground.is_as_committed("another commit").await;
    });
}

#[test]
fn a_grading_that_nobody_waits_for_any_more_is_undone() {
    beside(async {
        let ground = Ground::new("dropped", Policy::LeavesIt).await;
        let task = task(&[scale(5, "60s")], 2);
        tokio::select! {
            graded = ground.grade(&task) => panic!("{graded:?}"),
            () = ground.is_played() => {}
        }
        let undone = async || ground.store.undos(&ground.tenant.name).await.unwrap().is_empty();
        ground.within("the undo", undone).await;
        ground.is_as_committed("dropped").await;
    });
}

#[test]
fn what_a_daemon_that_was_killed_left_is_undone_by_the_next_one_that_begins_there() {
    beside(async {
        let ground = Ground::new("killed", Policy::LeavesIt).await;
        for step in [scale(5, "60s"), plant("60s"), delete("60s"), patch("60s")] {
            let word = step["do"].as_object().unwrap().keys().next().unwrap().clone();
            let task = task(&[step], 2);
            // With everything that it has, a runtime too.
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let (tenancy, repository) = (ground.tenancy.clone(), ground.tenant.repository.clone());
            let (stay, path) = (ground.stay(&task), ground.dir.path().join("gradus.db"));
            runtime.spawn(async move {
                let store = Store::open(&path).await.unwrap();
                let live = live(&tenancy, &repository, store).await;
                let offered = begin(&live, stay).await;
                live.observe(&offered, &undecided(&task)).await.unwrap();
            });
            let done = async || {
                let map = ground.api("ConfigMap");
                let open = map.get("settings").await.unwrap().data["data"]["open"].clone();
                let planted = map.get_opt("left-over").await.unwrap().is_some();
                planted || open != "yes" || ground.replicas().await != Some(2.into())
            };
            ground.within(&word, done).await;
            runtime.shutdown_background();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(done().await, "{word}: nobody undid it");
            assert_eq!(ground.store.undos(&ground.tenant.name).await.unwrap().len(), 1, "{word}");
            ground.begin(&self::task(&[], 2)).await;
            ground.is_as_committed(&word).await;
        }
        // Twice is as once, and what somebody changed since stays.
        ground.begin(&task(&[], 2)).await;
        ground.is_as_committed("again").await;
    });
}
