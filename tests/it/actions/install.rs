//! `.github/actions/grade/install`: a release is run only when its checksum is right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use axum::Router;
use axum::extract::Path as At;
use axum::http::StatusCode;
use axum::routing::get;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.github/actions/grade/install");

const TARGET: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// Releases on loopback: v1.0.0 is whole, v1.0.1 was tampered with after its checksum was made.
fn releases() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
                axum::serve(listener, Router::new().route("/{version}/{file}", get(file))).await.unwrap();
            });
        });
        told.recv().unwrap()
    })
}

async fn file(At((version, file)): At<(String, String)>) -> Result<Vec<u8>, StatusCode> {
    if version != "v1.0.0" && version != "v1.0.1" {
        return Err(StatusCode::NOT_FOUND);
    }
    let name = format!("gradus-{version}-{TARGET}");
    let archive = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(&name)).unwrap();
        let program = dir.path().join(&name).join("gradus");
        fs::write(&program, format!("#!/bin/sh\necho {text}\n")).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
        let fixed = ["--mtime=@0", "--owner=0", "--group=0", "-C"];
        let tar = Command::new("tar").arg("-c").args(fixed).arg(dir.path()).arg(&name).output().unwrap();
        gzip(&tar.stdout)
    };
    if file == format!("{name}.tar.gz") {
        return Ok(archive(if version == "v1.0.1" { "tampered" } else { "right" }));
    }
    let sum = format!("{}  somewhere/else.tar.gz\n", sha256(&archive("right")));
    if file == format!("{name}.tar.gz.sha256") { Ok(sum.into_bytes()) } else { Err(StatusCode::NOT_FOUND) }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// Runs the script; what it says and the program that it names.
fn install(room: &Path, inputs: &[(&str, &str)]) -> (Output, Option<PathBuf>) {
    let output = room.join("output");
    let mut command = Command::new("bash");
    command.arg(SCRIPT).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for empty in ["GRADUS_PATH", "VERSION", "SHA256"] {
        command.env(empty, "");
    }
    command.env("RELEASES", releases()).env("ROOM", room).env("GITHUB_OUTPUT", &output);
    let done = command.envs(inputs.iter().copied()).output().unwrap();
    let named = fs::read_to_string(output).unwrap_or_default();
    (done, named.trim_end().strip_prefix("gradus=").map(PathBuf::from))
}

#[test]
fn a_release_is_run_only_when_its_checksum_is_right() {
    let room = tempfile::tempdir().unwrap();
    let (done, program) = install(room.path(), &[("VERSION", "v1.0.0")]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(Command::new(program.unwrap()).output().unwrap().stdout, b"right\n");

    for inputs in [
        &[("VERSION", "v1.0.1")][..],
        &[("VERSION", "v1.0.0"), ("SHA256", "0000000000000000000000000000000000000000000000000000000000000000")],
        &[("VERSION", "v1.0.0"), ("SHA256", "none")],
    ] {
        let room = tempfile::tempdir().unwrap();
        let (done, program) = install(room.path(), inputs);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(said.starts_with("::error") && said.contains("checksum"), "{inputs:?}: {done:?}");
        assert_eq!((done.status.code(), program), (Some(2), None));
        assert_eq!(fs::read_dir(room.path()).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count(), 0);
    }
}

#[test]
fn what_cannot_be_installed_says_what_to_do() {
    for (inputs, remedy) in [
        (&[][..], "name a release"),
        (&[("VERSION", "latest")][..], "name a release"),
        (&[("VERSION", "v1.0.0/../../x")][..], "name a release"),
        (&[("VERSION", "v9.9.9")][..], "cannot download"),
        (&[("GRADUS_PATH", "/no/such/program")][..], "the input path"),
        (&[("VERSION", "v1.0.0"), ("RELEASES", "http://example.org")][..], "no https address"),
    ] {
        let room = tempfile::tempdir().unwrap();
        let (done, program) = install(room.path(), inputs);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(said.starts_with("::error") && said.contains(remedy), "{inputs:?}: {done:?}");
        assert_eq!((done.status.code(), program), (Some(2), None), "{inputs:?}");
    }
}

#[test]
fn a_program_that_is_there_is_taken_as_it_is() {
    let room = tempfile::tempdir().unwrap();
    let (done, program) = install(room.path(), &[("GRADUS_PATH", env!("CARGO_BIN_EXE_gradus"))]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(program.unwrap(), Path::new(env!("CARGO_BIN_EXE_gradus")).canonicalize().unwrap());
}
