//! The real parts, one set for all tests of the program: `gradus stack`, ended when the program ends, however it does.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Ends the stack when standard input ends, which it does however the test program ends. `down` is refused while `up` is
/// still under way.
const KEEPER: &str = r#"
while read -r _; do :; done
until "$1" stack down --name "$2" --data "$3" >/dev/null 2>&1; do sleep 1; done
rm -rf "$3"
"#;

/// A running stack.
pub struct Stack {
    dir: PathBuf,
    state: Value,
    _keeper: Option<Child>,
}

impl Stack {
    /// The one of this program. `GRADUS_LIVE_STACK` names the directory of one that runs already, for whoever works on
    /// these tests.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Stack> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var_os("GRADUS_LIVE_STACK") {
            Some(dir) => Self::at(dir.into(), None),
            None => Self::start(),
        })
    }

    fn start() -> Self {
        // Sockets below it have short names only.
        let data = tempfile::Builder::new().prefix("gradus-live-").tempdir_in("/tmp").unwrap().keep();
        let gradus = env!("CARGO_BIN_EXE_gradus");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", gradus, "it"])
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for verb in ["build", "up"] {
            let mut command = Command::new(gradus);
            command.args(["stack", verb]);
            if verb == "up" {
                command.args(["--name", "it", "--data"]).arg(&data);
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "gradus stack {verb}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Self::at(data.join("it"), Some(keeper))
    }

    fn at(dir: PathBuf, keeper: Option<Child>) -> Self {
        let state = std::fs::read(dir.join("state.json")).unwrap();
        Self { state: serde_json::from_slice(&state).unwrap(), dir, _keeper: keeper }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// As in `127.0.0.1:4711`.
    pub fn gitea(&self) -> String {
        self.address("gitea").trim_start_matches("http://").to_owned()
    }

    /// Of the administrator `gradus`.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.dir.join("gitea/token")).unwrap().trim().to_owned()
    }

    pub fn redis_password(&self) -> String {
        std::fs::read_to_string(self.dir.join("argocd/redis/auth")).unwrap().trim().to_owned()
    }

    pub fn address(&self, part: &str) -> String {
        self.part(part)["address"].as_str().unwrap().to_owned()
    }

    fn part(&self, part: &str) -> &Value {
        self.state["parts"].as_array().unwrap().iter().find(|one| one["part"] == part).unwrap()
    }

    /// Kills a part, as a machine that fails would.
    pub fn kill(&self, part: &str) -> Killed {
        let pid = self.running(part);
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
        let words = |bytes: Vec<u8>| {
            let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            words.map(|word| String::from_utf8(word.to_vec()).unwrap()).collect::<Vec<_>>()
        };
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        let dir = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
        let mut killed = Killed { program, dir, args: words(read("cmdline")), env: words(read("environ")) };
        if part == "redis" {
            // It shows what it does instead of how it was started, and is several programs by its name.
            let config = self.dir.join("redis.conf").to_string_lossy().into_owned();
            (killed.program, killed.args) = ("redis-server".into(), vec!["redis-server".into(), config]);
        }
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
        while Path::new(&format!("/proc/{pid}/exe")).exists() && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok()
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        killed
    }

    /// The process of a part; one that was started again by [`Killed::restart`] is noted in a file.
    fn running(&self, part: &str) -> u32 {
        let noted = std::fs::read_to_string(self.dir.join(format!("restarted-{part}"))).ok();
        noted
            .and_then(|pid| pid.trim().parse().ok())
            .unwrap_or_else(|| self.part(part)["process"]["pid"].as_u64().unwrap() as u32)
    }

    /// Starts it again, exactly as it was, and waits until it listens.
    pub fn restart(&self, part: &str, killed: Killed) {
        let log = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.dir.join(format!("logs/{part}.again")))
            .unwrap();
        let mut command = Command::new(&killed.program);
        command.args(&killed.args[1..]).current_dir(&killed.dir).env_clear().stdin(Stdio::null());
        command.envs(killed.env.iter().filter_map(|pair| pair.split_once('=')));
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        std::fs::write(self.dir.join(format!("restarted-{part}")), child.id().to_string()).unwrap();
        // Somebody has to wait for it when it ends.
        std::thread::spawn(move || {
            let mut child = child;
            child.wait()
        });
        let address = self.address(part);
        let authority = address.trim_start_matches("http://").trim_start_matches("https://").split('/').next().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(authority).is_err() {
            let log = || std::fs::read_to_string(self.dir.join(format!("logs/{part}.again"))).unwrap();
            assert!(Instant::now() < deadline, "{part} does not come back: {}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A part that was killed: how it had been started.
pub struct Killed {
    program: PathBuf,
    dir: PathBuf,
    args: Vec<String>,
    env: Vec<String>,
}
