//! Real programs that tests run beside them: built here, and ended with all that is theirs when the test program ends, however
//! it does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a program until it or standard input ends, and removes its directory.
const KEEPER: &str = r#"
dir=$1
shift
exec 3<&0
"$@" >"$dir/log" 2>&1 </dev/null 3<&- &
program=$!
{ while read -r _ <&3; do :; done; kill -9 $program 2>/dev/null; } &
reader=$!
wait $program
kill $reader 2>/dev/null
rm -rf "$dir"
"#;

/// What runs a program as long as the child that it becomes is held; `dir` goes with it, and has its `log`.
pub fn command<A: AsRef<OsStr>>(dir: &Path, program: &Path, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "keeper"]).arg(dir).arg(program).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The directory of a part that is built here, unless it was before.
pub fn built(component: &str) -> PathBuf {
    let build = format!("{}/environments/components/{component}/build", env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(build).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "{component} cannot be built: see above");
    PathBuf::from(String::from_utf8(built.stdout).unwrap().trim_end())
}
