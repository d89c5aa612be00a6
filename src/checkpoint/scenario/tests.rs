use serde_json::json;

use super::super::observed::{Environs, Maker, Observed, Said, Seen};
use super::super::outcome::Blame;
use super::super::spec::Checkpoint;
use super::super::testing::tree;
use super::super::via::{Answer, Reply};
use super::super::{Judgement, NOWHERE};
use super::*;
use crate::gitops::shown::shown;
use crate::submission::yaml::{Dialect, YamlFiles};

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n";

fn scale() -> Value {
    json!({ "do": { "scale": { "kind": "Deployment", "name": "web", "replicas": 5 } },
        "check": { "live": { "select": { "kind": "Deployment", "name": "web" }, "match": { "spec": { "replicas": 2 } } } },
        "eventually": { "within": "40s" } })
}

fn delete() -> Value {
    json!({ "do": { "delete": { "kind": "Deployment", "name": "web" } },
        "check": { "live": { "select": { "kind": "Deployment", "name": "web" }, "match": {} } } })
}

fn plant() -> Value {
    json!({ "do": { "plant": { "object": { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "left-over" } } } },
        "check": { "gone": { "kind": "ConfigMap", "name": "left-over" } }, "eventually": { "within": "40s" } })
}

fn checkpoint(steps: &[Value]) -> Checkpoint {
    let twin = json!({ "manifest": { "select": { "kind": "Deployment" }, "match": { "spec": { "replicas": 2 } } } });
    let file = json!({ "id": "heals", "title": "It heals", "scenario": { "steps": steps, "offline": twin } });
    serde_json::from_value(file).unwrap()
}

fn web(uid: &str, replicas: u32) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "ada", "uid": uid },
        "spec": { "replicas": replicas } })
}

fn map(uid: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "left-over", "namespace": "ada", "uid": uid } })
}

fn acted(before: Option<Value>, after: Option<Value>) -> Done {
    Done::Acted { before, after }
}

/// What was seen from the act on: seconds, and the object then.
fn played(step: &Value, done: Done, looks: &[(u64, u64, Option<Value>)], over: bool) -> Played {
    let step: Step = serde_json::from_value(step.clone()).unwrap();
    let mut seen = Observed { asked: step.wants(None), over, ..Observed::default() };
    for (from, to, object) in looks {
        let objects: Vec<_> = object.iter().map(|one| Seen { object: one.clone(), maker: Maker::Commit }).collect();
        seen.samples.push(Sample { from: from * 1000, to: to * 1000, objects, answers: Vec::new() });
    }
    Played { done, seen }
}

fn judge(checkpoint: &Checkpoint, environs: &Environs) -> Judgement {
    judge_files(checkpoint, environs, &[("web.yaml", WEB)])
}

fn judge_files(checkpoint: &Checkpoint, environs: &Environs, files: &[(&str, &str)]) -> Judgement {
    judge_traced(checkpoint, environs, files, &mut Trace::off())
}

fn judge_traced(checkpoint: &Checkpoint, environs: &Environs, files: &[(&str, &str)], trace: &mut Trace) -> Judgement {
    let (files, params) = (tree(files), BTreeMap::new());
    let context = Context {
        files: &files,
        base: &files,
        yaml: &YamlFiles::new(&files),
        hidden: None,
        params: &params,
        history: None,
        environment: Sight::Absent(NOWHERE),
        prefix: "tasks/t/",
        dialect: Dialect::Kubectl,
        screened: None,
    };
    // As it is kept and read again.
    let kept = serde_json::from_str(&serde_json::to_string(environs).unwrap()).unwrap();
    checkpoint.judge(&context, Some(&kept), trace)
}

fn scene(steps: &[Value], played: Vec<Played>) -> Environs {
    let script = steps.iter().map(|step| serde_json::from_value(step["do"].clone()).unwrap()).collect();
    let scene = Scene { checkpoint: "heals".parse().unwrap(), script, steps: played };
    Environs::Seen(Observed { scenes: vec![scene], over: true, ..Observed::default() })
}

fn verdict(steps: &[Value], played: Vec<Played>) -> (Outcome, String) {
    let judgement = judge(&checkpoint(steps), &scene(steps, played));
    (judgement.outcome, judgement.evidence.first().map(|first| first.message.clone()).unwrap_or_default())
}

fn one(step: Value, done: Done, looks: &[(u64, u64, Option<Value>)], over: bool) -> (Outcome, String) {
    let played = played(&step, done, looks, over);
    verdict(&[step], vec![played])
}

fn scaled() -> Done {
    acted(Some(web("a", 2)), Some(web("a", 5)))
}

fn fail(words: &str) -> (Outcome, String) {
    (Outcome::Fail, words.to_owned())
}

#[test]
fn what_is_as_it_was_in_time_passes_and_what_is_not_is_told_with_what_was_done() {
    let pass = (Outcome::Pass, String::new());
    let looks = [(0, 5, Some(web("a", 5))), (6, 6, Some(web("a", 2)))];
    assert_eq!(one(scale(), scaled(), &looks, false), pass);
    let never = [(0, 40, Some(web("a", 5)))];
    let words = "after Deployment `web` was scaled to 5: `replicas` is 5, must be 2 (so for 40 s)";
    assert_eq!(one(scale(), scaled(), &never, false), fail(words));
    let late = [(0, 39, Some(web("a", 5))), (41, 41, Some(web("a", 2)))];
    assert_eq!(one(scale(), scaled(), &late, false).0, Outcome::Fail, "too late");
    let open = one(scale(), scaled(), &[(0, 39, Some(web("a", 5)))], false);
    assert_eq!(open.0, Outcome::Inconclusive, "there is time left");
    assert_eq!(one(scale(), scaled(), &[(0, 39, Some(web("a", 5)))], true).0, Outcome::Fail, "and now there is none");
}

#[test]
fn healed_and_broken_again_is_what_the_time_words_make_of_it() {
    let looks =
        [(0, 5, Some(web("a", 5))), (6, 8, Some(web("a", 2))), (9, 9, Some(web("a", 5))), (10, 41, Some(web("a", 5)))];
    let mut stable = scale();
    stable["stableFor"] = "5s".into();
    assert_eq!(one(stable, scaled(), &looks, true).0, Outcome::Fail);
    let mut lasting = scale();
    lasting["consistently"] = json!({ "for": "5s" });
    let words = "after Deployment `web` was scaled to 5: `replicas` is 5, must be 2 (it held for 3 s and then no more)";
    assert_eq!(one(lasting, scaled(), &looks, true), fail(words));
    assert_eq!(one(scale(), scaled(), &looks, true).0, Outcome::Pass, "once is enough where nothing more is asked");
}

#[test]
fn what_was_deleted_is_back_only_as_another_one() {
    let deleted = acted(Some(web("a", 2)), None);
    let back = [(0, 4, None), (5, 5, Some(web("b", 2)))];
    assert_eq!(one(delete(), deleted.clone(), &back, false).0, Outcome::Pass);
    let mut going = web("a", 2);
    going["metadata"]["deletionTimestamp"] = "2026-11-30T12:00:00Z".into();
    let same = [(0, 15, Some(going.clone()))];
    let words =
        "after Deployment `web` was deleted: the environment has no Deployment `web` of this commit (so for 15 s)";
    assert_eq!(one(delete(), acted(Some(web("a", 2)), Some(going)), &same, true), fail(words));
    assert_eq!(one(delete(), deleted, &[(0, 15, None)], true), fail(words));
}

#[test]
fn what_was_planted_has_to_go() {
    let planted = acted(None, Some(map("m")));
    let gone = [(0, 3, Some(map("m"))), (4, 4, None)];
    assert_eq!(one(plant(), planted.clone(), &gone, false).0, Outcome::Pass);
    let words = "after ConfigMap `left-over` was made, as if an earlier commit had brought it: ConfigMap `left-over` is still there \
                 (so for 40 s)";
    assert_eq!(one(plant(), planted, &[(0, 40, Some(map("m")))], true), fail(words));
}

#[test]
fn nothing_passes_because_nothing_was_done() {
    let fine = [(0, 1, Some(web("a", 2)))];
    let same = acted(Some(web("a", 5)), Some(web("a", 5)));
    assert_eq!(one(scale(), same, &fine, true).0, Outcome::Error, "the act changed nothing");
    assert_eq!(one(plant(), acted(None, None), &[(0, 1, None)], true).0, Outcome::Error, "it was never there");
    assert_eq!(one(delete(), acted(Some(web("a", 2)), Some(web("a", 2))), &fine, true).0, Outcome::Error);
    let words = "the environment has no Deployment `web` of this commit that could be scaled to 5";
    assert_eq!(one(scale(), Done::Missing, &fine, true), fail(words));
    let words = "Deployment `web` is there, but nothing of this commit made it: what is made by hand does not count";
    assert_eq!(one(scale(), Done::Foreign, &fine, true), fail(words));
    let words = "ConfigMap `left-over` is of this commit, and its name has to be free for what is tried here";
    assert_eq!(one(plant(), Done::Taken, &[(0, 1, None)], true), fail(words));
    let refused = |code| Done::Refused { code, message: "no".into() };
    assert_eq!(one(scale(), refused(403), &fine, true).0, Outcome::Inconclusive, "never the learner's");
    assert_eq!(one(scale(), refused(422), &fine, true).0, Outcome::Error, "nor this");
    assert_eq!(one(scale(), Done::Unknown("no answer".into()), &fine, true).0, Outcome::Inconclusive);
}

#[test]
fn what_could_not_be_done_points_at_the_object_in_the_files() {
    let step = played(&scale(), Done::Missing, &[], true);
    let judgement = judge(&checkpoint(&[scale()]), &scene(&[scale()], vec![step]));
    assert_eq!((judgement.blame, judgement.evidence[0].place.line), (Some(Blame::YourFiles), Some(1)));
}

#[test]
fn what_is_not_healed_points_at_how_the_learners_application_syncs_and_what_the_file_says_wrong_at_the_file() {
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  syncPolicy:\n    automated: {}\n";
    let files = [("web.yaml", WEB), ("app.yaml", application)];
    let at = |step: Value, done, looks: &[(u64, u64, Option<Value>)]| {
        let played = played(&step, done, looks, true);
        let steps = [step];
        let judgement = judge_files(&checkpoint(&steps), &scene(&steps, vec![played]), &files);
        assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::YourFiles)));
        let place = judgement.evidence[0].place.clone();
        (place.file.unwrap(), place.line.unwrap())
    };
    let policy = ("app.yaml".to_owned(), 4);
    assert_eq!(at(scale(), scaled(), &[(0, 40, Some(web("a", 5)))]), policy);
    assert_eq!(at(delete(), acted(Some(web("a", 2)), None), &[(0, 40, None)]), policy);
    assert_eq!(at(plant(), acted(None, Some(map("m"))), &[(0, 40, Some(map("m")))]), policy);
    let mut three = scale();
    three["check"]["live"]["match"]["spec"]["replicas"] = 3.into();
    assert_eq!(
        at(three, scaled(), &[(0, 40, Some(web("a", 2)))]),
        ("web.yaml".to_owned(), 6),
        "healed, to what the file says"
    );
}

/// A step that asks Argo CD.
fn argocd() -> Value {
    json!({ "do": scale()["do"], "check": { "argocd": { "health": "Healthy" } }, "eventually": { "within": "40s" }, "stableFor": "5s" })
}

/// What Argo CD said from the act on: seconds, and how healthy it called everything then.
fn called(looks: &[(u64, u64, Option<&str>)]) -> Played {
    let mut played = played(&argocd(), scaled(), &[], true);
    let said = |health: Option<&str>| {
        let Some(health) = health else { return Said::Nothing("Argo CD is away".to_owned()) };
        let read = include_str!("../../gitops/gate/fixtures/single.json");
        let mut read: Value = serde_json::from_str(read).unwrap();
        read["status"]["health"]["status"] = health.into();
        Said::Application(shown(&read))
    };
    played.seen.samples.extend(looks.iter().map(|(from, to, health)| {
        let answers = vec![(Want::Application, said(*health))];
        Sample { from: from * 1000, to: to * 1000, answers, ..Sample::default() }
    }));
    played
}

#[test]
fn a_step_may_ask_how_argo_cd_calls_it_and_what_it_says_before_it_notices_is_not_believed() {
    let judged = |looks: &[(u64, u64, Option<&str>)]| {
        let steps = [argocd()];
        judge(&checkpoint(&steps), &scene(&steps, vec![called(looks)]))
    };
    let healed = judged(&[(0, 1, Some("Healthy")), (2, 20, Some("Progressing")), (21, 27, Some("Healthy"))]);
    assert_eq!(healed.outcome, Outcome::Pass, "{healed:?}");
    let never = judged(&[(0, 1, Some("Healthy")), (2, 41, Some("Progressing"))]);
    assert_eq!((never.outcome, never.blame), (Outcome::Fail, Some(Blame::NotHealthy)));
    let words = "after Deployment `web` was scaled to 5: Argo CD calls it Progressing, must be Healthy";
    assert!(never.evidence[0].message.starts_with(words), "{never:?}");
    assert_eq!(judged(&[(0, 41, None)]).outcome, Outcome::Inconclusive, "never the learner's");
    let mut hasty = argocd();
    hasty.as_object_mut().unwrap().shift_remove("stableFor");
    let problems: Vec<_> = checkpoint(&[hasty]).kind.lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect();
    assert_eq!(problems, ["/steps/0/check/argocd"]);
    assert_eq!(checkpoint(&[argocd()]).kind.lint(&BTreeMap::new()), []);
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {app: web}\n";

/// A Service is deleted: who answers at its address?
fn http() -> Value {
    json!({ "do": { "delete": { "kind": "Service", "name": "web" } },
        "check": { "http": { "via": { "service": "web", "port": 80 }, "get": "/healthz" } }, "eventually": { "within": "40s" } })
}

fn service(uid: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "ada", "uid": uid } })
}

/// What was seen from then on: seconds, which Service was there, and the status of what answered.
fn asked_of(looks: &[(u64, u64, Option<&str>, u16)]) -> Played {
    let step = http();
    let mut played = played(&step, acted(Some(service("a")), None), &[], true);
    let want = serde_json::from_value::<Step>(step).unwrap().wants(None).pop().unwrap();
    let seen = |object, maker| Seen { object, maker };
    let behind = json!([{ "addresses": [{ "ip": "10.0.0.7", "targetRef": { "kind": "Pod", "name": "web-a" } }] }]);
    let at = |kind: &str, name: &str| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": "ada" } });
    played.seen.samples.extend(looks.iter().map(|(from, to, uid, status)| {
        let mut endpoints = at("Endpoints", "web");
        endpoints["subsets"] = behind.clone();
        let mut objects = vec![seen(endpoints, Maker::Somebody), seen(at("Pod", "web-a"), Maker::Controller)];
        objects.extend(uid.map(|uid| seen(service(uid), Maker::Commit)));
        let reply = Reply { status: *status, headers: BTreeMap::new(), body: None, late: false };
        let answers = vec![(want.clone(), Said::Http(Answer { namespace: "ada".to_owned(), reply: Ok(reply) }))];
        Sample { from: from * 1000, to: to * 1000, objects, answers }
    }));
    played
}

#[test]
fn a_step_may_ask_what_answers_and_what_was_deleted_does_not_answer_for_what_is_made_anew() {
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  syncPolicy:\n    automated: {}\n";
    let files = [("web.yaml", SERVICE), ("app.yaml", application)];
    let judged_with = |files: &[(&str, &str)], looks: &[(u64, u64, Option<&str>, u16)]| {
        let steps = [http()];
        judge_files(&checkpoint(&steps), &scene(&steps, vec![asked_of(looks)]), files)
    };
    let judged = |looks: &[(u64, u64, Option<&str>, u16)]| judged_with(&files, looks);
    let back = judged(&[(0, 3, None, 200), (4, 4, Some("b"), 200)]);
    assert_eq!(back.outcome, Outcome::Pass, "{back:?}");
    // Its address may answer for a moment after it was deleted.
    let going = judged(&[(0, 41, Some("a"), 200)]);
    assert_eq!((going.outcome, going.blame), (Outcome::Fail, Some(Blame::YourFiles)), "{going:?}");
    let place = &going.evidence[0].place;
    assert_eq!((place.file.as_deref(), place.line), (Some("app.yaml"), Some(4)), "how it syncs: {going:?}");
    let broken = judged_with(&files[..1], &[(0, 3, None, 200), (4, 41, Some("b"), 503)]);
    let words = "after Service `web` was deleted: `GET /healthz`: `status` is 503, must be 200";
    assert!(broken.evidence[0].message.starts_with(words), "{broken:?}");
    assert_eq!(broken.blame, Some(Blame::HealthyButWrong));
    assert_eq!(checkpoint(&[http()]).kind.lint(&BTreeMap::new()), []);
}

#[test]
fn explain_tells_step_by_step_what_was_done_and_seen_and_without_an_environment_what_would_be() {
    let steps = [argocd(), plant()];
    let told = |environs: &Environs| -> Vec<String> {
        let mut trace = Trace::on();
        judge_traced(&checkpoint(&steps), environs, &[("web.yaml", WEB)], &mut trace);
        trace.into_lines().into_iter().map(|(depth, line)| format!("{}{line}", " ".repeat(depth))).collect()
    };
    let missing = played(&steps[1], Done::Refused { code: 403, message: "no".into() }, &[], true);
    let played = vec![called(&[(0, 1, Some("Progressing")), (2, 7, Some("Healthy"))]), missing];
    assert_eq!(
        told(&scene(&steps, played)),
        [
            " after Deployment `web` was scaled to 5: done",
            " from 0 to 1000 ms",
            "  Argo CD calls it Progressing",
            " from 2000 to 7000 ms",
            "  Argo CD calls it Healthy",
            " after ConfigMap `left-over` was made, as if an earlier commit had brought it: refused with 403: no",
        ]
    );
    let absent = told(&Environs::Absent(NOWHERE.to_owned()));
    assert_eq!(
        absent[..2],
        [
            "step 1 is not tried here: after Deployment `web` was scaled to 5: `argocd`",
            "step 2 is not tried here: after ConfigMap `left-over` was made, as if an earlier commit had brought it: `gone`",
        ]
    );
    assert!(absent[2].ends_with("the files are judged instead"), "{absent:?}");
}

#[test]
fn every_step_counts_as_a_case_and_each_that_fails_is_told() {
    let steps = [scale(), plant(), delete()];
    let healed = played(&steps[0], scaled(), &[(0, 0, Some(web("a", 2)))], false);
    let left = played(&steps[1], acted(None, Some(map("m"))), &[(0, 40, Some(map("m")))], true);
    let gone = played(&steps[2], acted(Some(web("a", 2)), None), &[(0, 15, None)], true);
    let judged = |played: Vec<Played>| judge(&checkpoint(&steps), &scene(&steps, played));
    let whole = judged(vec![healed.clone(), left.clone(), gone.clone()]);
    assert_eq!((whole.outcome, whole.cases, whole.evidence.len()), (Outcome::Fail, Some((1, 3)), 2), "{whole:?}");
    let half = judged(vec![healed.clone(), left.clone()]);
    assert_eq!((half.outcome, half.cases), (Outcome::Inconclusive, Some((2, 3))), "the rest is to come");
    let unknown = played(&steps[2], Done::Unknown("no answer".into()), &[], true);
    let unsure = judged(vec![healed, left, unknown]);
    assert_eq!(unsure.outcome, Outcome::Inconclusive, "a step that nobody could judge costs nothing: {unsure:?}");
}

#[test]
fn what_was_not_tried_is_not_judged_again() {
    let step = played(&scale(), scaled(), &[(0, 0, Some(web("a", 2)))], false);
    let environs = scene(&[scale()], vec![step]);
    let mut another = scale();
    another["do"]["scale"]["replicas"] = 7.into();
    assert_eq!(judge(&checkpoint(&[another]), &environs).outcome, Outcome::NotRun);
    let mut elsewhere = scale();
    elsewhere["check"]["live"]["select"] = json!({ "kind": "Pod" });
    assert_eq!(judge(&checkpoint(&[elsewhere]), &environs).outcome, Outcome::NotRun);
    let seen = Environs::Seen(Observed { over: true, ..Observed::default() });
    assert_eq!(judge(&checkpoint(&[scale()]), &seen).outcome, Outcome::NotRun);
    let mut stricter = scale();
    stricter["check"]["live"]["match"] = json!({ "spec": { "replicas": 3 } });
    assert_eq!(judge(&checkpoint(&[stricter]), &environs).outcome, Outcome::Inconclusive, "not looked at long enough");
}

#[test]
fn without_an_environment_the_twin_judges_the_files() {
    let absent = Environs::Absent(NOWHERE.to_owned());
    assert_eq!(judge(&checkpoint(&[scale()]), &absent).outcome, Outcome::Pass);
}

#[test]
fn what_makes_no_sense_is_named_at_its_field() {
    let problems = |steps: Vec<Value>| -> Vec<String> {
        checkpoint(&steps).kind.lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
    };
    assert_eq!(problems(vec![scale(), delete(), plant()]), Vec::<String>::new());
    assert_eq!(problems(Vec::new()), ["/steps"]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut step = plant();
        change(&mut step);
        problems(vec![step])
    };
    assert_eq!(with(&|step| step["check"]["gone"]["name"] = "another".into()), ["/steps/0/check/gone"]);
    assert_eq!(
        with(
            &|step| step["do"]["plant"]["object"] = json!({ "kind": "ConfigMap", "metadata": { "name": "left-over" } })
        ),
        ["/steps/0/do/plant/object"]
    );
    assert_eq!(with(&|step| step["stableFor"] = "5m".into()), ["/steps/0/eventually/within", "/steps"]);
    let live = |live: Value| problems(vec![json!({ "do": scale()["do"], "check": { "live": live } })]);
    assert_eq!(live(json!({ "select": {}, "match": {} })), ["/steps/0/check/live/select"]);
    let twin = json!({ "manifest": { "match": {} } });
    let own = json!({ "select": { "kind": "Pod" }, "match": {}, "offline": twin });
    assert_eq!(live(own), ["/steps/0/check/live/offline"]);
    let long = || {
        let mut step = scale();
        step["eventually"]["within"] = "2m".into();
        step
    };
    assert_eq!(problems(vec![long(), long()]), Vec::<String>::new());
    assert_eq!(problems(vec![long(), long(), long()]), ["/steps"], "all steps together");
    let bare: Scenario = serde_json::from_value(json!({ "steps": [scale()] })).unwrap();
    assert_eq!(bare.lint(&BTreeMap::new())[0].0, "", "no twin");
    let unknown = json!({ "steps": [{ "do": {}, "check": { "gone": { "kind": "Pod", "name": "x" } } }] });
    assert!(serde_json::from_value::<Scenario>(unknown).is_err());
    let unchecked = json!({ "steps": [{ "do": scale()["do"] }] });
    assert!(serde_json::from_value::<Scenario>(unchecked).unwrap_err().to_string().contains("check"));
}
