//! The function pack: Kubernetes' CEL libraries and a few of our own. One file per library.
//!
//! To add a function: write its body in the file of its library and one line in that file's `FUNCTIONS`, and a row with an
//! example in `docs/cel.md` (a test fails until it is there).

pub mod encoders;
pub mod formats;
pub mod glob;
pub mod lists;
pub mod math;
pub mod net;
pub mod optional;
pub mod ours;
pub mod quantity;
pub mod regex;
pub mod schedule;
pub mod semver;
pub mod sets;
pub mod standard;
pub mod strings;
pub mod text_format;
pub mod time;
pub mod url;

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use super::fault::Fault;
use super::machine::Machine;
use super::types::{Signature, Ty};
use super::value::{ListRef, Val};

/// What a function does. Arguments are plain values, a method's receiver first. Arguments that fit no overload are
/// answered with [`Fault::overload`], and the next body of that name is tried.
pub type Body = for<'a> fn(&mut Machine<'a>, &[Val<'a>]) -> Result<Val<'a>, Fault>;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Style {
    /// `f(x)` or `library.f(x)`.
    Global,
    /// `x.f()`.
    Method,
}

/// One line of a library's table.
pub struct Declaration {
    name: &'static str,
    style: Style,
    signatures: &'static [&'static str],
    body: Body,
}

/// A global function of a library's table.
pub const fn global(name: &'static str, signatures: &'static [&'static str], body: Body) -> Declaration {
    Declaration { name, style: Style::Global, signatures, body }
}

/// A method of a library's table; signatures name the receiver first.
pub const fn method(name: &'static str, signatures: &'static [&'static str], body: Body) -> Declaration {
    Declaration { name, style: Style::Method, signatures, body }
}

const LIBRARIES: &[&[Declaration]] = &[
    standard::FUNCTIONS,
    time::FUNCTIONS,
    strings::FUNCTIONS,
    lists::FUNCTIONS,
    sets::FUNCTIONS,
    math::FUNCTIONS,
    regex::FUNCTIONS,
    optional::FUNCTIONS,
    encoders::FUNCTIONS,
    quantity::FUNCTIONS,
    semver::FUNCTIONS,
    net::FUNCTIONS,
    url::FUNCTIONS,
    formats::FUNCTIONS,
    ours::FUNCTIONS,
];

/// All that goes by one name and style.
#[derive(Debug)]
pub struct Function {
    /// As written, with its library: `size`, `sets.contains`.
    pub name: &'static str,
    style: Style,
    overloads: Vec<(Vec<Signature>, Body)>,
}

#[derive(Default)]
struct Named {
    global: Option<Function>,
    method: Option<Function>,
}

static FUNCTIONS: LazyLock<HashMap<&'static str, Named>> = LazyLock::new(|| {
    let mut functions: HashMap<_, Named> = HashMap::new();
    for declaration in LIBRARIES.iter().copied().flatten() {
        let (name, style) = (declaration.name, declaration.style);
        let named = functions.entry(name).or_default();
        let place = match style {
            Style::Global => &mut named.global,
            Style::Method => &mut named.method,
        };
        let signatures = declaration.signatures.iter().map(|text| Signature::parse(text)).collect();
        let function = place.get_or_insert_with(|| Function { name, style, overloads: Vec::new() });
        function.overloads.push((signatures, declaration.body));
    }
    functions
});

/// The function of this name and style.
pub fn find(name: &str, style: Style) -> Option<&'static Function> {
    let named = FUNCTIONS.get(name)?;
    match style {
        Style::Global => named.global.as_ref(),
        Style::Method => named.method.as_ref(),
    }
}

/// Whether functions are called `namespace.f(…)`.
pub fn is_namespace(namespace: &str) -> bool {
    FUNCTIONS.keys().any(|name| name.split_once('.').is_some_and(|(prefix, _)| prefix == namespace))
}

/// The names of all functions of one style, in order.
pub fn names(style: Style) -> BTreeSet<&'static str> {
    FUNCTIONS.keys().copied().filter(|name| find(name, style).is_some()).collect()
}

/// The known name of that style that is nearest to a misspelt one.
pub fn suggest(name: &str, style: Style) -> Option<&'static str> {
    let macros: &[&'static str] = match style {
        Style::Global => &["has", "cel.bind"],
        Style::Method => {
            &["all", "exists", "existsOne", "filter", "map", "optMap", "optFlatMap", "or", "orValue", "sortBy"]
        }
    };
    names(style)
        .into_iter()
        .chain(macros.iter().copied())
        .map(|known| (distance(&known.to_lowercase(), &name.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 4) && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// Edit distance of two short names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substitution = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

impl Function {
    /// Whether it is called on a receiver.
    pub fn is_method(&self) -> bool {
        self.style == Style::Method
    }

    /// What to try, in order.
    pub fn bodies(&self) -> impl Iterator<Item = Body> + use<'_> {
        self.overloads.iter().map(|(_, body)| *body)
    }

    fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.overloads.iter().flat_map(|(signatures, _)| signatures)
    }

    /// The type of the result for arguments of these types, or why none fits.
    pub fn result(&self, types: &[Ty]) -> Result<Ty, String> {
        let results: Vec<Ty> = self.signatures().filter_map(|signature| signature.apply(types)).collect();
        if let Some((first, rest)) = results.split_first() {
            return Ok(rest.iter().fold(first.clone(), |joined, ty| joined.join(ty)));
        }
        let shown = self.call_shape(&types.iter().map(Ty::to_string).collect::<Vec<_>>());
        if !self.signatures().any(|signature| signature.takes(types.len())) {
            let expected: Vec<_> = self.signatures().map(Signature::to_string).collect();
            let what = if self.is_method() { " (receiver first)" } else { "" };
            let expected = expected.join(" or ");
            return Err(format!("`{}` takes {expected}{what}, not {} arguments", self.name, types.len()));
        }
        Err(format!("found no matching overload for `{shown}`"))
    }

    /// The message for arguments that fit no overload while running.
    pub fn no_overload(&self, arguments: &[Val<'_>]) -> String {
        let types: Vec<_> = arguments.iter().map(|argument| argument.type_name().to_owned()).collect();
        format!("no such overload: {}", self.call_shape(&types))
    }

    fn call_shape(&self, types: &[String]) -> String {
        match types.split_first() {
            Some((receiver, rest)) if self.is_method() => format!("{receiver}.{}({})", self.name, rest.join(", ")),
            _ => format!("{}({})", self.name, types.join(", ")),
        }
    }
}

/// Refuses a literal that a conversion will refuse whatever the data is: `quantity('1,5')`, `cidr('10.0.0.0/33')`.
pub fn check_literal(function: &Function, literal: &str) -> Result<(), String> {
    let checked = match (function.name, function.style) {
        ("quantity", Style::Global) => quantity::parse(literal).map(drop),
        ("ip", Style::Global) => net::parse_ip(literal).map(drop),
        ("cidr", Style::Global) => net::parse_cidr(literal).map(drop),
        ("url", Style::Global) => url::parse(literal).map(drop),
        ("duration", Style::Global) => time::parse_duration(literal).map(drop),
        ("timestamp", Style::Global) => time::parse_timestamp(literal).map(drop),
        ("glob", Style::Global) => glob::Glob::parse(literal).map(drop),
        _ => Ok(()),
    };
    checked.map_err(|fault| fault.message)
}

/// A text argument.
fn text<'v>(value: &'v Val<'_>) -> Result<&'v str, Fault> {
    value.as_text().ok_or_else(Fault::overload)
}

/// An integer argument.
fn int(value: &Val<'_>) -> Result<i64, Fault> {
    match value {
        Val::Int(value) => Ok(*value),
        _ => Err(Fault::overload()),
    }
}

/// A boolean argument.
fn boolean(value: &Val<'_>) -> Result<bool, Fault> {
    match value {
        Val::Bool(value) => Ok(*value),
        _ => Err(Fault::overload()),
    }
}

/// A list argument.
fn list<'v, 'a>(value: &'v Val<'a>) -> Result<ListRef<'v, 'a>, Fault> {
    value.as_list().ok_or_else(Fault::overload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        assert_eq!(suggest("startswith", Style::Method), Some("startsWith"));
        assert_eq!(suggest("quantty", Style::Global), Some("quantity"));
        assert_eq!(suggest("frobnicate", Style::Method), None);
    }
}
