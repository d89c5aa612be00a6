//! An address to listen on, as somebody writes it.

use std::net::SocketAddr;

/// An address in numbers, or this machine by its name, which is not looked up: it is loopback everywhere (RFC 6761).
///
/// # Errors
/// It is neither: what to write instead, with `example`, which has a port.
pub fn address(text: &str, example: SocketAddr) -> Result<SocketAddr, String> {
    let numbers = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numbers.as_deref().unwrap_or(text).parse().map_err(|_| {
        format!("give an address in numbers and a port, as in `{example}`, or `127.0.0.1:0` for any free port")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_numbers_or_this_machine_and_examples_that_work_are_shown() {
        let example = SocketAddr::from(([127, 0, 0, 1], 7421));
        assert_eq!(address("localhost:0", example), Ok(SocketAddr::from(([127, 0, 0, 1], 0))));
        assert_eq!(address("[::1]:80", example).unwrap().port(), 80);
        for wrong in ["localhost", "7421", "127.0.0.1", "example.org:80", "localhost:http", "localhost.example.org:80"]
        {
            let told = address(wrong, example).unwrap_err();
            let shown: Vec<SocketAddr> = told.split('`').filter_map(|word| word.parse().ok()).collect();
            assert_eq!(shown, [example, SocketAddr::from(([127, 0, 0, 1], 0))], "{told}");
        }
    }
}
