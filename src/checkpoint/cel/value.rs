//! Values while an expression runs. What comes from the learner's files is borrowed, never copied: [`Val::Json`] keeps the
//! address of the value, so that a failure can be traced back to its line.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::rc::Rc;

use chrono::{DateTime, FixedOffset, TimeDelta};
use indexmap::IndexMap;
use serde_json::Value;

use super::functions::formats::NamedFormat;
use super::functions::net::Network;
use super::functions::quantity::Quantity;
use super::functions::url::Url;
use super::source::quote;
use crate::checkpoint::field::field;

/// A value. `'a` is the lifetime of the data and of the compiled rule.
#[derive(Debug, Clone)]
pub enum Val<'a> {
    /// Something of the data, as it stands there. [`Val::plain`] turns scalars into their own variants.
    Json(&'a Value),
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    Str(Text<'a>),
    /// Bytes.
    Bytes(Rc<[u8]>),
    /// A list made by the rule.
    List(Rc<Vec<Val<'a>>>),
    /// A map made by the rule.
    Map(Rc<Entries<'a>>),
    /// A span of time.
    Duration(TimeDelta),
    /// A point in time.
    Timestamp(DateTime<FixedOffset>),
    /// A type.
    Type(&'static str),
    /// A value that may be absent.
    Optional(Option<Rc<Val<'a>>>),
    /// A Kubernetes quantity.
    Quantity(Quantity),
    /// A semantic version.
    Semver(Rc<semver::Version>),
    /// An IP address.
    Ip(IpAddr),
    /// A network with its prefix.
    Cidr(Network),
    /// A URL.
    Url(Rc<Url>),
    /// A named format.
    Format(NamedFormat),
}

/// The entries of a map made by the rule, in order of insertion.
pub type Entries<'a> = IndexMap<Key, Val<'a>>;

/// Text, borrowed where it can be.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    /// Of the data or the rule.
    Borrowed(&'a str),
    /// Made by the rule.
    Shared(Rc<str>),
}

impl Text<'_> {
    /// The characters.
    pub fn as_str(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Shared(text) => text,
        }
    }
}

/// A key of a map. Signed and unsigned numbers are the same key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Int(i128),
    /// Text.
    Str(Rc<str>),
}

/// A list, wherever it comes from.
#[derive(Debug, Clone, Copy)]
pub enum ListRef<'v, 'a> {
    /// Of the data.
    Json(&'a [Value]),
    /// Made by the rule.
    Items(&'v [Val<'a>]),
}

impl<'a> ListRef<'_, 'a> {
    /// Number of items.
    pub fn len(&self) -> usize {
        match self {
            ListRef::Json(items) => items.len(),
            ListRef::Items(items) => items.len(),
        }
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at this position.
    pub fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            ListRef::Json(items) => items.get(index).map(Val::Json),
            ListRef::Items(items) => items.get(index).cloned(),
        }
    }

    /// All items.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Val<'a>> + use<'_, 'a> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// A map, wherever it comes from.
#[derive(Debug, Clone, Copy)]
pub enum MapRef<'v, 'a> {
    /// Of the data.
    Json(&'a serde_json::Map<String, Value>),
    /// Made by the rule.
    Entries(&'v Entries<'a>),
}

impl<'a> MapRef<'_, 'a> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            MapRef::Json(map) => map.len(),
            MapRef::Entries(entries) => entries.len(),
        }
    }

    /// True when it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a text key.
    pub fn field(&self, name: &str) -> Option<Val<'a>> {
        match self {
            MapRef::Json(map) => field(map, name).map(Val::Json),
            MapRef::Entries(entries) => entries.get(&Key::Str(name.into())).cloned(),
        }
    }

    /// The value of a key; none also when such a key cannot be.
    pub fn get(&self, key: &Val<'_>) -> Option<Val<'a>> {
        match (self, key.clone().plain()) {
            (MapRef::Json(_), Val::Str(name)) => self.field(name.as_str()),
            (MapRef::Json(_), _) => None,
            (MapRef::Entries(entries), key) => entries.get(&key.to_key()?).cloned(),
        }
    }

    /// All entries.
    pub fn entries(&self) -> Vec<(Val<'a>, Val<'a>)> {
        match self {
            MapRef::Json(map) => {
                map.iter().map(|(key, value)| (Val::Str(Text::Borrowed(key)), Val::Json(value))).collect()
            }
            MapRef::Entries(entries) => {
                entries.iter().map(|(key, value)| (Val::from_key(key), value.clone())).collect()
            }
        }
    }
}

impl<'a> Val<'a> {
    /// Text made by the rule.
    pub fn text(text: impl Into<Rc<str>>) -> Self {
        Val::Str(Text::Shared(text.into()))
    }

    /// A list made by the rule.
    pub fn list(items: Vec<Val<'a>>) -> Self {
        Val::List(Rc::new(items))
    }

    /// `optional.of(value)`.
    pub fn some(value: Val<'a>) -> Self {
        Val::Optional(Some(Rc::new(value)))
    }

    /// A key as a value.
    pub fn from_key(key: &Key) -> Self {
        match key {
            Key::Bool(value) => Val::Bool(*value),
            Key::Int(value) => match i64::try_from(*value) {
                Ok(value) => Val::Int(value),
                Err(_) => Val::Uint(u64::try_from(*value).unwrap_or(u64::MAX)),
            },
            Key::Str(text) => Val::Str(Text::Shared(text.clone())),
        }
    }

    /// A value as a key; none when it cannot be one.
    pub fn to_key(&self) -> Option<Key> {
        Some(match self.clone().plain() {
            Val::Bool(value) => Key::Bool(value),
            Val::Int(value) => Key::Int(value.into()),
            Val::Uint(value) => Key::Int(value.into()),
            Val::Double(value) if value.fract() == 0.0 && value.abs() < 1e18 => Key::Int(value as i128),
            Val::Str(text) => Key::Str(text.as_str().into()),
            _ => return None,
        })
    }

    /// An owned copy of data that the rule made, as by `yaml(text)`.
    pub fn copied(value: &Value) -> Val<'a> {
        match value {
            Value::Null => Val::Null,
            Value::Bool(value) => Val::Bool(*value),
            Value::Number(number) => number_value(number),
            Value::String(text) => Val::text(text.as_str()),
            Value::Array(items) => Val::list(items.iter().map(Val::copied).collect()),
            Value::Object(map) => {
                let entries = map.iter().map(|(key, value)| (Key::Str(key.as_str().into()), Val::copied(value)));
                Val::Map(Rc::new(entries.collect()))
            }
        }
    }

    /// The same value with scalars of the data in their own variants. Integers become `int`, as Kubernetes has them.
    pub fn plain(self) -> Val<'a> {
        match self {
            Val::Json(value) => match value {
                Value::Null => Val::Null,
                Value::Bool(value) => Val::Bool(*value),
                Value::Number(number) => number_value(number),
                Value::String(text) => Val::Str(Text::Borrowed(text)),
                Value::Array(_) | Value::Object(_) => self,
            },
            other => other,
        }
    }

    /// The list it is.
    pub fn as_list(&self) -> Option<ListRef<'_, 'a>> {
        match self {
            Val::Json(Value::Array(items)) => Some(ListRef::Json(items)),
            Val::List(items) => Some(ListRef::Items(items)),
            _ => None,
        }
    }

    /// The map it is.
    pub fn as_map(&self) -> Option<MapRef<'_, 'a>> {
        match self {
            Val::Json(Value::Object(map)) => Some(MapRef::Json(map)),
            Val::Map(entries) => Some(MapRef::Entries(entries)),
            _ => None,
        }
    }

    /// The text it is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Val::Json(Value::String(text)) => Some(text),
            Val::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The name of its type, as `type(x)` and error messages have it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Json(Value::Null) | Val::Null => "null_type",
            Val::Json(Value::Bool(_)) | Val::Bool(_) => "bool",
            Val::Json(Value::Number(number)) => number_value(number).type_name(),
            Val::Json(Value::String(_)) | Val::Str(_) => "string",
            Val::Json(Value::Array(_)) | Val::List(_) => "list",
            Val::Json(Value::Object(_)) | Val::Map(_) => "map",
            Val::Int(_) => "int",
            Val::Uint(_) => "uint",
            Val::Double(_) => "double",
            Val::Bytes(_) => "bytes",
            Val::Duration(_) => "google.protobuf.Duration",
            Val::Timestamp(_) => "google.protobuf.Timestamp",
            Val::Type(_) => "type",
            Val::Optional(_) => "optional_type",
            Val::Quantity(_) => "kubernetes.Quantity",
            Val::Semver(_) => "kubernetes.Semver",
            Val::Ip(_) => "net.IP",
            Val::Cidr(_) => "net.CIDR",
            Val::Url(_) => "kubernetes.URL",
            Val::Format(_) => "kubernetes.NamedFormat",
        }
    }

    /// Equality as CEL has it: numbers by value, else values of different types differ.
    pub fn equals(&self, other: &Val<'a>) -> bool {
        if let (Some(left), Some(right)) = (self.as_text(), other.as_text()) {
            return left == right;
        }
        if let (Some(left), Some(right)) = (self.as_list(), other.as_list()) {
            return left.len() == right.len() && left.iter().zip(right.iter()).all(|(a, b)| a.equals(&b));
        }
        if let (Some(left), Some(right)) = (self.as_map(), other.as_map()) {
            let same = |(key, value): &(Val<'a>, Val<'a>)| right.get(key).is_some_and(|found| value.equals(&found));
            return left.len() == right.len() && left.entries().iter().all(same);
        }
        match (self.clone().plain(), other.clone().plain()) {
            (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Bytes(a), Val::Bytes(b)) => a == b,
            (Val::Duration(a), Val::Duration(b)) => a == b,
            (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
            (Val::Type(a), Val::Type(b)) => a == b,
            (Val::Optional(Some(a)), Val::Optional(Some(b))) => a.equals(&b),
            (Val::Optional(None), Val::Optional(None)) => true,
            (Val::Quantity(a), Val::Quantity(b)) => a == b,
            (Val::Semver(a), Val::Semver(b)) => a.cmp_precedence(&b) == Ordering::Equal,
            (Val::Ip(a), Val::Ip(b)) => a == b,
            (Val::Cidr(a), Val::Cidr(b)) => a == b,
            (Val::Url(a), Val::Url(b)) => a == b,
            (Val::Format(a), Val::Format(b)) => a == b,
            (a, b) => compare_numbers(&a, &b) == Some(Ordering::Equal),
        }
    }

    /// Order of two values of comparable types, none when they are not (or one is NaN).
    pub fn compare(&self, other: &Val<'a>) -> Option<Ordering> {
        if let (Some(left), Some(right)) = (self.as_text(), other.as_text()) {
            return Some(left.cmp(right));
        }
        match (self.clone().plain(), other.clone().plain()) {
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(&b)),
            (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(&b)),
            (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(&b)),
            (Val::Timestamp(a), Val::Timestamp(b)) => Some(a.cmp(&b)),
            (a, b) => compare_numbers(&a, &b),
        }
    }

    /// The value as JSON, for evidence. Values without a JSON form become their text.
    pub fn to_json(&self) -> Value {
        if let Some(list) = self.as_list() {
            return list.iter().map(|item| item.to_json()).collect();
        }
        if let Some(map) = self.as_map() {
            let key = |key: &Val<'a>| key.as_text().map_or_else(|| key.show(), str::to_owned);
            return Value::Object(map.entries().iter().map(|(k, v)| (key(k), v.to_json())).collect());
        }
        match self {
            Val::Json(value) => (*value).clone(),
            Val::Null | Val::Optional(None) => Value::Null,
            Val::Bool(value) => (*value).into(),
            Val::Int(value) => (*value).into(),
            Val::Uint(value) => (*value).into(),
            Val::Double(value) => (*value).into(),
            Val::Str(text) => text.as_str().into(),
            Val::Optional(Some(value)) => value.to_json(),
            other => other.bare().into(),
        }
    }

    /// The value as a short text for people: at most about `SHOWN` characters.
    pub fn show(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        if out.chars().count() > SHOWN {
            out = out.chars().take(SHOWN).chain(['…']).collect();
        }
        out
    }

    fn write(&self, out: &mut String) {
        if out.len() > 4 * SHOWN {
            return;
        }
        if let Some(text) = self.as_text() {
            let shortened: String = text.chars().take(SHOWN + 1).collect();
            out.push_str(&quote(&shortened));
        } else if let Some(list) = self.as_list() {
            out.push('[');
            for (index, item) in list.iter().take(SHOWN).enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                item.write(out);
            }
            out.push(']');
        } else if let Some(map) = self.as_map() {
            out.push('{');
            for (index, (key, value)) in map.entries().iter().take(SHOWN).enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                out.push_str(key.as_text().unwrap_or_default());
                if key.as_text().is_none() {
                    key.write(out);
                }
                out.push_str(": ");
                value.write(out);
            }
            out.push('}');
        } else {
            // Writing to a String cannot fail.
            let _ = match self.clone().plain() {
                Val::Null => write!(out, "null"),
                Val::Optional(None) => write!(out, "nothing"),
                Val::Optional(Some(value)) => {
                    value.write(out);
                    Ok(())
                }
                other => write!(out, "{}", other.bare()),
            };
        }
    }

    /// A scalar's text as `string(x)` gives it.
    pub fn bare(&self) -> String {
        match self.clone().plain() {
            Val::Bool(value) => value.to_string(),
            Val::Int(value) => value.to_string(),
            Val::Uint(value) => value.to_string(),
            Val::Double(value) => super::functions::standard::double_text(value),
            Val::Str(text) => text.as_str().to_owned(),
            Val::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Val::Duration(value) => super::functions::time::duration_text(value),
            Val::Timestamp(value) => super::functions::time::timestamp_text(&value),
            Val::Type(name) => name.to_owned(),
            Val::Quantity(value) => value.to_string(),
            Val::Semver(value) => value.to_string(),
            Val::Ip(value) => value.to_string(),
            Val::Cidr(value) => value.to_string(),
            Val::Url(value) => value.text.clone(),
            Val::Format(value) => format!("format.{}()", value.name()),
            Val::Null => "null".to_owned(),
            Val::Optional(None) => "nothing".to_owned(),
            Val::Optional(Some(value)) => value.bare(),
            value @ (Val::Json(_) | Val::List(_) | Val::Map(_)) => value.show(),
        }
    }
}

/// Longest text of a value in a message, in characters.
const SHOWN: usize = 80;

fn number_value<'a>(number: &serde_json::Number) -> Val<'a> {
    if let Some(value) = number.as_i64() {
        Val::Int(value)
    } else if let Some(value) = number.as_u64() {
        Val::Uint(value)
    } else {
        Val::Double(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn compare_numbers(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    let integer = |value: &Val<'_>| match value {
        Val::Int(value) => Some(i128::from(*value)),
        Val::Uint(value) => Some(i128::from(*value)),
        _ => None,
    };
    match (integer(left), integer(right)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => match right {
            Val::Double(b) => compare_mixed(a, *b),
            _ => None,
        },
        (None, Some(b)) => match left {
            Val::Double(a) => compare_mixed(b, *a).map(Ordering::reverse),
            _ => None,
        },
        (None, None) => match (left, right) {
            (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
            _ => None,
        },
    }
}

/// Exact order of a 64-bit integer and a double.
fn compare_mixed(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double.abs() >= 1e20 {
        return Some(if double > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let whole = double.trunc();
    let order = integer.cmp(&(whole as i128));
    Some(if order == Ordering::Equal { 0.0_f64.partial_cmp(&(double - whole))? } else { order })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_compare_by_value_across_types() {
        assert!(Val::Int(1).equals(&Val::Double(1.0)));
        assert!(!Val::Int(i64::MAX).equals(&Val::Double(9_223_372_036_854_775_808.0)));
        assert_eq!(Val::Int(3).compare(&Val::Double(2.5)), Some(Ordering::Greater));
        assert_eq!(Val::Double(f64::NAN).compare(&Val::Int(1)), None);
        assert_eq!(Val::Uint(u64::MAX).compare(&Val::Int(-1)), Some(Ordering::Greater));
        assert!(!Val::Int(1).equals(&Val::text("1")));
    }

    #[test]
    fn data_and_made_values_are_equal_by_content() {
        let data = json!({"a": [1, {"b": "x"}], "c": null});
        assert!(Val::Json(&data).equals(&Val::copied(&data)));
        assert!(!Val::Json(&data).equals(&Val::copied(&json!({"a": [1, {"b": "y"}], "c": null}))));
    }

    #[test]
    fn a_shown_value_is_short_whatever_the_learner_wrote() {
        let long = json!({"text": "x".repeat(10_000), "list": vec![1; 10_000]});
        assert!(Val::Json(&long).show().chars().count() <= SHOWN + 1);
    }
}
