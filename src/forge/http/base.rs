//! The address of a forge's API: where a token may go, and nowhere else.

use std::fmt;

use url::Url;

/// Whether an address without TLS is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plain {
    /// Only on loopback: nobody else reads the token there.
    #[default]
    Loopback,
    /// Anywhere: the operator said so.
    Anywhere,
}

/// The base address of an API, as in `https://api.github.com` or `https://git.example.org/api/v1`.
#[derive(Clone, PartialEq, Eq)]
pub struct Base(Url);

/// The text is not an address that requests may go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBase {
    /// Not an address at all.
    #[error("`{0}` is not the address of a server: write it as in `https://git.example.org`")]
    NotAnAddress(String),
    /// A token would cross the network readable.
    #[error(
        "`{0}` has no TLS, so that everybody on the way could read the token: use `https://`, or allow plain HTTP for this \
         server in the configuration"
    )]
    Plain(String),
    /// They would stand in errors and logs.
    #[error("the address of a server has no user and password: leave them away")]
    Credentials,
    /// What a base address must not have.
    #[error("the address of a server has no {0}: leave it away")]
    Extra(&'static str),
}

impl Base {
    /// Reads an address.
    pub fn parse(text: &str, plain: Plain) -> Result<Self, InvalidBase> {
        let not = || InvalidBase::NotAnAddress(text.to_owned());
        let mut url: Url = text.parse().map_err(|_| not())?;
        // Before anything that names the address: it might be shown.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBase::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBase::Extra("`?` or `#`"));
        }
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(not()),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback || plain == Plain::Anywhere => {}
            "http" => return Err(InvalidBase::Plain(text.to_owned())),
            _ => return Err(not()),
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of something below it. Each segment is escaped, so that none can leave its place.
    pub fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // `https` and `http` addresses always have a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments.iter().map(|segment| match *segment {
                // The parser would leave these away, and the request would be about what is above: nothing is called so.
                "." => "%2E",
                ".." => "%2E%2E",
                other => other,
            }));
        }
        url
    }

    /// Something below it as a base of its own.
    pub fn below(&self, segments: &[&str]) -> Self {
        Self(self.at(segments))
    }

    /// Whether a token may be sent there: the same scheme, host and port, and below this base.
    pub fn covers(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.0.path().trim_end_matches('/'));
        url.origin() == self.0.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && below.is_some_and(|rest| rest.starts_with('/'))
    }

    /// The host, with its port where it is not the usual one.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address itself.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Base {
        Base::parse(text, Plain::Loopback).unwrap()
    }

    #[test]
    fn a_token_crosses_no_network_readable_unless_the_operator_said_so() {
        for good in ["https://api.github.com", "http://127.0.0.1:3000/api/v1", "http://[::1]:1", "http://localhost/"] {
            assert!(Base::parse(good, Plain::Loopback).is_ok(), "{good}");
        }
        let plain = "http://git.example.org";
        assert_eq!(Base::parse(plain, Plain::Loopback), Err(InvalidBase::Plain(plain.to_owned())));
        assert!(Base::parse(plain, Plain::Anywhere).is_ok());
        for bad in ["git.example.org", "ftp://x", "https://", "https://a?b", "https://a#b", "file:///etc"] {
            assert!(Base::parse(bad, Plain::Anywhere).is_err(), "{bad}");
        }
        let error = Base::parse("https://me:hunter2@a", Plain::Anywhere).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn what_is_asked_stays_below_the_base() {
        let base = base("https://git.example.org/api/v1/");
        assert_eq!(base.to_string(), "https://git.example.org/api/v1");
        assert_eq!(base.at(&["repos", "a/b", "c?d"]).as_str(), "https://git.example.org/api/v1/repos/a%2Fb/c%3Fd");
        for hostile in ["..", ".", "../..", "%2e%2e", ""] {
            assert!(base.covers(&base.at(&["repos", hostile, "x"])), "{hostile}");
        }
    }

    #[test]
    fn a_link_to_elsewhere_is_not_covered() {
        let base = base("https://git.example.org/api/v1");
        let covers = |text: &str| base.covers(&text.parse().unwrap());
        assert!(covers("https://git.example.org/api/v1/repos?page=2"));
        assert!(covers("https://git.example.org:443/api/v1/repos"));
        for other in [
            "http://git.example.org/api/v1/repos",
            "https://git.example.org:444/api/v1/repos",
            "https://git.example.org.evil.test/api/v1/repos",
            "https://git.example.org@evil.test/api/v1/repos",
            "https://me@git.example.org/api/v1/repos",
            "https://git.example.org/api/v10/repos",
            "https://git.example.org/other",
        ] {
            assert!(!covers(other), "{other}");
        }
    }
}
