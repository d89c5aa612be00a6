use std::path::PathBuf;

use super::kinds::{ForgeKind, SweepConfig};
use super::*;

/// Directory with everything that the example names.
pub(super) struct Home {
    pub dir: tempfile::TempDir,
}

const CANARY: &str = "canary-0123456789abcdef";

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        for secret in ["github-app.pem", "github-webhook", "courses-token"] {
            write(&format!("secrets/{secret}"), &format!("{CANARY}-{secret}\n"));
        }
        write("learners.txt", "ada\n4711 # bob\n");
        write("courses/hello/course.yaml", "");
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn parse(&self, text: &str) -> Result<Loaded, Invalid> {
        parse("gradus.yaml", text, &self.path(""), &env)
    }

    /// What is wrong with the smallest configuration after a replacement, as `LINE:COLUMN: message (help)`.
    fn problems(&self, from: &str, to: &str) -> Vec<String> {
        assert!(SMALL.contains(from), "{from}");
        match self.parse(&SMALL.replacen(from, to, 1)) {
            Ok(_) => Vec::new(),
            Err(invalid) => {
                invalid.problems.iter().map(|p| p.to_string().trim_start_matches("gradus.yaml:").to_owned()).collect()
            }
        }
    }
}

fn env(name: &str) -> Option<String> {
    match name {
        "GRADUS_KEY" | "GRADUS_FORGEJO_TOKEN" | "TOKEN" => Some(format!("{CANARY}-{name}\n")),
        "EMPTY" => Some("\n".to_owned()),
        "SHORT" => Some("0123".to_owned()),
        _ => None,
    }
}

const SMALL: &str = "\
apiVersion: gradus.dev/v1alpha1
kind: Config
forges:
  - name: git
    kind: gitea
    address: https://git.example.org
    auth: {token: {env: TOKEN}}
    webhook: {secrets: [{env: TOKEN}]}
courses:
  - id: hello
    source: {dir: courses/hello}
workspaces:
  - forge: git
    repository: acme/hello
    course: hello
";

#[test]
fn the_example_is_whole_and_shows_the_defaults() {
    let home = Home::new();
    let example = home.parse(EXAMPLE).unwrap();
    assert_eq!(example.warnings, []);
    let small = home.parse(SMALL).unwrap();
    let defaults = Config { forges: Vec::new(), courses: Vec::new(), workspaces: Vec::new(), ..small.config.clone() };
    let shown = Config { forges: Vec::new(), courses: Vec::new(), workspaces: Vec::new(), ..example.config.clone() };
    // `listen`, `policy`, `sweep`, … are written out in the one and left out of the other.
    assert_eq!(shown, Config { gradebook: GradebookConfig::Local, ..defaults });
    let github = &example.config.forges[0];
    assert_eq!(github.webhook_path().unwrap(), "/webhooks/github");
    let bare =
        kinds::ForgeConfig { address: None, webhook: github.webhook.clone(), ..example.config.forges[1].clone() };
    assert_eq!((bare.web(), bare.kind), (github.web(), ForgeKind::Forgejo));
    assert_eq!(small.config.courses[0].allow_draft, example.config.courses[0].allow_draft);
    assert_eq!(small.config.forges[0].plain_http, github.plain_http);
    assert_eq!(small.config.forges[0].budget, github.budget);
}

#[test]
fn the_example_names_every_field() {
    let schemas = crate::course::schema::schemas();
    let (_, text) = schemas.iter().find(|(name, _)| *name == "config.schema.json").unwrap();
    let schema: serde_json::Value = serde_json::from_str(text).unwrap();
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let variants = objects.clone().flat_map(|object| object["oneOf"].as_array().into_iter().flatten());
    let fields = objects.chain(variants).flat_map(|object| object["properties"].as_object().into_iter().flatten());
    let missing: Vec<_> =
        fields.map(|(field, _)| field).filter(|field| !EXAMPLE.contains(&format!("{field}:"))).collect();
    assert!(missing.is_empty(), "example.yaml does not name {missing:?}");
}

#[test]
fn paths_are_below_the_directory_of_the_file() {
    let home = Home::new();
    let config = home.parse(SMALL).unwrap().config;
    assert_eq!(config.data, home.path("data"));
    assert_eq!(config.courses[0].source, CourseSource::Dir(home.path("courses/hello")));
    let file = home.path("gradus.yaml");
    std::fs::write(&file, SMALL).unwrap();
    assert_eq!(load(&file, &env).unwrap().config, config);
}

#[test]
fn secrets_and_names_are_read_with_the_file() {
    let home = Home::new();
    let loaded = home.parse(EXAMPLE).unwrap();
    let secret = loaded.secrets.get(&SecretSource::File(home.path("secrets/github-webhook"))).unwrap();
    assert_eq!(secret.expose(), format!("{CANARY}-github-webhook"));
    assert_eq!(loaded.names[&home.path("learners.txt")].len(), 2);
    assert_eq!(loaded.files().len(), 4);
    assert!(!format!("{loaded:?}").contains(CANARY));
}

#[test]
fn every_problem_has_its_place_and_a_remedy() {
    let home = Home::new();
    let mut different = Vec::new();
    for (from, to, expected) in [
        ("kind: gitea", "kind: gittea", "5:11: `kind` cannot be `gittea` (did you mean `gitea`?)"),
        (
            "    kind: gitea",
            "    kind: gitea\n    colour: red",
            "6:5: unknown field `colour` (fields here: name, kind, address, api, auth, webhook, plainHttp, budget)",
        ),
        ("kind: Config", "kind: Course", "2:7: `kind` cannot be `Course` (possible: Config)"),
        ("    course: hello\n", "", "13:5: the field `course` is missing in `workspaces[0]` (add `course:` here)"),
        ("forge: git", "forge: got", "13:12: there is no forge `got` in this file (did you mean `git`?)"),
        ("course: hello", "course: helo", "15:13: there is no course `helo` in this file (did you mean `hello`?)"),
        ("acme/hello", "acme", "14:17: `acme` is not a repository: write `OWNER/NAME`, as in `acme/cnpe`"),
        (
            "    address: https://git.example.org\n",
            "",
            "4:5: the address of this Gitea is missing (add `address: https://…`, where people find it)",
        ),
        (
            "https://git.example.org",
            "http://git.example.org",
            "6:14: `http://git.example.org` has no TLS, so that everybody on the way could read the token: use `https://`, or allow plain HTTP for this server in the configuration (for a forge behind a wall of your own: `plainHttp: allowed`)",
        ),
        (
            "https://git.example.org",
            "git.example.org",
            "6:14: `git.example.org` is not the address of a server: write it as in `https://git.example.org` (`gradus config example` shows one of each kind)",
        ),
        (
            "https://git.example.org",
            "https://git.example.org?a=b",
            "6:14: the address of a server has no `?` or `#`: leave it away (`gradus config example` shows one of each kind)",
        ),
        (
            "[{env: TOKEN}]",
            "[]",
            "8:24: no secret is named (without a secret anybody could send webhooks: `openssl rand -hex 32` makes one; leave `webhook` out to have sweeps only)",
        ),
        (
            "[{env: TOKEN}]",
            "[{env: EMPTY}]",
            "8:25: the secret in the environment variable EMPTY is empty (put it there: what is left out here would be open to everybody)",
        ),
        (
            "[{env: TOKEN}]",
            "[{env: NONE}]",
            "8:25: the environment variable NONE is not set: set it, or keep the secret in a file (`{file: PATH}`) (put it there: what is left out here would be open to everybody)",
        ),
        (
            "[{env: TOKEN}]",
            "[{env: SHORT}]",
            "8:25: the secret in the environment variable SHORT is shorter than 16 characters (`openssl rand -hex 32` makes one that nobody guesses)",
        ),
        (
            "{secrets:",
            "{path: hooks, secrets:",
            "8:21: this is no path of an address (begin with `/`, and use letters, digits, `/`, `-`, `_` and `.`)",
        ),
        ("{secrets:", "{path: /metrics, secrets:", "8:21: `/metrics` is taken (choose another path)"),
        (
            "{token: {env: TOKEN}}",
            "{app: {id: 1, key: {env: TOKEN}}}",
            "7:17: Gitea has no Apps (give the `token` of an account of its own)",
        ),
        (
            "courses/hello",
            "courses/hullo",
            &format!(
                "11:19: {} holds no course.yaml (name the directory of the course itself)",
                home.path("courses/hullo").display()
            ),
        ),
        (
            "{dir: courses/hello}",
            "{git: {address: git.example.org, commit: \"0123456789012345678901234567890123456789\"}}",
            "11:29: this repository cannot be fetched (write `https://…`, or the absolute path of a repository on this machine; a token stands beside it)",
        ),
        (
            "{dir: courses/hello}",
            "{git: {address: /srv/c.git, commit: main}}",
            "11:49: `main` is not a full Git object id (40 hexadecimal digits)",
        ),
        (
            "{dir: courses/hello}",
            "{git: {address: /srv/c.git, path: ../x, commit: \"0123456789012345678901234567890123456789\"}}",
            "11:47: this is no directory of the repository (write a path within the repository, as in `courses/cnpe`)",
        ),
        (
            "workspaces:",
            "policy: {closeAfter: soon}\nworkspaces:",
            "12:22: `soon` is no length of time: write a whole number and `ms`, `s`, `m`, `h` or `d`, as in `90s` or `3d`",
        ),
        (
            "workspaces:",
            "policy: {pullRequests: forks}\nworkspaces:",
            "12:24: `pullRequests` cannot be `forks` (did you mean `fork`?)",
        ),
        ("workspaces:", "sweep: {recent: 1ms}\nworkspaces:", "12:17: `1ms` is too short (write at least `1s`)"),
        ("workspaces:", "limits: {workers: 0}\nworkspaces:", "12:19: 0 is too few (write at least 1)"),
        (
            "workspaces:",
            "listen: localhost\nworkspaces:",
            "12:9: give an address in numbers and a port, as in `127.0.0.1:7431`, or `127.0.0.1:0` for any free port",
        ),
        (
            "workspaces:",
            "keys: [{env: SHORT}]\nworkspaces:",
            "12:8: the environment variable SHORT: a key to seal markers with is shorter than 24 characters: set GRADUS_KEY to one made by `openssl rand -base64 32` (then keep it: our own earlier reviews need it)",
        ),
        (
            "workspaces:",
            "keys: []\nworkspaces:",
            "12:7: `keys` is empty (`gradus config example` shows how to fill it)",
        ),
        (
            "  - forge: git\n    repository: acme/hello\n    course: hello\n",
            "  []\n",
            "13:3: `workspaces` is empty (`gradus config example` shows how to fill it)",
        ),
        (
            "workspaces:\n",
            "workspaces:\n  - {forge: git, repository: Acme/Hello, course: hello}\n",
            "15:17: `acme/hello` is there twice (remove one of the two: a workspace has one course)",
        ),
        (
            "kind: gitea",
            "kind: gitea\n    budget: {perHour: 0}",
            "6:23: nothing could ever be written (`gradus pause` stops all writes; leave this out for the forge's own limit)",
        ),
    ] {
        let found = home.problems(from, to);
        if found != [expected] {
            different.push(format!("{from} → {to}\n  found {found:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(home.problems("kind: gitea", "kind: gitea"), [""; 0]);
}

#[test]
fn several_problems_are_told_at_once() {
    let home = Home::new();
    assert_eq!(home.problems("    kind: gitea\n", "    kind: gitea\n    x: 1\n    y: 2\n").len(), 2);
    let twice = "forges:\n  - {name: git, kind: github, auth: {token: {env: TOKEN}}}\n";
    assert_eq!(home.problems("forges:\n", twice), ["5:11: two forges are named `git` (give one another name)"]);
}

#[test]
fn plain_http_is_for_this_machine() {
    let home = Home::new();
    for address in ["http://127.0.0.1:3000", "http://localhost:3000/git", "http://[::1]:3000"] {
        assert_eq!(home.problems("https://git.example.org", address), [""; 0], "{address}");
    }
    let allowed = "http://git.example.org\n    plainHttp: allowed";
    assert_eq!(home.problems("https://git.example.org", allowed), [""; 0]);
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_repeated() {
    let home = Home::new();
    for (from, to, at) in [
        ("{token: {env: TOKEN}}", "{token: ghp_canary}", "7:19"),
        ("{token: {env: TOKEN}}", "ghp_canary", "7:11"),
        ("{token: {env: TOKEN}}", "{token: {value: ghp_canary}}", "7:27"),
        ("[{env: TOKEN}]", "[ghp_canary]", "8:25"),
        ("{token: {env: TOKEN}}", "{token: ghp_canary", "8:"),
        ("[{env: TOKEN}]", "ghp_canary", "8:24"),
        ("    kind: gitea", "    kind: gitea\n    password: ghp_canary", "6:15"),
        ("https://git.example.org", "https://ada:ghp_canary@git.example.org", "6:14"),
        ("{token: {env: TOKEN}}", "|\n      ghp_canary\n      ghp_canary", "8:7"),
    ] {
        let Err(invalid) = home.parse(&SMALL.replacen(from, to, 1)) else { panic!("accepted: {to}") };
        let shown = format!("{invalid} {invalid:?} {}", invalid.text);
        assert!(!shown.contains("canary"), "{shown}");
        assert!(invalid.problems[0].to_string().starts_with(&format!("gradus.yaml:{at}")), "{invalid}");
        let lines = SMALL.replacen(from, to, 1).lines().count();
        assert_eq!(invalid.text.lines().count(), lines, "excerpts keep their lines");
    }
}

#[test]
fn a_secret_that_everybody_may_read_is_warned_about() {
    let home = Home::new();
    let path = home.path("secrets/github-webhook");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let warnings = home.parse(EXAMPLE).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    let text = warnings[0].to_string();
    assert!(text.contains("everybody on this machine may read") && text.contains("chmod o-r"), "{text}");
    assert!(text.starts_with("gradus.yaml:23:"), "{text}");
}

#[test]
fn a_learners_file_that_names_nobody_on_a_line_is_refused_with_that_line() {
    let home = Home::new();
    std::fs::write(home.path("learners.txt"), "ada\nbob, eve\n").unwrap();
    let invalid = home.parse(EXAMPLE).unwrap_err();
    let text = invalid.to_string();
    assert!(text.contains("learners.txt: line 2: `bob, eve` is no login"), "{text}");
}

#[test]
fn what_is_not_said_reads_as_the_default() {
    let home = Home::new();
    let some = home.parse(&format!("{SMALL}sweep: {{full: 2h}}\n")).unwrap().config.sweep;
    assert_eq!(some, SweepConfig { full: span::Span::seconds(7200), ..SweepConfig::default() });
}

#[test]
fn a_budget_changes_only_what_it_names() {
    use crate::forge::budget::{Quota, WritePolicy};
    let home = Home::new();
    let mut forge = home.parse(EXAMPLE).unwrap().config.forges[0].clone();
    assert_eq!(forge.write_policy(), WritePolicy::GITHUB);
    forge.budget.per_hour = Some(40);
    assert_eq!(
        forge.write_policy(),
        WritePolicy { per_hour: Some(Quota { writes: 40, kept: 10 }), ..WritePolicy::GITHUB }
    );
}

#[test]
fn each_cluster_that_somebody_else_runs_has_a_name_and_an_address_of_its_own() {
    let home = Home::new();
    let problems = |list: &str| {
        let argocd = format!("argocd: {{token: {{env: TOKEN}}, external: [{list}]}}\nworkspaces:");
        home.problems("workspaces:", &argocd)
            .into_iter()
            .map(|one| one.split_once(": ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    let one = |name: &str, server: &str| format!("{{name: {name}, kubeconfig: lab, server: \"https://{server}\"}}");
    assert_eq!(problems(&[one("lab-1", "a"), one("lab-2", "b")].join(", ")), [""; 0]);
    let twice = problems(&[one("lab-1", "a"), one("lab-1", "b")].join(", "));
    assert_eq!(twice, ["two clusters are named `lab-1` (give one another name)"]);
    let twice = problems(&[one("lab-1", "a"), one("lab-2", "a")].join(", "));
    assert_eq!(twice, ["`https://a` is there twice (each is for one environment at a time: name another cluster)"]);
    for name in ["Lab", "lab-", "'-lab'", "'a/b'", "''"] {
        let said = problems(&one(name, "a"));
        assert!(said.len() == 1 && said[0].contains("is not an identifier"), "{name}: {said:?}");
    }
}

#[test]
fn servers_that_tasks_may_ask_have_names_and_their_tokens_cross_no_network_readable() {
    let home = Home::new();
    let problems = |list: &str| {
        let argocd = format!("argocd: {{token: {{env: TOKEN}}, addresses: [{list}]}}\nworkspaces:");
        home.problems("workspaces:", &argocd)
            .into_iter()
            .map(|one| one.split_once(": ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    let plain = "url: \"http://prometheus.monitoring:9090\"";
    assert_eq!(problems(&format!("{{name: prometheus, {plain}}}")), [""; 0], "nothing secret goes there");
    let readable = problems(&format!("{{name: prometheus, {plain}, token: {{env: TOKEN}}}}"));
    assert!(
        readable.len() == 1 && readable[0].contains("has no TLS") && readable[0].contains("plainHttp"),
        "{readable:?}"
    );
    let said_so = format!("{{name: prometheus, {plain}, token: {{env: TOKEN}}, plainHttp: allowed}}");
    assert_eq!(problems(&said_so), [""; 0]);
    let twice = problems(&format!("{{name: a, {plain}}}, {{name: a, {plain}}}"));
    assert_eq!(twice, ["two servers are named `a` (give one another name)"]);
    assert!(problems(&format!("{{name: 'A b', {plain}}}"))[0].contains("`A b` is not an identifier: use"));
    assert!(problems("{name: a, url: \"https://x?y\"}")[0].contains("leave it away"));
    let missing = problems(&format!("{{name: a, {plain}, token: {{env: NOT_SET}}}}"));
    assert!(missing.iter().any(|one| one.contains("NOT_SET is not set")), "{missing:?}");
}
