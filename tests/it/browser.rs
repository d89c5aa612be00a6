//! A learner's journeys in a real browser: half right then right, hostile, lost.
//!
//! Everything is real: `gradus up`, `git push`, Chromium by ChromeDriver. What is started is ended with the test, also
//! when it fails.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

/// How long anything on a page may take to appear: a push is answered within a second, a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(20);

/// A course of one task, so that what these journeys see changes only here.
const COURSE: &[(&str, &str)] = &[
    (
        "course.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Course
metadata: {id: tour, title: A tour}
spec:
  description: For the browser.
  salt: tour
  domains: [{id: d1-first, title: First steps, points: 5}]
  modules: [module-1-1]
",
    ),
    (
        "d1-first/module-1-1/module.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Module
metadata: {id: module-1-1, title: Fields}
spec: {tasks: [scale]}
",
    ),
    ("d1-first/module-1-1/lessons/01-fields.md", "# Fields\n\nA field has a name and a value.\n"),
    (
        "d1-first/module-1-1/tasks/scale/task.yaml",
        "\
apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: scale, title: Scale the web}
spec:
  points: 5
  minutes: 3
  checkpoints:
    - id: image
      title: The image has a version
      points: 2
      manifest: {in: deploy/*.yaml, select: {kind: Deployment}, match: {spec: {image: {$regex: \":[0-9.]+$\"}}}}
    - id: replicas
      title: Three replicas run
      points: 3
      hints:
        - {after: 1, text: Look at the number of replicas.}
        - {after: 3, text: The number is three.}
      manifest: {in: deploy/*.yaml, select: {kind: Deployment}, match: {spec: {replicas: 3}}}
",
    ),
    (
        "d1-first/module-1-1/tasks/scale/brief.md",
        "# Scale\n\nGive the web **three** replicas and an image with a version.\n",
    ),
    ("d1-first/module-1-1/tasks/scale/debrief.md", "A version says what runs.\n"),
    (
        "d1-first/module-1-1/tasks/scale/starter/deploy/web.yaml",
        "kind: Deployment\nmetadata:\n  name: web\nspec:\n  image: web:latest\n  replicas: 1\n",
    ),
    (
        "d1-first/module-1-1/tasks/scale/solution/deploy/web.yaml",
        "kind: Deployment\nmetadata:\n  name: web\nspec:\n  image: web:1.2\n  replicas: 3\n",
    ),
    (
        "d1-first/module-1-1/tasks/scale/mutants/latest.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Mutant\nwhy: No version.\nfails: [image]\nedits:\n  - {file: deploy/web.yaml, set: /spec/image, to: \"web:latest\"}\n",
    ),
    (
        "d1-first/module-1-1/tasks/scale/mutants/two.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Mutant\nwhy: Too few.\nfails: [replicas]\nedits:\n  - {file: deploy/web.yaml, set: /spec/replicas, to: 2}\n",
    ),
];

/// A process group that ends with the test.
struct Group(Child);

impl Group {
    /// Starts a program and reads its output up to the first line with `needle`; that line.
    fn start(command: &mut Command, needle: &str) -> (Self, String) {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn().unwrap_or_else(|error| {
                panic!("cannot start {command:?}: {error} (`make setup` installs what tests need)")
            });
        let output = child.stdout.take().expect("piped");
        let group = Self(child);
        let mut lines = BufReader::new(output).lines();
        let line = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains(needle))
            .unwrap_or_else(|| panic!("{command:?} never said `{needle}`"));
        // A full pipe would stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        (group, line)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// `gradus up` with the course, and a browser.
struct Tour {
    dir: TempDir,
    address: String,
    driver_address: String,
    browser: Client,
    _server: Group,
    _driver: Group,
}

/// What a page is looked at on.
#[derive(Clone, Copy)]
enum Screen {
    Desk,
    /// 390 pixels wide: a window cannot be as small, a device can.
    Phone,
}

/// Opens a browser.
async fn session(driver: &str, profile: &Path, screen: Screen) -> Client {
    let mut options = json!({"args": [
        "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--window-size=1280,1000",
        // Clicks must not chase a page that scrolls smoothly.
        "--force-prefers-reduced-motion",
        format!("--user-data-dir={}", profile.display()),
    ]});
    if let Screen::Phone = screen {
        options["mobileEmulation"] = json!({"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 1.0}});
    }
    let capabilities = json!({"goog:chromeOptions": options});
    ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities.as_object().expect("a map").clone())
        .connect(driver)
        .await
        .expect("a browser session")
}

impl Tour {
    async fn begin() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (path, text) in COURSE {
            write(&dir.path().join("tour").join(path), text);
        }
        let mut up = Command::new(env!("CARGO_BIN_EXE_gradus"));
        up.args(["up", "--listen", "127.0.0.1:0", "--learner", "ada", "--course"]).arg(dir.path().join("tour"));
        up.args(["--push-waits", "120", "--data"]).arg(dir.path().join("data"));
        let (server, line) = Group::start(&mut up, "listening http://");
        let address = line.trim_start_matches("listening ").trim().trim_end_matches('/').to_owned();

        let (driver, line) = Group::start(Command::new("chromedriver").arg("--port=0"), "started successfully on port");
        let port = line.trim_end_matches('.').rsplit(' ').next().expect("a port").to_owned();
        let driver_address = format!("http://127.0.0.1:{port}");
        let browser = session(&driver_address, &dir.path().join("profile"), Screen::Desk).await;
        Self { dir, address, driver_address, browser, _server: server, _driver: driver }
    }

    async fn end(self) {
        self.browser.close().await.expect("the browser closes");
    }

    fn clone_of(&self, name: &str) -> Clone {
        let dir = self.dir.path().join(name);
        run(git(self.dir.path()).args(["clone", "-q", &format!("{}/git/ada/tour.git", self.address)]).arg(&dir));
        Clone(dir)
    }

    async fn open(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.address)).await.expect("the page opens");
    }

    /// Waits until an element says a text.
    async fn see(&self, css: &str, text: &str) {
        let mut last = String::new();
        let end = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < end {
            if let Ok(element) = self.browser.find(Locator::Css(css)).await {
                last = element.text().await.unwrap_or_default();
                if last.contains(text) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("`{css}` does not say `{text}` but: {last}");
    }

    async fn text(&self, css: &str) -> String {
        self.browser.find(Locator::Css(css)).await.expect(css).text().await.expect("its text")
    }

    async fn script(&self, script: &str) -> serde_json::Value {
        self.browser.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Types a comment and sends the form.
    async fn say(&self, text: &str) {
        self.browser.find(Locator::Css("#body")).await.expect("a box").send_keys(text).await.expect("it takes text");
        self.browser.find(Locator::Css("form.compose button")).await.expect("a button").click().await.expect("a click");
    }
}

/// A learner's clone.
struct Clone(PathBuf);

impl Clone {
    fn write(&self, path: &str, text: &str) {
        write(&self.0.join(path), text);
    }

    /// Commits everything, pushes the branch, and what the push printed.
    fn push(&self, branch: &str) -> String {
        run(git(&self.0).args(["switch", "-q", "-C", branch]));
        run(git(&self.0).args(["add", "-A"]));
        run(git(&self.0).args(["commit", "-q", "--allow-empty", "-m", "Work"]));
        run(git(&self.0).args(["push", "-q", "--force", "origin", branch]))
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn git(dir: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]);
    git
}

/// Standard output and error of a command that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("git is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// The path of the page that a push named.
fn page_of(pushed: &str) -> String {
    let at = pushed.rfind("/pulls/").unwrap_or_else(|| panic!("no page in: {pushed}"));
    let number: String = pushed[at + 7..].chars().take_while(char::is_ascii_digit).collect();
    format!("/pulls/{number}")
}

const HALF: &str = "kind: Deployment\nmetadata:\n  name: web\nspec:\n  image: web:1.2\n  replicas: 2\n";
const RIGHT: &str = "kind: Deployment\nmetadata:\n  name: web\nspec:\n  image: web:1.2\n  replicas: 3\n";

#[tokio::test]
async fn half_right_then_right() {
    let tour = Tour::begin().await;
    let clone = tour.clone_of("half");

    tour.open("/").await;
    tour.see("main", "A tour").await;
    tour.open("/courses/tour/tasks/scale").await;
    tour.see("h1", "Scale the web").await;
    tour.see("article", "three replicas").await;

    clone.write("tasks/scale/deploy/web.yaml", HALF);
    let pushed = clone.push("scale");
    assert!(pushed.contains("Not yet: 2 of 5 points"), "{pushed}");
    assert!(pushed.contains("tasks/scale/deploy/web.yaml:6"), "{pushed}");

    tour.open(&page_of(&pushed)).await;
    tour.see("#status", "Not yet: 2 of 5 points, 1 checkpoint to fix").await;
    tour.see("#review article", "Hint 1 of 2: Look at the number of replicas.").await;
    // The comment stands below the line that is wrong, and only there.
    let line = tour.text("tr.marked").await;
    assert!(line.contains("replicas: 2"), "{line}");
    tour.see("tr.marked + tr.on-line", "replicas").await;

    tour.say("/hint replicas").await;
    tour.see("#comments", "The number is three.").await;

    // The page stays open: the next review comes to it, and what is being typed stays.
    tour.browser.find(Locator::Css("#body")).await.unwrap().send_keys("thinking").await.unwrap();
    clone.write("tasks/scale/deploy/web.yaml", RIGHT);
    let pushed = clone.push("scale");
    assert!(pushed.contains("Passed: 5 of 5 points"), "{pushed}");
    tour.see("#status", "Passed: 5 of 5 points").await;
    tour.see("#review article", "A version says what runs.").await;
    assert_eq!(tour.script("return document.getElementById('body').value").await, json!("thinking"));
    let older = tour.browser.find_all(Locator::Css("#review details.older")).await.unwrap();
    assert_eq!(older.len(), 1);

    tour.open("/courses/tour").await;
    tour.see("main", "1 of 1 task passed").await;

    // On a phone nothing sticks out.
    let phone = session(&tour.driver_address, &tour.dir.path().join("phone"), Screen::Phone).await;
    for page in ["/", "/courses/tour", "/courses/tour/tasks/scale", "/pulls", &page_of(&pushed)] {
        phone.goto(&format!("{}{page}", tour.address)).await.unwrap();
        let widths = "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]";
        assert_eq!(phone.execute(widths, Vec::new()).await.unwrap(), json!([390, 390]), "{page}");
    }
    phone.close().await.unwrap();
    tour.end().await;
}

#[tokio::test]
async fn hostile_text_is_only_text() {
    const BAD: &str = "</td></table><script>window.harm=1</script><img src=x onerror=\"window.harm=1\">";
    let tour = Tour::begin().await;
    let clone = tour.clone_of("hostile");
    clone.write(
        "tasks/scale/deploy/web.yaml",
        &format!(
            "# {BAD}\nkind: Deployment\nmetadata:\n  name: '{BAD}'\nspec:\n  image: '{BAD}'\n  replicas: '{BAD}'\n"
        ),
    );
    clone.write("tasks/scale/deploy/<img src=x onerror=window.harm=1>.yaml", "kind: Deployment\n");
    let pushed = clone.push("hostile");
    assert!(pushed.contains("Not yet"), "{pushed}");

    tour.open(&page_of(&pushed)).await;
    tour.see("#status", "Not yet").await;
    tour.say(BAD).await;
    tour.see("#comments", "<script>window.harm=1</script>").await;
    for page in ["/", "/pulls", "/courses/tour/tasks/scale", &page_of(&pushed)] {
        tour.open(page).await;
        assert_eq!(tour.script("return window.harm ?? null").await, json!(null), "{page}");
        assert_eq!(tour.script("return document.images.length").await, json!(0), "{page}");
        let foreign = "return [...document.scripts].filter(s => !s.src.endsWith('/assets/live.js')).length";
        assert_eq!(tour.script(foreign).await, json!(0), "{page}");
        assert_eq!(tour.script("return document.querySelectorAll('body > *').length").await, json!(4), "{page}");
    }
    tour.end().await;
}

#[tokio::test]
async fn lost_is_told_the_way() {
    let tour = Tour::begin().await;
    let clone = tour.clone_of("lost");
    clone.write("task/scale/deploy/web.yaml", RIGHT);
    let pushed = clone.push("lost");
    assert!(pushed.contains("Nothing to grade"), "{pushed}");

    tour.open(&page_of(&pushed)).await;
    tour.see("#review article", "Nothing to grade yet.").await;
    tour.see("#review article", "task/scale/deploy/web.yaml").await;
    tour.see("#review article", "git mv").await;

    tour.open("/pulls/99").await;
    tour.see("main", "no such pull request").await;
    tour.end().await;
}
