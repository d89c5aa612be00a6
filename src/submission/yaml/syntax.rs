//! What the parser says, in words with a remedy.

use granit_parser::{ErrorKind, ScanError};

use super::tree::Tag;
use super::{MAX_DEPTH, Problem, ProblemKind};
use crate::checkpoint::evidence::Place;

/// The first character of a file.
pub(super) fn top() -> Place {
    at(1, 1)
}

fn at(line: usize, column: usize) -> Place {
    Place {
        line: Some(line as u32),
        column: Some(column as u32),
        end_line: Some(line as u32),
        end_column: Some(column as u32 + 1),
        ..Place::default()
    }
}

/// The text without its byte-order mark, or why it is none.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    let problem = |offset: usize, message: &str| {
        let before = String::from_utf8_lossy(&bytes[..offset]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        Problem { kind: ProblemKind::Syntax, message: message.to_owned(), place: at(line, column) }
    };
    if bytes.starts_with(&[0xFE, 0xFF]) || bytes.starts_with(&[0xFF, 0xFE]) {
        return Err(problem(0, "the file is in UTF-16: save it as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        problem(
            error.valid_up_to(),
            "here is a byte that is no UTF-8: save the file as UTF-8, or leave binary files out",
        )
    })?;
    if let Some(offset) = bytes.iter().position(|&b| (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || b == 0x7F) {
        return Err(problem(offset, "here is a control character, which YAML does not allow: delete it"));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The tag of a scalar, as far as it matters.
pub(super) fn tag(tag: Option<&granit_parser::Tag>) -> Tag {
    let Some(tag) = tag else { return Tag::None };
    match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("str") => Tag::Str,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("bool") => Tag::Bool,
        Some("null") => Tag::Null,
        Some("binary") => Tag::Binary,
        Some("timestamp") => Tag::Timestamp,
        _ => Tag::Other,
    }
}

/// What Git wrote into a file where two sides of a merge differ, if it is still there.
pub(super) fn unmerged(text: &str) -> Option<Problem> {
    let marks = |mark: &str| text.lines().position(|line| line.starts_with(mark));
    let begin = marks("<<<<<<< ")?;
    marks(">>>>>>> ").filter(|end| *end > begin)?;
    let message = "a merge is not finished here: keep what is right of the two sides, delete the lines `<<<<<<<`, `=======` \
                   and `>>>>>>>`, then `git add` the file and `git commit`";
    Some(Problem { kind: ProblemKind::Syntax, message: message.to_owned(), place: at(begin + 1, 1) })
}

/// The parser's error as a problem.
pub(super) fn problem(error: &ScanError) -> Problem {
    let marker = error.marker();
    let kind = match error.kind() {
        ErrorKind::RecursionLimitExceeded => ProblemKind::Limit,
        _ => ProblemKind::Syntax,
    };
    Problem { kind, message: message(error), place: at(marker.line().max(1), marker.col() + 1) }
}

fn message(error: &ScanError) -> String {
    use ErrorKind as E;
    match error.kind() {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabAtBlockScalarStart => {
            "a tab is used as indentation: indent with spaces".into()
        }
        E::TabInPlainScalar => "a tab stands in an unquoted value: use spaces, or quote the value".into(),
        E::MappingValueNotAllowed | E::InvalidColonPlacement => {
            "a second `: ` stands where only a value can be: quote the value, or put the nested key on a line of its own".into()
        }
        E::InvalidIndentation | E::ExpectedBlockMappingKey | E::MappingKeyNotAllowed => {
            "this line fits into nothing above it: give it the indentation of its neighbours, and check the line before it".into()
        }
        E::SimpleKeyExpected | E::InvalidSimpleKey => {
            "here should be `key: value`: add the `:` and a space after the key, or check the indentation".into()
        }
        E::ExpectedBlockSequenceEntry => {
            "here should be a list item: start it with `- ` in the column of the items above".into()
        }
        E::BlockSequenceEntryNotAllowed | E::InvalidBlockEntryWhitespace => {
            "a list item cannot start here: put `- ` on a line of its own".into()
        }
        E::BlockEntryInFlowCollection => "`- ` stands inside `[…]` or `{…}`: separate items by commas there".into(),
        E::UnclosedQuotedScalar => "a quote is opened and never closed: add the closing quote".into(),
        E::InvalidTrailingDoubleQuotedScalar | E::InvalidTrailingSingleQuotedScalar => {
            "text follows the closing quote: quote the whole value, and double a quote inside it".into()
        }
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidUnicodeEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate => {
            "an unknown `\\` escape stands in double quotes: write `\\\\`, or use single quotes".into()
        }
        E::UnclosedFlowCollection { open } => format!("`{open}` is opened and never closed: add its partner"),
        E::UnexpectedEofFlowSequence => "`[` is opened and never closed: add `]`".into(),
        E::UnexpectedEofFlowMapping | E::UnexpectedEofImplicitFlowMapping => {
            "`{` is opened and never closed: add `}`".into()
        }
        E::MismatchedFlowCollectionEnd { open, close } => {
            format!("`{open}` is closed by `{close}`: close it with its own partner")
        }
        E::MisplacedFlowCollectionEnd => "a closing bracket has no opening one: delete it, or quote the value".into(),
        E::ExpectedFlowMappingSeparator | E::ExpectedFlowSequenceSeparator => {
            "a comma or a closing bracket is missing here: separate items by commas, or quote the value".into()
        }
        E::UnexpectedCharacter { character } => {
            format!("a value cannot start with `{}`: quote it", character.escape_debug())
        }
        E::RecursionLimitExceeded => {
            format!("lists and maps are nested more than {MAX_DEPTH} deep here: flatten them")
        }
        E::DocumentIndicatorInQuotedScalar => {
            "`---` stands inside a quoted text: close the quote before it, or indent the text".into()
        }
        E::InvalidBlockScalarIndent | E::InvalidQuotedScalarIndent | E::InvalidFlowScalarIndent => {
            "a line of this text is indented less than its first line: indent all its lines alike".into()
        }
        E::MissingAnchorOrAliasName => "`*` or `&` stands without a name: quote the value".into(),
        E::UndeclaredTagHandle => "this tag has no meaning here: quote the value if it only starts with `!`".into(),
        other => format!("this is not YAML ({other}): check this line and the one before it"),
    }
}
