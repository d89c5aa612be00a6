//! Kubernetes' named formats: `format.dns1123Label().validate(name)` gives nothing when the name is right, else the reasons.

use std::sync::LazyLock;

use regex::Regex;

use super::{Declaration, global, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("format.named", &["string -> optional<format>"], |_, args| match args {
        [name] => {
            Ok(NamedFormat::find(text(name)?).map_or(Val::Optional(None), |format| Val::some(Val::Format(format))))
        }
        _ => Err(Fault::overload()),
    }),
    method("validate", &["format, string -> optional<list<string>>"], validate),
    global("format.dns1123Label", MAKE, |_, _| Ok(Val::Format(NamedFormat::Dns1123Label))),
    global("format.dns1123Subdomain", MAKE, |_, _| Ok(Val::Format(NamedFormat::Dns1123Subdomain))),
    global("format.dns1035Label", MAKE, |_, _| Ok(Val::Format(NamedFormat::Dns1035Label))),
    global("format.qualifiedName", MAKE, |_, _| Ok(Val::Format(NamedFormat::QualifiedName))),
    global("format.dns1123LabelPrefix", MAKE, |_, _| Ok(Val::Format(NamedFormat::Dns1123LabelPrefix))),
    global("format.dns1123SubdomainPrefix", MAKE, |_, _| Ok(Val::Format(NamedFormat::Dns1123SubdomainPrefix))),
    global("format.dns1035LabelPrefix", MAKE, |_, _| Ok(Val::Format(NamedFormat::Dns1035LabelPrefix))),
    global("format.labelValue", MAKE, |_, _| Ok(Val::Format(NamedFormat::LabelValue))),
    global("format.uri", MAKE, |_, _| Ok(Val::Format(NamedFormat::Uri))),
    global("format.uuid", MAKE, |_, _| Ok(Val::Format(NamedFormat::Uuid))),
    global("format.byte", MAKE, |_, _| Ok(Val::Format(NamedFormat::Byte))),
    global("format.date", MAKE, |_, _| Ok(Val::Format(NamedFormat::Date))),
    global("format.datetime", MAKE, |_, _| Ok(Val::Format(NamedFormat::DateTime))),
];

const MAKE: &[&str] = &[" -> format"];

/// A named format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedFormat {
    /// Lower-case letters, digits, `-`; at most 63.
    Dns1123Label,
    /// Labels joined by dots; at most 253.
    Dns1123Subdomain,
    /// As a label, and starting with a letter.
    Dns1035Label,
    /// A name with an optional DNS prefix and `/`.
    QualifiedName,
    /// A label that something is appended to.
    Dns1123LabelPrefix,
    /// A subdomain that something is appended to.
    Dns1123SubdomainPrefix,
    /// A label that something is appended to.
    Dns1035LabelPrefix,
    /// The value of a label.
    LabelValue,
    /// As `isURL`.
    Uri,
    /// Five groups of hexadecimal digits.
    Uuid,
    /// Base64.
    Byte,
    /// `2026-01-31`.
    Date,
    /// RFC 3339.
    DateTime,
}

const ALL: &[NamedFormat] = &[
    NamedFormat::Dns1123Label,
    NamedFormat::Dns1123Subdomain,
    NamedFormat::Dns1035Label,
    NamedFormat::QualifiedName,
    NamedFormat::Dns1123LabelPrefix,
    NamedFormat::Dns1123SubdomainPrefix,
    NamedFormat::Dns1035LabelPrefix,
    NamedFormat::LabelValue,
    NamedFormat::Uri,
    NamedFormat::Uuid,
    NamedFormat::Byte,
    NamedFormat::Date,
    NamedFormat::DateTime,
];

impl NamedFormat {
    fn find(name: &str) -> Option<Self> {
        ALL.iter().find(|format| format.name() == name).copied()
    }

    /// As in `format.named(name)`.
    pub fn name(self) -> &'static str {
        match self {
            NamedFormat::Dns1123Label => "dns1123Label",
            NamedFormat::Dns1123Subdomain => "dns1123Subdomain",
            NamedFormat::Dns1035Label => "dns1035Label",
            NamedFormat::QualifiedName => "qualifiedName",
            NamedFormat::Dns1123LabelPrefix => "dns1123LabelPrefix",
            NamedFormat::Dns1123SubdomainPrefix => "dns1123SubdomainPrefix",
            NamedFormat::Dns1035LabelPrefix => "dns1035LabelPrefix",
            NamedFormat::LabelValue => "labelValue",
            NamedFormat::Uri => "uri",
            NamedFormat::Uuid => "uuid",
            NamedFormat::Byte => "byte",
            NamedFormat::Date => "date",
            NamedFormat::DateTime => "datetime",
        }
    }

    /// What is wrong with a text; nothing when it is right.
    fn reasons(self, text: &str) -> Vec<String> {
        // Something is appended to a prefix, so that it may end in a dash: Kubernetes masks it.
        let masked = match text.strip_suffix('-') {
            Some(stem) if !stem.is_empty() => format!("{stem}a"),
            _ => text.to_owned(),
        };
        match self {
            NamedFormat::Dns1123Label => dns(text, &LABEL_1123, 63, "a lower-case DNS label (RFC 1123)"),
            NamedFormat::Dns1123LabelPrefix => dns(&masked, &LABEL_1123, 63, "a lower-case DNS label (RFC 1123)"),
            NamedFormat::Dns1123Subdomain => dns(text, &SUBDOMAIN, 253, "a lower-case DNS subdomain (RFC 1123)"),
            NamedFormat::Dns1123SubdomainPrefix => {
                dns(&masked, &SUBDOMAIN, 253, "a lower-case DNS subdomain (RFC 1123)")
            }
            NamedFormat::Dns1035Label => dns(text, &LABEL_1035, 63, "a DNS label that starts with a letter (RFC 1035)"),
            NamedFormat::Dns1035LabelPrefix => {
                dns(&masked, &LABEL_1035, 63, "a DNS label that starts with a letter (RFC 1035)")
            }
            NamedFormat::QualifiedName => qualified_name(text),
            NamedFormat::LabelValue => {
                if text.is_empty() {
                    Vec::new()
                } else {
                    dns(text, &NAME, 63, "a label value")
                }
            }
            NamedFormat::Uri => super::url::parse(text).err().map(|fault| fault.message).into_iter().collect(),
            NamedFormat::Uuid => unless(UUID.is_match(text), "does not match the UUID format"),
            NamedFormat::Byte => unless(BASE64.is_match(text) && text.len().is_multiple_of(4), "invalid base64"),
            NamedFormat::Date => {
                unless(text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(), "invalid date")
            }
            NamedFormat::DateTime => unless(chrono::DateTime::parse_from_rfc3339(text).is_ok(), "invalid datetime"),
        }
    }
}

macro_rules! patterns {
    ($($name:ident = $pattern:literal;)*) => {$(
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($pattern).expect("a literal pattern, tried by the tests below"));
    )*};
}

patterns! {
    LABEL_1123 = r"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z";
    LABEL_1035 = r"\A[a-z]([-a-z0-9]*[a-z0-9])?\z";
    SUBDOMAIN = r"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z";
    NAME = r"\A([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z";
    UUID = r"(?i)\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z";
    BASE64 = r"\A[A-Za-z0-9+/]*={0,2}\z";
}

fn unless(right: bool, reason: &str) -> Vec<String> {
    if right { Vec::new() } else { vec![reason.to_owned()] }
}

fn dns(text: &str, pattern: &Regex, longest: usize, what: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > longest {
        reasons.push(format!("must be no more than {longest} bytes"));
    }
    if !pattern.is_match(text) {
        reasons.push(format!("must be {what}"));
    }
    reasons
}

fn qualified_name(text: &str) -> Vec<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let mut reasons = Vec::new();
    if name.contains('/') {
        return vec!["must be a name with at most one prefix and `/`".to_owned()];
    }
    if let Some(prefix) = prefix {
        reasons.extend(dns(prefix, &SUBDOMAIN, 253, "a DNS subdomain before the `/`"));
    }
    reasons.extend(dns(
        name,
        &NAME,
        63,
        "letters, digits, `-`, `_` or `.`, starting and ending with a letter or digit",
    ));
    reasons
}

fn validate<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [Val::Format(format), value] = args else { return Err(Fault::overload()) };
    let reasons = format.reasons(text(value)?);
    if reasons.is_empty() {
        return Ok(Val::Optional(None));
    }
    Ok(Val::some(Val::list(reasons.into_iter().map(Val::text).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_takes_the_right_and_names_the_wrong() {
        for (name, right, wrong) in [
            ("dns1123Label", "a-1", "A"),
            ("dns1123Subdomain", "a.b-c", "a..b"),
            ("dns1035Label", "a1", "1a"),
            ("qualifiedName", "example.com/My.Name", "a/b/c"),
            ("dns1123LabelPrefix", "web-", "-"),
            ("dns1123SubdomainPrefix", "a.web-", "a..-"),
            ("dns1035LabelPrefix", "web-", "1-"),
            ("labelValue", "", "-x"),
            ("uri", "https://example.com", "x"),
            ("uuid", "123E4567-e89b-12d3-a456-426614174000", "123"),
            ("byte", "aGVsbG8=", "aGVsbG8"),
            ("date", "2026-01-31", "2026-02-30"),
            ("datetime", "2026-01-31T00:00:00Z", "2026-01-31"),
        ] {
            let format = NamedFormat::find(name).unwrap();
            assert_eq!(format.reasons(right), Vec::<String>::new(), "{name} {right}");
            assert!(!format.reasons(wrong).is_empty(), "{name} {wrong}");
        }
    }
}
