//! A data directory for stacks, ended with all that is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use gradus::stack::{Endpoints, State};
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gradus");

/// Ends the stack when standard input ends, which it does however the test program ends. `down` is refused while `up` is
/// still under way.
const KEEPER: &str = r#"
while read -r _; do :; done
until "$1" stack down --data "$2" >/dev/null 2>&1; do sleep 1; done
rm -rf "$2"
"#;

/// A place for stacks.
pub struct Machine {
    /// As links resolve.
    pub data: PathBuf,
    /// What the first `up` said.
    pub greeting: String,
    keep: Keep,
}

enum Keep {
    /// The stack of all tests, which nobody drops.
    Keeper(#[expect(dead_code, reason = "held open while we live")] Child),
    Dir(TempDir),
}

/// How a command ended and all that it said.
pub struct Said {
    pub code: i32,
    pub text: String,
}

/// The one that is up with every part, started by whoever asks first.
pub fn shared() -> &'static Machine {
    static SHARED: OnceLock<Machine> = OnceLock::new();
    SHARED.get_or_init(|| {
        let data = directory().keep();
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", PROGRAM])
            .arg(&data)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut machine = Machine { data, greeting: String::new(), keep: Keep::Keeper(keeper) };
        let up = machine.gradus(&["up"]);
        assert_eq!(up.code, 0, "{}", up.text);
        machine.greeting = up.text;
        machine
    })
}

/// Below the system's directory for such things, whatever `TMPDIR` says: sockets have short names.
fn directory() -> TempDir {
    tempfile::Builder::new().prefix("gradus-stack-").tempdir_in("/tmp").unwrap()
}

impl Machine {
    /// With nothing on it.
    pub fn new() -> Self {
        let dir = directory();
        Self { data: dir.path().canonicalize().unwrap(), greeting: String::new(), keep: Keep::Dir(dir) }
    }

    /// The directory of the stack that has no name of its own.
    pub fn dir(&self) -> PathBuf {
        self.data.join("default")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("stack").args(args).arg("--data").arg(&self.data).env_remove("GRADUS_STACK_NAME");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `gradus stack` on the stacks here.
    pub fn gradus(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// The same with other variables.
    pub fn gradus_with(&self, args: &[&str], env: &[(&str, &Path)]) -> Said {
        said(self.command(args).envs(env.iter().copied()))
    }

    /// For a verb that wants no directory.
    pub fn gradus_as_is(&self, args: &[&str], env: &[(&str, &Path)]) -> Said {
        said(Command::new(PROGRAM).arg("stack").args(args).envs(env.iter().copied()))
    }

    pub fn state(&self) -> State {
        State::read(&self.dir()).unwrap().expect("a state is noted")
    }

    pub fn endpoints(&self) -> Endpoints {
        self.state().endpoints
    }

    /// Runs the stack's kubectl.
    pub fn kubectl(&self, args: &[&str]) -> Said {
        said(&mut self.kubectl_command(args))
    }

    fn kubectl_command(&self, args: &[&str]) -> Command {
        let Endpoints { kubectl, kubeconfig, .. } = self.endpoints();
        let mut command = Command::new(kubectl);
        command.args(args).env("KUBECONFIG", kubeconfig).env("HOME", self.dir().join("tmp"));
        command
    }

    /// An object of the cluster.
    pub fn get(&self, args: &[&str]) -> Option<Value> {
        let output = self.kubectl_command(&[&["get", "--output=json"], args].concat()).output().unwrap();
        // Not what it warns of besides.
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// What runs and belongs to a stack here, found without its state.
    pub fn processes(&self) -> Vec<String> {
        let mark = format!("GRADUS_STACK={}/", self.data.display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            if read("environ").split('\0').any(|variable| variable.starts_with(&mark)) {
                found.push(read("comm").trim().to_owned());
            }
        }
        found
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Of a test that failed.
        if let Keep::Dir(dir) = &self.keep {
            for name in fs::read_dir(dir.path()).into_iter().flatten().flatten().map(|entry| entry.file_name()) {
                if let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) {
                    self.gradus(&["down", "--name", name]);
                }
            }
        }
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Said { code: output.status.code().unwrap_or(-1), text: String::from_utf8(text).unwrap() }
}
