//! Free ports on loopback.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::process::TICK;

/// Below the range that systems take ports of outgoing connections from: between our look and the start of a part seconds
/// pass, in which any connection of anybody could take a port of that range.
const FIRST: u16 = 12_000;
const LAST: u16 = 31_999;

/// How long a port may still be held by somebody who was ended a moment ago.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often what needs ports is started when somebody took those that were free a moment ago.
const TRIES: usize = 3;

/// Starts again, with other ports, when one was taken between our look and the start of whoever listens on it.
pub fn until_ours<T, E>(taken: impl Fn(&E) -> bool, mut start: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match start() {
            Err(error) if taken(&error) && tries > 0 => {}
            result => return result,
        }
    }
}

/// Whether nobody listens on a port, or nobody does any more within a moment.
pub fn is_free(port: u16) -> bool {
    is_free_within(port, PATIENCE)
}

fn is_free_within(port: u16, patience: Duration) -> bool {
    let begun = Instant::now();
    loop {
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return true;
        }
        if begun.elapsed() > patience {
            return false;
        }
        std::thread::sleep(TICK);
    }
}

/// Finds `N` ports that nobody listens on, from a random place on so that two stacks do not look at the same ones.
pub fn free<const N: usize>() -> io::Result<[u16; N]> {
    from(RandomState::new().build_hasher().finish())
}

fn from<const N: usize>(start: u64) -> io::Result<[u16; N]> {
    let span = u64::from(LAST - FIRST) + 1;
    // Held until all are found: each is a different one.
    let mut held = Vec::with_capacity(N);
    for offset in 0..span {
        let port = FIRST + u16::try_from((start % span + offset) % span).unwrap_or_default();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
        if held.len() == N {
            return Ok(std::array::from_fn(|index| held[index].0));
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no {N} free ports between {FIRST} and {LAST} on 127.0.0.1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_repeated_a_few_times_and_only_where_other_ports_may_help() {
        let starts = |ends: &mut dyn FnMut(usize) -> Result<(), &'static str>| {
            let mut starts = 0;
            let ended = until_ours(
                |error| *error == "taken",
                || {
                    starts += 1;
                    ends(starts)
                },
            );
            (starts, ended)
        };
        assert_eq!(starts(&mut |start| if start < 2 { Err("taken") } else { Ok(()) }), (2, Ok(())));
        assert_eq!(starts(&mut |_| Err("taken")), (TRIES, Err("taken")));
        assert_eq!(starts(&mut |_| Err("on fire")), (1, Err("on fire")));
    }

    #[test]
    fn ports_are_free_and_different() {
        let mut ports = free::<20>().unwrap();
        // Anybody may take one in between, but not most of them.
        let free = ports.iter().filter(|port| TcpListener::bind(("127.0.0.1", **port)).is_ok()).count();
        assert!(free > 15, "{free} of 20");
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_port_is_free_when_whoever_had_it_is_gone_within_a_moment() {
        let (held, taken) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let (soon, never) = (port(&held), port(&taken));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(TICK * 2);
                drop(held);
            });
            assert!(is_free_within(soon, Duration::from_secs(20)));
            assert!(!is_free_within(never, TICK * 4));
        });
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over_and_after_the_last_comes_the_first() {
        let [taken, _] = from::<2>(1234).unwrap();
        let _taken = TcpListener::bind(("127.0.0.1", taken)).unwrap();
        assert!(!from::<2>(1234).unwrap().contains(&taken));
        assert!(from::<40>(u64::from(LAST - FIRST)).unwrap().iter().any(|port| *port < FIRST + 100));
    }
}
