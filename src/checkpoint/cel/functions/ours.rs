//! Functions that Kubernetes does not have: reading YAML inside YAML, Argo CD's globs and windows, paths.

use super::glob::Glob;
use super::schedule::Schedule;
use super::{Declaration, global, text, time};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::limits;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;
use crate::submission::yaml::{Dialect, YamlFile};

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("yaml", &["string -> dyn"], yaml),
    global("glob", &["string, string -> bool"], glob),
    global(
        "cronActive",
        &[
            "string, string, string, timestamp -> bool",
            "string, string, string, string -> bool",
            "string, duration, string, timestamp -> bool",
            "string, duration, string, string -> bool",
        ],
        cron_active,
    ),
    global("resolve", &["string, string -> string"], |_, args| match args {
        [dir, path] => Ok(Val::text(resolve(text(dir)?, text(path)?))),
        _ => Err(Fault::overload()),
    }),
];

/// The first document of a text, as kubectl reads it; `null` when the text holds none.
fn yaml<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [value] = args else { return Err(Fault::overload()) };
    let value = text(value)?;
    if value.len() > limits::YAML_BYTES {
        return Err(Fault::too_long(format!("`yaml` takes at most {} bytes", limits::YAML_BYTES)));
    }
    machine.charge(value.len() as u64)?;
    let not_yaml = |message: &str| Fault::invalid(format!("the text is not YAML: {message}"));
    let file = YamlFile::parse(value.as_bytes());
    match (file.documents.first(), file.problems.first()) {
        (Some(document), _) => match document.resolve(Dialect::Kubectl) {
            Ok(value) => Ok(Val::copied(&value)),
            Err(problem) => Err(not_yaml(&problem.message)),
        },
        (None, Some(problem)) => Err(not_yaml(&problem.message)),
        (None, None) => Ok(Val::Null),
    }
}

fn glob<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [pattern, value] = args else { return Err(Fault::overload()) };
    let (pattern, value) = (text(pattern)?, text(value)?);
    machine.charge(((1 + pattern.len() / 16) * (1 + value.len() / 16)) as u64)?;
    let glob = Glob::parse(pattern)?;
    Ok(Val::Bool(machine.pattern(&glob.expression)?.is_match(value)))
}

fn cron_active<'a>(machine: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [schedule, duration, zone, at] = args else { return Err(Fault::overload()) };
    let schedule = Schedule::parse(text(schedule)?)?;
    let duration = match duration {
        Val::Duration(duration) => *duration,
        other => time::parse_duration(text(other)?)?,
    };
    let zone = time::parse_zone(text(zone)?)?;
    let at = match at {
        Val::Timestamp(at) => *at,
        other => time::parse_timestamp(text(other)?)?,
    };
    schedule.is_open(duration, zone, at, |steps| machine.charge(steps)).map(Val::Bool)
}

/// Path arithmetic: `path` as seen from `dir`, without `.` and `..`; empty when it escapes or is absolute, `.` for the
/// top itself.
fn resolve(dir: &str, path: &str) -> String {
    if path.starts_with('/') || dir.starts_with('/') {
        return String::new();
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in dir.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                if segments.pop().is_none() {
                    return String::new();
                }
            }
            name => segments.push(name),
        }
    }
    if segments.is_empty() { ".".to_owned() } else { segments.join("/") }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn a_path_that_escapes_resolves_to_nothing() {
        assert_eq!(resolve("overlays/prod", "../../base"), "base");
        assert_eq!(resolve("overlays/prod", "../../../base"), "");
        assert_eq!(resolve("a", "./b//c/"), "a/b/c");
        assert_eq!(resolve(".", "../x"), "");
        assert_eq!(resolve("a", ".."), ".");
        assert_eq!(resolve("a", "/etc"), "");
    }
}
