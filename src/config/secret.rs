//! Secrets: where they are kept, and values that never show.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Most bytes of a secret that are read: a private key of 4096 bits has 3,300.
const MAX_SECRET: u64 = 64 << 10;

/// A secret. It has no `Display` and cannot be serialised; its `Debug` tells nothing, not even the length.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps this text secret from now on.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends or computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

/// Where a secret is kept. It never stands in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretSource {
    /// In a file, which is read again when it changes. Relative to the configuration file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "the file {}", path.display()),
            SecretSource::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// A secret cannot be had. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The variable is not set, or is not UTF-8.
    #[error("the environment variable {0} is not set: set it, or keep the secret in a file (`{{file: PATH}}`)")]
    NotSet(String),
    /// There is nothing in it.
    #[error("the secret in {0} is empty")]
    Empty(SecretSource),
    /// It is something else.
    #[error("{0} holds no secret: it must be UTF-8 text of at most {MAX_SECRET} bytes, without NUL")]
    NotText(SecretSource),
}

/// Looks environment variables up; tests bring their own.
pub type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

/// Reads a secret; the line end that editors and `echo` leave is cut off.
pub fn read(source: &SecretSource, env: Env<'_>) -> Result<Secret, SecretError> {
    let not_text = || SecretError::NotText(source.clone());
    let text = match source {
        SecretSource::Env(name) => env(name).ok_or_else(|| SecretError::NotSet(name.clone()))?,
        SecretSource::File(path) => {
            let failed = |source| SecretError::File { path: path.clone(), source };
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path).map_err(failed)?;
            file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(failed)?;
            if bytes.len() as u64 > MAX_SECRET {
                return Err(not_text());
            }
            String::from_utf8(bytes).map_err(|_| not_text())?
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(SecretError::Empty(source.clone()));
    }
    if text.contains('\0') {
        return Err(not_text());
    }
    Ok(Secret::new(text))
}

/// Whether everybody on this machine may read a file.
pub fn open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// All secrets of a configuration, by where they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub(super) BTreeMap<SecretSource, Secret>);

impl Secrets {
    /// The secret that is kept there; a configuration is loaded with all that it names.
    pub fn get(&self, source: &SecretSource) -> Option<&Secret> {
        self.0.get(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_secret_never_shows() {
        let secret = Secret::new("canary-7f3a");
        let secrets = Secrets(BTreeMap::from([(SecretSource::Env("TOKEN".into()), secret.clone())]));
        for shown in [format!("{secret:?}"), format!("{secret:#?}"), format!("{secrets:?}")] {
            assert!(!shown.contains("canary") && shown.contains("[secret]"), "{shown}");
        }
        assert_eq!(secret.expose(), "canary-7f3a");
        assert!(secret == Secret::new("canary-7f3a") && secret != Secret::new("canary-7f3b"));
    }

    #[test]
    fn a_line_end_is_no_part_of_a_secret_and_nothing_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let source = SecretSource::File(path.clone());
        let read_from = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&source, &no_env).map(|secret| secret.expose().to_owned())
        };
        for (bytes, expected) in
            [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), (" a b \n", " a b "), ("a\n\n", "a\n")]
        {
            assert_eq!(read_from(bytes.as_bytes()).unwrap(), expected);
        }
        for bytes in ["", "\n", " \n", "\r\n"] {
            assert!(matches!(read_from(bytes.as_bytes()), Err(SecretError::Empty(_))), "{bytes:?}");
        }
        for bytes in [&b"\xff\xfe"[..], b"a\0b", &vec![b'a'; 65_537]] {
            assert!(matches!(read_from(bytes), Err(SecretError::NotText(_))));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read(&source, &no_env), Err(SecretError::File { .. })));
        assert!(matches!(read(&SecretSource::Env("TOKEN".into()), &no_env), Err(SecretError::NotSet(_))));
    }
}
