//! Kubernetes' semver library.

use std::cmp::Ordering;
use std::rc::Rc;

use semver::Version;

use super::{Declaration, boolean, global, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("semver", &["string -> semver", "string, bool -> semver"], |_, args| {
        parse(args)?.map(|version| Val::Semver(Rc::new(version))).map_err(Fault::invalid)
    }),
    global("isSemver", &["string -> bool", "string, bool -> bool"], |_, args| Ok(Val::Bool(parse(args)?.is_ok()))),
    method("major", &["semver -> int"], |_, args| part(args, |version| version.major)),
    method("minor", &["semver -> int"], |_, args| part(args, |version| version.minor)),
    method("patch", &["semver -> int"], |_, args| part(args, |version| version.patch)),
    method("compareTo", &["semver, semver -> int"], |_, args| compared(args).map(|order| Val::Int(order as i64))),
    method("isLessThan", COMPARISON, |_, args| compared(args).map(|order| Val::Bool(order == Ordering::Less))),
    method("isGreaterThan", COMPARISON, |_, args| compared(args).map(|order| Val::Bool(order == Ordering::Greater))),
];

const COMPARISON: &[&str] = &["semver, semver -> bool"];

/// The outer error is for arguments of other types, the inner one for a text that is no version.
fn parse(args: &[Val<'_>]) -> Result<Result<Version, String>, Fault> {
    let (version, normalise) = match args {
        [version] => (text(version)?, false),
        [version, normalise] => (text(version)?, boolean(normalise)?),
        _ => return Err(Fault::overload()),
    };
    let parsed = if normalise { normalised(version) } else { Version::parse(version).ok() };
    Ok(parsed.ok_or_else(|| {
        let example = if normalise { "" } else { "; write it as '1.2.3'" };
        format!("{} is not a semantic version{example}", Val::text(version).show())
    }))
}

/// Drops a leading `v` and leading zeros, adds missing parts.
fn normalised(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text
        .splitn(3, '.')
        .map(|part| {
            let trimmed = part.trim_start_matches('0');
            let keeps_zero = part.len() > trimmed.len() && !trimmed.starts_with(|c: char| c.is_ascii_digit());
            if keeps_zero { format!("0{trimmed}") } else { trimmed.to_owned() }
        })
        .collect();
    if parts.len() < 3 && parts.last().is_some_and(|part| part.contains(['-', '+'])) {
        return None;
    }
    parts.resize(3, "0".to_owned());
    Version::parse(&parts.join(".")).ok()
}

fn part<'a>(args: &[Val<'a>], read: fn(&Version) -> u64) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Semver(version)] => {
            i64::try_from(read(version)).map(Val::Int).map_err(|_| Fault::invalid("out of range"))
        }
        _ => Err(Fault::overload()),
    }
}

fn compared(args: &[Val<'_>]) -> Result<Ordering, Fault> {
    match args {
        [Val::Semver(left), Val::Semver(right)] => Ok(left.cmp_precedence(right)),
        _ => Err(Fault::overload()),
    }
}
