//! Names of stacks.

use std::fmt;
use std::str::FromStr;

/// Longest name: paths of sockets below the stack's directory have to stay short.
const MAX: usize = 32;

/// The name of a stack, which is also that of its directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no name of a stack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a stack: use 1 to {MAX} of a-z, 0-9 and `-`, beginning with a letter or a digit")]
pub struct BadName(String);

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = !text.is_empty() && text.len() <= MAX && text.chars().all(plain) && !text.starts_with('-');
        if good { Ok(Self(text.to_owned())) } else { Err(BadName(text.to_owned())) }
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_directory_below_the_data_and_nothing_else() {
        for good in ["default", "a", "2", "team-a"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "-a", "A", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
