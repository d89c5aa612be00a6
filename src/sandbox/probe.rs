//! Tries what must not be possible behind the walls. The daemon asks a child to do so before it grades anything.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::process::Command;

/// What could be done from here, in words; empty behind walls that hold. Everything tried is harmless where it works.
pub fn holes() -> Vec<String> {
    let mut holes = Vec::new();
    let mut expect_denied = |what: &str, result: Result<(), std::io::Error>| match result {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
        // With no descriptor left nothing can be opened either, but then something else is wrong: say it.
        Err(error) => holes.push(format!("{what} is not denied, it only failed: {error}")),
        Ok(()) => holes.push(format!("{what} works")),
    };
    expect_denied("opening /etc/passwd", std::fs::File::open("/etc/passwd").map(drop));
    expect_denied("listing /", std::fs::read_dir("/").map(drop));
    expect_denied("asking whether a file exists", std::fs::metadata("/etc/passwd").map(drop));
    expect_denied("changing the directory", std::env::set_current_dir("/"));
    // Port 9 (discard): where the network is to be had, the answer is a refusal by that machine, not by the kernel.
    expect_denied("connecting to loopback", TcpStream::connect((Ipv4Addr::LOCALHOST, 9)).map(drop));
    expect_denied("opening a UDP socket", UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop));
    expect_denied("starting a program", Command::new("/bin/true").env_clear().status().map(drop));
    let signal = rustix::process::test_kill_process(rustix::process::Pid::INIT);
    expect_denied("signalling another process", signal.map_err(Into::into));
    let variables = std::env::vars_os().count();
    if variables > 0 {
        holes.push(format!("{variables} environment variables can be read"));
    }
    holes
}

#[cfg(test)]
mod tests {
    /// The control of the tests in `tests/it/sandbox.rs`: what a confined child cannot do is possible without walls.
    #[test]
    fn without_walls_the_probe_finds_holes() {
        let holes = super::holes().join("\n");
        for what in ["/etc/passwd works", "listing /", "loopback", "starting a program", "environment variables"] {
            assert!(holes.contains(what), "{what} not in:\n{holes}");
        }
    }
}
