//! Kubernetes' URL library. Go's reading of a URL, which keeps its parts as written; the `url` crate normalises them as
//! browsers do.

use std::rc::Rc;

use indexmap::IndexMap;

use super::{Declaration, global, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::{Key, Val};

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("url", &["string -> url"], |_, args| match args {
        [value] => parse(text(value)?).map(|url| Val::Url(Rc::new(url))),
        _ => Err(Fault::overload()),
    }),
    global("isURL", &["string -> bool"], |_, args| match args {
        [value] => Ok(Val::Bool(parse(text(value)?).is_ok())),
        _ => Err(Fault::overload()),
    }),
    method("getScheme", PART, |_, args| part(args, |url| url.scheme.clone())),
    method("getHost", PART, |_, args| part(args, |url| url.host.clone())),
    method("getHostname", PART, |_, args| part(args, |url| url.hostname().to_owned())),
    method("getPort", PART, |_, args| part(args, |url| url.port().to_owned())),
    method("getEscapedPath", PART, |_, args| part(args, |url| url.path.clone())),
    method("getQuery", &["url -> map<string list<string>>"], query),
];

const PART: &[&str] = &["url -> string"];

/// A URL in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// As written.
    pub text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    fn hostname(&self) -> &str {
        let host = split_port(&self.host).0;
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    fn port(&self) -> &str {
        split_port(&self.host).1
    }
}

/// Host and port; brackets stay with the host.
fn split_port(host: &str) -> (&str, &str) {
    let after_brackets = host.rfind(']').map_or(0, |at| at + 1);
    match host.get(after_brackets..).and_then(|rest| rest.rfind(':')) {
        Some(at) => (&host[..after_brackets + at], &host[after_brackets + at + 1..]),
        None => (host, ""),
    }
}

/// Reads an absolute URI or an absolute path.
pub fn parse(text: &str) -> Result<Url, Fault> {
    parse_parts(text).ok_or_else(|| {
        Fault::invalid(format!("{} is not a URL: it must be absolute or start with `/`", Val::text(text).show()))
    })
}

fn parse_parts(text: &str) -> Option<Url> {
    if text.is_empty() || text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return None;
    }
    let without_fragment = text.split_once('#').map_or(text, |(before, _)| before);
    let (scheme, rest) = split_scheme(without_fragment)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') {
        // `mailto:x` is opaque: it has a scheme and nothing else that a rule could ask for.
        let opaque = !scheme.is_empty();
        return opaque.then(|| Url {
            text: text.to_owned(),
            scheme,
            host: String::new(),
            path: String::new(),
            query: query.to_owned(),
        });
    }
    // A path that starts with `//` names a host only after a scheme; else Go keeps `///` as a path.
    let (host, path) = match rest.strip_prefix("//") {
        Some(after) if !scheme.is_empty() || !rest.starts_with("///") => {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            (read_authority(authority)?, path)
        }
        _ => (String::new(), rest),
    };
    Some(Url { text: text.to_owned(), scheme, host, path: escape_path(path)?, query: query.to_owned() })
}

/// The scheme in lower case; empty when there is none.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    for (index, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index > 0 => return Some((text[..index].to_ascii_lowercase(), &text[index + 1..])),
            ':' => return None,
            _ => break,
        }
    }
    Some((String::new(), text))
}

fn read_authority(authority: &str) -> Option<String> {
    let host = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(allowed) || unescape(user).is_none() {
                return None;
            }
            host
        }
        None => authority,
    };
    let (name, port) = if let Some(end) = host.rfind(']').filter(|_| host.starts_with('[')) {
        host.split_at(end + 1)
    } else {
        host.find(':').map_or((host, ""), |at| host.split_at(at))
    };
    let port_is_valid =
        port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    let bracketed = name.starts_with('[') == name.ends_with(']');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:[]\"%<>".contains(c) || !c.is_ascii();
    if !port_is_valid || !bracketed || !name.chars().all(allowed) {
        return None;
    }
    let name = unescape(name)?;
    Some(format!("{name}{port}"))
}

/// Valid escapes stay, what must be escaped is.
fn escape_path(path: &str) -> Option<String> {
    unescape(path)?;
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%[]".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(escaped)
}

/// None for `%` without two hexadecimal digits.
fn unescape(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        if *byte == b'%' {
            let digits = text.get(position + 1..position + 3)?;
            out.push(u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))?);
            position += 3;
        } else {
            out.push(*byte);
            position += 1;
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn part<'a>(args: &[Val<'a>], read: fn(&Url) -> String) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Url(url)] => Ok(Val::text(read(url))),
        _ => Err(Fault::overload()),
    }
}

fn query<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    let [Val::Url(url)] = args else { return Err(Fault::overload()) };
    let mut values: IndexMap<Key, Vec<Val<'a>>> = IndexMap::new();
    for pair in url.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| unescape(&text.replace('+', " "));
        if let (Some(key), Some(value)) = (decode(key), decode(value)) {
            values.entry(Key::Str(key.into())).or_default().push(Val::text(value));
        }
    }
    Ok(Val::Map(Rc::new(values.into_iter().map(|(key, values)| (key, Val::list(values))).collect())))
}
