//! `--address NAME=URL`: a server that tasks may ask about environments.

use std::str::FromStr;

use crate::config::check::is_label;
use crate::environment::address::Server;
use crate::forge::http::base::{Base, Plain};

/// A server under the name that tasks call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub name: String,
    pub server: Server,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write a name and an address, as in `prometheus=http://127.0.0.1:9090`";
        let (name, url) = text.split_once('=').ok_or(example)?;
        if !is_label(name) {
            return Err(format!("`{name}` is no name of a server: letters a to z, digits and `-`"));
        }
        // Nothing secret goes there.
        let base = Base::parse(url, Plain::Anywhere).map_err(|error| format!("{error}: {example}"))?;
        Ok(Self { name: name.to_owned(), server: Server { base, token: None } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_and_nothing_else() {
        let named: Named = "prometheus=http://127.0.0.1:9090/p".parse().unwrap();
        assert_eq!(
            (named.name, named.server.base.to_string()),
            ("prometheus".into(), "http://127.0.0.1:9090/p".into())
        );
        for (text, says) in [
            ("http://127.0.0.1:9090", "`prometheus=http://127.0.0.1:9090`"),
            ("A=http://127.0.0.1:9090", "no name of a server"),
            ("a=127.0.0.1:9090", "as in `prometheus="),
            ("a=ftp://127.0.0.1", "as in `prometheus="),
        ] {
            let error = text.parse::<Named>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
