//! `--address NAME=URL`: a server that tasks may ask about environments.

use std::str::FromStr;

use crate::course::id::{InvalidId, ServerName};
use crate::environment::address::Server;
use crate::forge::http::base::{Base, Plain};

/// A server under the name that tasks call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub name: ServerName,
    pub server: Server,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write a name and an address, as in `prometheus=http://127.0.0.1:9090`";
        let (name, url) = text.split_once('=').ok_or(example)?;
        let name = name.parse().map_err(|error: InvalidId| error.to_string())?;
        // Nothing secret goes there.
        let base = Base::parse(url, Plain::Anywhere).map_err(|error| format!("{error}: {example}"))?;
        Ok(Self { name, server: Server { base, token: None } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_and_nothing_else() {
        let named: Named = "prometheus=http://127.0.0.1:9090/p".parse().unwrap();
        assert_eq!(
            (named.name.as_str(), named.server.base.to_string()),
            ("prometheus", "http://127.0.0.1:9090/p".into())
        );
        for (text, says) in [
            ("http://127.0.0.1:9090", "`prometheus=http://127.0.0.1:9090`"),
            ("A=http://127.0.0.1:9090", "`A` is not an identifier: use"),
            ("a=127.0.0.1:9090", "as in `prometheus="),
            ("a=ftp://127.0.0.1", "as in `prometheus="),
        ] {
            let error = text.parse::<Named>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
