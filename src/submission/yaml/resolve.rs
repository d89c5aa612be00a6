//! From the span tree to the value that a tool sees: scalars typed, aliases expanded, merge keys merged.

use serde_json::{Map, Value};

use super::parse::place;
use super::tree::{Entry, NodeId, View};
use super::{Dialect, Document, Problem, ProblemKind, excerpt, scalar};

/// Resolves the whole document. Recursion is bounded by `MAX_DEPTH`, size by the limits that parsing checked.
pub(super) fn resolve(document: &Document, dialect: Dialect) -> Result<Value, Problem> {
    if document.expanded.nodes == 0 {
        return Ok(Value::Null);
    }
    if !document.budget.charge(document.size, document.expanded) {
        let message =
            "aliases of this submission stand for more than 2 million values or 64 MB of text: write values out";
        return Err(Problem { kind: ProblemKind::Limit, message: message.to_owned(), place: document.locate("") });
    }
    Resolver { document, dialect }.value(document.root)
}

struct Resolver<'a> {
    document: &'a Document,
    dialect: Dialect,
}

impl Resolver<'_> {
    fn value(&self, id: NodeId) -> Result<Value, Problem> {
        match self.document.arena.resolved(id) {
            View::Scalar { text, style, tag } => {
                scalar::resolve(text, style, tag, self.dialect).map_err(|why| self.refused(id, why))
            }
            View::List(items) => items.iter().map(|item| self.value(*item)).collect::<Result<_, _>>().map(Value::Array),
            View::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                self.fill(&mut map, entries)?;
                Ok(Value::Object(map))
            }
            View::Alias => Ok(Value::Null),
        }
    }

    fn fill(&self, map: &mut Map<String, Value>, entries: &[Entry]) -> Result<(), Problem> {
        // go-yaml 2 (kubectl) merges where `<<` stands, so that it overrides the keys above it; everybody else lets the
        // map's own keys win. Both measured.
        let in_place = self.dialect == Dialect::Kubectl;
        if !in_place {
            for [key, value] in entries.iter().filter(|[key, _]| self.document.arena.is_merge(*key)) {
                self.merge(map, *key, *value)?;
            }
        }
        let own_from = map.len();
        let mut own = 0;
        for [key, value] in entries {
            if self.document.arena.is_merge(*key) {
                if in_place {
                    self.merge(map, *key, *value)?;
                }
                continue;
            }
            let name = self.key(*key)?;
            own += 1;
            map.insert(name, self.value(*value)?);
        }
        // Without a merge, fewer keys than entries means that one was set twice.
        if self.dialect == Dialect::Kustomize && own_from == 0 && map.len() < own {
            return Err(self.duplicate(entries));
        }
        Ok(())
    }

    fn duplicate(&self, entries: &[Entry]) -> Problem {
        let arena = &self.document.arena;
        let mut seen = std::collections::HashSet::new();
        let twice = entries.iter().find(|[key, _]| !seen.insert(arena.text(*key)));
        let place = twice.map_or(self.document.root, |[key, _]| *key);
        self.problem(place, "this key is set twice in its map, which kustomize refuses: keep one".to_owned())
    }

    fn key(&self, id: NodeId) -> Result<String, Problem> {
        let View::Scalar { text, style, tag } = self.document.arena.resolved(id) else {
            return Err(self.refused(id, "a key must be text".to_owned()));
        };
        let value = scalar::resolve(text, style, tag, self.dialect).map_err(|why| self.refused(id, why))?;
        let quote = |tool: &str| {
            self.refused(id, format!("{tool} refuses the key `{}`, which is no text: quote it", excerpt(text)))
        };
        match value {
            // To kustomize a timestamp is no text either, though it is written as one.
            Value::String(read) if self.dialect != Dialect::Kustomize || read == text => Ok(read),
            Value::Null if self.dialect == Dialect::Kubectl => Err(quote("kubectl")),
            _ if self.dialect == Dialect::Kustomize => Err(quote("kustomize")),
            other => Ok(other.to_string()),
        }
    }

    fn merge(&self, map: &mut Map<String, Value>, key: NodeId, value: NodeId) -> Result<(), Problem> {
        let arena = &self.document.arena;
        match arena.resolved(value) {
            View::Map(entries) => self.fill_over(map, entries),
            // Earlier ones take precedence, so they are laid on last.
            View::List(items) => items.iter().rev().try_for_each(|item| match arena.resolved(*item) {
                View::Map(entries) => self.fill_over(map, entries),
                _ => Err(self.not_a_map(*item)),
            }),
            _ => Err(self.not_a_map(key)),
        }
    }

    /// Lays the entries of another map over what is there.
    fn fill_over(&self, map: &mut Map<String, Value>, entries: &[Entry]) -> Result<(), Problem> {
        let mut merged = Map::new();
        self.fill(&mut merged, entries)?;
        map.extend(merged);
        Ok(())
    }

    fn not_a_map(&self, id: NodeId) -> Problem {
        let message =
            "`<<` merges a map or a list of maps, and this is neither: give it an alias of a map, or quote the key";
        self.problem(id, message.to_owned())
    }

    /// At the node that an alias stands for.
    fn refused(&self, id: NodeId, message: String) -> Problem {
        self.problem(self.document.arena.target(id), message)
    }

    fn problem(&self, id: NodeId, message: String) -> Problem {
        Problem { kind: ProblemKind::Syntax, message, place: place(self.document.arena.span(id)) }
    }
}
