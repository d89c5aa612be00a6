//! Static types: as much of a type checker as an evaluator without schemas can have. What is not known is [`Ty::Dyn`].

use std::fmt;

/// The type of an expression as far as it is known before evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ty {
    /// Not known: anything of the learner's files.
    Dyn,
    /// `null`.
    Null,
    /// `bool`.
    Bool,
    /// Signed, 64 bits.
    Int,
    /// Unsigned, 64 bits.
    Uint,
    /// 64 bits.
    Double,
    /// Text.
    Str,
    /// Bytes.
    Bytes,
    /// A list and the type of its items.
    List(Box<Ty>),
    /// A map, its keys and its values.
    Map(Box<Ty>, Box<Ty>),
    /// A duration.
    Duration,
    /// A point in time.
    Timestamp,
    /// A type as a value, as in `type(x) == int`.
    Type,
    /// A value that may be absent.
    Optional(Box<Ty>),
    /// A Kubernetes quantity.
    Quantity,
    /// A semantic version.
    Semver,
    /// An IP address.
    Ip,
    /// A network in CIDR notation.
    Cidr,
    /// A URL.
    Url,
    /// A named format.
    Format,
    /// A type parameter of a signature.
    Param(char),
}

impl Ty {
    /// A list of `item`.
    pub fn list(item: Ty) -> Ty {
        Ty::List(Box::new(item))
    }

    /// A map from `key` to `value`.
    pub fn map(key: Ty, value: Ty) -> Ty {
        Ty::Map(Box::new(key), Box::new(value))
    }

    /// A `value` that may be absent.
    pub fn optional(value: Ty) -> Ty {
        Ty::Optional(Box::new(value))
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Ty::Int | Ty::Uint | Ty::Double)
    }

    /// Whether values of the two types can be the same value.
    pub fn agrees(&self, other: &Ty) -> bool {
        match (self, other) {
            (Ty::Dyn | Ty::Param(_), _) | (_, Ty::Dyn | Ty::Param(_)) => true,
            (Ty::List(a), Ty::List(b)) | (Ty::Optional(a), Ty::Optional(b)) => a.agrees(b),
            (Ty::Map(ak, av), Ty::Map(bk, bv)) => ak.agrees(bk) && av.agrees(bv),
            (a, b) => a == b,
        }
    }

    /// The type of something that is either; not known where they differ.
    pub fn join(&self, other: &Ty) -> Ty {
        match (self, other) {
            (Ty::List(a), Ty::List(b)) => Ty::list(a.join(b)),
            (Ty::Optional(a), Ty::Optional(b)) => Ty::optional(a.join(b)),
            (Ty::Map(ak, av), Ty::Map(bk, bv)) => Ty::map(ak.join(bk), av.join(bv)),
            (a, b) if a == b => a.clone(),
            _ => Ty::Dyn,
        }
    }

    fn parse(text: &str) -> Ty {
        let inner = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
        if let Some(item) = inner("list<") {
            return Ty::list(Ty::parse(item));
        }
        if let Some(item) = inner("optional<") {
            return Ty::optional(Ty::parse(item));
        }
        if let Some((key, value)) = inner("map<").and_then(|both| both.split_once(' ')) {
            return Ty::map(Ty::parse(key), Ty::parse(value));
        }
        match text {
            "null" => Ty::Null,
            "bool" => Ty::Bool,
            "int" => Ty::Int,
            "uint" => Ty::Uint,
            "double" => Ty::Double,
            "string" => Ty::Str,
            "bytes" => Ty::Bytes,
            "duration" => Ty::Duration,
            "timestamp" => Ty::Timestamp,
            "type" => Ty::Type,
            "quantity" => Ty::Quantity,
            "semver" => Ty::Semver,
            "ip" => Ty::Ip,
            "cidr" => Ty::Cidr,
            "url" => Ty::Url,
            "format" => Ty::Format,
            "T" => Ty::Param('T'),
            _ => Ty::Dyn,
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Ty::List(item) => return write!(f, "list({item})"),
            Ty::Map(key, value) => return write!(f, "map({key}, {value})"),
            Ty::Optional(value) => return write!(f, "optional({value})"),
            Ty::Param(name) => return write!(f, "{name}"),
            Ty::Dyn => "dyn",
            Ty::Null => "null",
            Ty::Bool => "bool",
            Ty::Int => "int",
            Ty::Uint => "uint",
            Ty::Double => "double",
            Ty::Str => "string",
            Ty::Bytes => "bytes",
            Ty::Duration => "duration",
            Ty::Timestamp => "timestamp",
            Ty::Type => "type",
            Ty::Quantity => "quantity",
            Ty::Semver => "semver",
            Ty::Ip => "ip",
            Ty::Cidr => "cidr",
            Ty::Url => "url",
            Ty::Format => "format",
        };
        f.write_str(word)
    }
}

/// What an overload takes and gives. A method's receiver is its first argument.
#[derive(Debug, Clone)]
pub struct Signature {
    arguments: Vec<Ty>,
    variadic: bool,
    result: Ty,
}

impl Signature {
    /// Reads `string, list<T> -> T`. `T` stands for any one type; a trailing `...` means one or more of the last type.
    /// `map<K V>` separates by a space, for arguments are split at commas.
    pub fn parse(text: &str) -> Self {
        let (arguments, result) = text.split_once("->").unwrap_or((text, "dyn"));
        let variadic = arguments.trim_end().ends_with("...");
        let arguments = arguments.trim().trim_end_matches("...");
        let arguments = arguments.split(',').map(str::trim).filter(|text| !text.is_empty()).map(Ty::parse).collect();
        Self { arguments, variadic, result: Ty::parse(result.trim()) }
    }

    /// Whether it takes that many arguments.
    pub fn takes(&self, count: usize) -> bool {
        if self.variadic { count >= self.arguments.len() } else { count == self.arguments.len() }
    }

    /// The type of the result for these arguments; none when they do not fit.
    pub fn apply(&self, actual: &[Ty]) -> Option<Ty> {
        if !self.takes(actual.len()) {
            return None;
        }
        let mut bound: Option<Ty> = None;
        for (index, ty) in actual.iter().enumerate() {
            let parameter = self.arguments.get(index).or(self.arguments.last())?;
            if !fits(parameter, ty, &mut bound) {
                return None;
            }
        }
        Some(substitute(&self.result, &bound))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<_> = self.arguments.iter().map(Ty::to_string).collect();
        write!(f, "({})", arguments.join(", "))
    }
}

fn fits(parameter: &Ty, actual: &Ty, bound: &mut Option<Ty>) -> bool {
    match (parameter, actual) {
        (Ty::Param(_), _) => match bound {
            Some(before) if !before.agrees(actual) => false,
            Some(before) => {
                *bound = Some(if *before == Ty::Dyn { actual.clone() } else { before.clone() });
                true
            }
            None => {
                *bound = Some(actual.clone());
                true
            }
        },
        (Ty::List(p), Ty::List(a)) | (Ty::Optional(p), Ty::Optional(a)) => fits(p, a, bound),
        (Ty::Map(pk, pv), Ty::Map(ak, av)) => fits(pk, ak, bound) && fits(pv, av, bound),
        (p, a) => p.agrees(a),
    }
}

fn substitute(result: &Ty, bound: &Option<Ty>) -> Ty {
    match result {
        Ty::Param(_) => bound.clone().unwrap_or(Ty::Dyn),
        Ty::List(item) => Ty::list(substitute(item, bound)),
        Ty::Optional(value) => Ty::optional(substitute(value, bound)),
        Ty::Map(key, value) => Ty::map(substitute(key, bound), substitute(value, bound)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_binds_its_type_parameter() {
        let signature = Signature::parse("list<T>, T -> optional<T>");
        assert_eq!(signature.apply(&[Ty::list(Ty::Int), Ty::Int]), Some(Ty::optional(Ty::Int)));
        assert_eq!(signature.apply(&[Ty::list(Ty::Int), Ty::Str]), None);
        assert_eq!(signature.apply(&[Ty::Dyn, Ty::Str]), Some(Ty::optional(Ty::Str)));
        assert_eq!(signature.apply(&[Ty::list(Ty::Int)]), None);
    }

    #[test]
    fn a_variadic_signature_takes_one_or_more() {
        let signature = Signature::parse("int... -> int");
        assert_eq!(signature.apply(&[Ty::Int, Ty::Int, Ty::Int]), Some(Ty::Int));
        assert_eq!(signature.apply(&[]), None);
        assert_eq!(signature.apply(&[Ty::Int, Ty::Double]), None);
    }
}
