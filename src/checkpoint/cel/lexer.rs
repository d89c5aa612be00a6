//! From source to tokens.

use super::limits;

/// A piece of source.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A name or keyword.
    Word(String),
    /// A field name in backticks.
    Field(String),
    /// The magnitude of an integer: its sign is a token of its own.
    Int(u64),
    /// `3u`.
    Uint(u64),
    /// `3.0`.
    Double(f64),
    /// A text literal, unescaped.
    Text(String),
    /// A bytes literal, unescaped.
    Bytes(Vec<u8>),
    /// Punctuation and operators.
    Sign(&'static str),
}

impl Token {
    /// For messages: what stands there.
    pub fn describe(&self) -> String {
        match self {
            Token::Word(word) => format!("`{word}`"),
            Token::Field(name) => format!("`` `{name}` ``"),
            Token::Int(_) | Token::Uint(_) | Token::Double(_) => "a number".to_owned(),
            Token::Text(_) | Token::Bytes(_) => "a text".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// Longer signs first: the first that fits is taken.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// Splits source into tokens, each with the byte offset where it starts.
///
/// # Errors
/// Offset and message of the first thing that is no token, or of too many tokens.
pub fn tokens(source: &str) -> Result<Vec<(Token, usize)>, (usize, String)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(c) = rest.chars().next() else { break };
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else {
            if tokens.len() == limits::TOKENS {
                let message = format!(
                    "the expression has more than {} terms and operators: split it into several checkpoints",
                    limits::TOKENS
                );
                return Err((at, message));
            }
            let (token, length) = token(rest, c).map_err(|message| (at, message))?;
            tokens.push((token, at));
            at += length;
        }
    }
    Ok(tokens)
}

fn token(rest: &str, c: char) -> Result<(Token, usize), String> {
    let starts_number = c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()));
    if starts_number {
        return number(rest);
    }
    if c == '`' {
        let inner = rest[1..].split_once('`').map(|(inner, _)| inner).ok_or("a backtick is not closed")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./ ".contains(c);
        if inner.is_empty() || !inner.chars().all(allowed) {
            return Err("a field in backticks holds letters, digits, `_`, `-`, `.`, `/` and spaces".to_owned());
        }
        return Ok((Token::Field(inner.to_owned()), inner.len() + 2));
    }
    if let Some(literal) = literal(rest)? {
        return Ok(literal);
    }
    if c.is_ascii_alphabetic() || c == '_' {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        return Ok((Token::Word(rest[..end].to_owned()), end));
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    sign.map(|sign| (Token::Sign(sign), sign.len())).ok_or_else(|| match c {
        '=' => "`=` is no operator: compare with `==`".to_owned(),
        '&' | '|' => format!("`{c}` is no operator: write `{c}{c}`"),
        other => format!("`{}` is not part of CEL", other.escape_debug()),
    })
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let too_large = |_| "the number is too large".to_owned();
    let (mut token, length) = if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        if end == 0 {
            return Err("`0x` needs hexadecimal digits".to_owned());
        }
        (Token::Int(u64::from_str_radix(&hex[..end], 16).map_err(too_large)?), end + 2)
    } else {
        let mut end = digits(rest);
        let mut floating = false;
        if rest[end..].starts_with('.') && digits(&rest[end + 1..]) > 0 {
            end += 1 + digits(&rest[end + 1..]);
            floating = true;
        }
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let count = digits(&exponent[sign..]);
            if count == 0 {
                return Err("an exponent needs digits".to_owned());
            }
            end += 1 + sign + count;
            floating = true;
        }
        if floating {
            (Token::Double(rest[..end].parse().map_err(|_| "not a number".to_owned())?), end)
        } else {
            (Token::Int(rest[..end].parse().map_err(too_large)?), end)
        }
    };
    let mut end = length;
    if let (Token::Int(value), true) = (&token, rest[length..].starts_with(['u', 'U'])) {
        token = Token::Uint(*value);
        end += 1;
    }
    if rest[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Err("a number runs into a word".to_owned());
    }
    Ok((token, end))
}

/// A text or bytes literal, if one starts here.
fn literal(rest: &str) -> Result<Option<(Token, usize)>, String> {
    let prefix = rest.find(['\'', '"']).filter(|at| *at <= 2).unwrap_or(usize::MAX);
    let Some(letters) = rest.get(..prefix) else { return Ok(None) };
    let (raw, bytes) = match letters.to_ascii_lowercase().as_str() {
        "" => (false, false),
        "r" => (true, false),
        "b" => (false, true),
        "br" => (true, true),
        _ => return Ok(None),
    };
    let body = &rest[prefix..];
    let quote = if body.starts_with("'''") || body.starts_with("\"\"\"") { &body[..3] } else { &body[..1] };
    let mut out = Vec::new();
    let mut at = quote.len();
    loop {
        let here = &body[at..];
        if here.starts_with(quote) {
            at += quote.len();
            break;
        }
        let Some(c) = here.chars().next() else { return Err("a text is not closed".to_owned()) };
        if quote.len() == 1 && matches!(c, '\n' | '\r') {
            return Err("a text ends with its line: close it, or use three quotes".to_owned());
        }
        if c == '\\' && !raw {
            let (escaped, length) = escape(&here[1..], bytes)?;
            out.extend_from_slice(&escaped);
            at += 1 + length;
        } else {
            out.extend_from_slice(&here.as_bytes()[..c.len_utf8()]);
            at += c.len_utf8();
        }
    }
    let token = if bytes {
        Token::Bytes(out)
    } else {
        Token::Text(String::from_utf8(out).map_err(|_| "the text is not UTF-8".to_owned())?)
    };
    Ok(Some((token, prefix + at)))
}

/// The bytes of an escape sequence and its length after the backslash. In bytes literals numbers are bytes, in texts they
/// are characters.
fn escape(rest: &str, bytes: bool) -> Result<(Vec<u8>, usize), String> {
    let Some(c) = rest.chars().next() else { return Err("a text is not closed".to_owned()) };
    let simple = match c {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' | '\'' | '"' | '`' | '?' => Some(c as u8),
        _ => None,
    };
    if let Some(byte) = simple {
        return Ok((vec![byte], 1));
    }
    let (radix, skip, count) = match c {
        'x' | 'X' => (16, 1, 2),
        'u' if !bytes => (16, 1, 4),
        'U' if !bytes => (16, 1, 8),
        '0'..='3' => (8, 0, 3),
        other => return Err(format!("`\\{}` is no escape: write `\\\\` for a backslash", other.escape_debug())),
    };
    let code = rest
        .get(skip..skip + count)
        .filter(|digits| digits.chars().all(|c| c.is_digit(radix)))
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())
        .ok_or_else(|| format!("`\\{c}` needs {count} digits"))?;
    let encoded = match (bytes, char::from_u32(code)) {
        (true, _) => vec![code as u8],
        (false, Some(character)) => character.to_string().into_bytes(),
        (false, None) => return Err(format!("`\\{c}` names no character")),
    };
    Ok((encoded, skip + count))
}
