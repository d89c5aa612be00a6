//! Lists: which actual item an expected one is compared with, by a key that both carry or else by the best assignment.
//! What comes of a pair is the walk's again.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::super::path::Path;
use super::super::pattern::{Kind, Node};
use super::super::{Difference, pairing, words};
use super::{Mode, Sink, Walk, equal, leaves, text};

/// A list that is being paired.
struct List<'a> {
    expected: &'a [Node],
    actual: &'a [Value],
    node: &'a Node,
    at: &'a Path<'a>,
    /// The key by which its items are known.
    field: Option<&'static str>,
}

impl Walk {
    /// Compares a list that is not `$exact`: each expected item must find an actual one of its own, in any order.
    pub(super) fn list(&self, expected: &[Node], actual: &[Value], node: &Node, at: &Path<'_>, out: &mut Sink) {
        if expected.is_empty() {
            return out.good(1);
        }
        let all_expected: Vec<usize> = (0..expected.len()).collect();
        let Some(field) = key_field(at.name(), expected) else {
            let all_actual: Vec<usize> = (0..actual.len()).collect();
            return self.assign(&List { expected, actual, node, at, field: None }, &all_expected, &all_actual, out);
        };
        let list = List { expected, actual, node, at, field: Some(field) };
        // Most patterns ask for one item: no table is needed to find those with its key.
        if let [only] = expected {
            let Some(key) = literal(only, field).and_then(text) else { return };
            let alike = |index: &usize| actual[*index].get(field).and_then(text).as_ref() == Some(&key);
            let candidates: Vec<usize> = (0..actual.len()).filter(alike).collect();
            return self.assign(&list, &[0], &candidates, out);
        }
        let mut by_key: HashMap<Cow<'_, str>, Vec<usize>> = HashMap::new();
        for (index, item) in actual.iter().enumerate() {
            if let Some(key) = item.get(field).and_then(text) {
                by_key.entry(key).or_default().push(index);
            }
        }
        let mut groups: Vec<(Cow<'_, str>, Vec<usize>)> = Vec::new();
        let mut group_of: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for index in all_expected {
            let Some(key) = literal(&expected[index], field).and_then(text) else { continue };
            let group = *group_of.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(index);
        }
        for (key, members) in groups {
            let candidates = by_key.get(&key).map_or(&[][..], Vec::as_slice);
            self.assign(&list, &members, candidates, out);
            if out.decided() {
                return;
            }
        }
    }

    /// Pairs these expected items with distinct ones of these actual items, as well as can be.
    fn assign(&self, list: &List<'_>, expected: &[usize], actual: &[usize], out: &mut Sink) {
        let mut free: Vec<usize> = actual.to_vec();
        let mut rest = Vec::new();
        for &index in expected {
            // A literal can only be paired with its equal, and its equals are alike: first come, first served loses
            // nothing.
            if let Kind::Scalar(literal) = &list.expected[index].kind {
                match free.iter().position(|&candidate| equal(literal, &list.actual[candidate])) {
                    Some(position) => {
                        free.remove(position);
                        out.good(1);
                    }
                    None => self.lacks(list, index, out),
                }
            } else {
                rest.push(index);
            }
            if out.decided() {
                return;
            }
        }
        if let ([index], [candidate]) = (rest.as_slice(), free.as_slice()) {
            return self.pair(list, *index, *candidate, out);
        }
        if !pairing::affordable(rest.len(), free.len()) {
            let (most, have) = (pairing::MAX_CELLS / rest.len().max(1), free.len());
            return out.bad(1, || Difference {
                message: format!(
                    "{} has {have} items, too many to find the {} that are asked for among them: at most {most} are compared",
                    list.at.label(),
                    rest.len()
                ),
                ..self.difference(list.node, None, list.at, "limit")
            });
        }
        let at = |column: usize| list.at.item(free[column], None);
        let decide = matches!(out.mode, Mode::Decide);
        // Whole fits come before any number of half ones.
        const WHOLE: i64 = 1 << 40;
        let score = |row: usize, column: usize| {
            let (node, item) = (&list.expected[rest[row]], Some(&list.actual[free[column]]));
            if decide {
                return if self.holds(node, item, &at(column)) { WHOLE } else { 0 };
            }
            let near = self.score(node, item, &at(column));
            i64::from(near.good) + if near.bad == 0 { WHOLE } else { 0 }
        };
        let table: Vec<Vec<i64>> =
            (0..rest.len()).map(|row| (0..free.len()).map(|column| score(row, column)).collect()).collect();
        let pairs = pairing::assign(rest.len(), free.len(), |row, column| table[row][column]);
        for (row, column) in pairs.into_iter().enumerate() {
            // An item that has nothing in common with what is asked is not a failed attempt at it.
            match column.filter(|&column| table[row][column] > 0) {
                // Decided already.
                Some(_) if decide => out.good(1),
                Some(column) => self.pair(list, rest[row], free[column], out),
                None => self.lacks(list, rest[row], out),
            }
            if out.decided() {
                return;
            }
        }
    }

    fn pair(&self, list: &List<'_>, expected: usize, actual: usize, out: &mut Sink) {
        let item = &list.actual[actual];
        let name = list.field.and_then(|field| item.get(field)).and_then(text);
        let at = list.at.item(actual, name.as_deref());
        self.node(&list.expected[expected], Some(item), &at, out);
    }

    /// Reports an expected item for which there is none.
    fn lacks(&self, list: &List<'_>, index: usize, out: &mut Sink) {
        let node = &list.expected[index];
        out.bad(leaves(node), || {
            let name = list.at.name();
            let item = words::item_of(name);
            let within = if item == "item" { format!(" in {}", list.at.label()) } else { String::new() };
            // A key that is there belongs to an item that was paired with another: then the rest tells them apart.
            let known = |(field, key): &(&str, &Value)| {
                let same = |item: &Value| item.get(field).and_then(text) == text(key);
                list.actual.iter().any(same)
            };
            let key = list.field.and_then(|field| Some((field, literal(node, field)?))).filter(|key| !known(key));
            let message = match key {
                Some((field, key)) => {
                    let how = if field == "name" { "named".to_owned() } else { format!("with {field}") };
                    format!("no {item} {how} {}{within}{}", words::value(key), self.others(list, field))
                }
                None if matches!(node.kind, Kind::Scalar(_)) => {
                    format!("{} lacks {}", list.at.label(), words::value(&node.raw))
                }
                None => format!("no {item}{within} is like {}", words::value(&node.raw)),
            };
            Difference { message, actual: None, ..self.difference(node, None, list.at, "pairing") }
        });
    }

    /// The names that are there, for somebody who misspelled one.
    fn others(&self, list: &List<'_>, field: &str) -> String {
        const MOST: usize = 5;
        let names: Vec<_> = list.actual.iter().filter_map(|item| item.get(field)).take(MOST + 1).collect();
        if names.is_empty() {
            return String::new();
        }
        let shown: Vec<_> = names.iter().take(MOST).map(|name| words::value(name)).collect();
        let more = if names.len() > MOST { ", …" } else { "" };
        format!(" (there is {}{more})", shown.join(", "))
    }
}

/// The field by which items of this list are paired: a list-map key of the Kubernetes API, if every expected item has
/// it as a literal; else a name, if every one has that.
fn key_field(list: &str, expected: &[Node]) -> Option<&'static str> {
    let fields: &[&'static str] = match list {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "ports" => &["containerPort", "port", "name"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid", "name"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        _ => &["name", "id", "alert", "record", "key"],
    };
    fields.iter().copied().find(|field| expected.iter().all(|node| literal(node, field).is_some()))
}

/// The literal that an expected item has for this key.
fn literal<'n>(node: &'n Node, field: &str) -> Option<&'n Value> {
    let Kind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|(key, _)| key == field).and_then(|(_, node)| match &node.kind {
        Kind::Scalar(value) => Some(value),
        _ => None,
    })
}
