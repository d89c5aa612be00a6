//! From data to lines: fields that authors name, addresses that explanations found.

use crate::checkpoint::matching::escape;
use crate::checkpoint::select::Selected;

use super::explain::{Target, pointer_below};

/// The field that an author points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Below the item instead of the object.
    pub item: bool,
    /// JSON pointer below it.
    pub pointer: String,
}

impl At {
    /// Reads a JSON pointer, or a path such as `spec.containers[0].image`, `object.spec` or `item.image`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self { item: false, pointer: text.to_owned() });
        }
        let (item, rest) = match (strip_word(text, "item"), strip_word(text, "object")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => (false, text),
        };
        let mut pointer = String::new();
        for part in rest.split('.').filter(|part| !part.is_empty()) {
            let (name, indexes) = part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
            if !name.is_empty() {
                pointer += &format!("/{}", escape(name));
            }
            for index in indexes.into_iter().flat_map(|rest| rest.split('[')) {
                let number = index.strip_suffix(']').and_then(|digits| digits.parse::<usize>().ok());
                let number = number.ok_or_else(|| {
                    format!("`[{index}` is not a number in brackets; for other keys write a JSON pointer, `/a/b~1c`")
                })?;
                pointer += &format!("/{number}");
            }
        }
        Ok(Self { item, pointer })
    }
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// The object that holds a value, and the pointer of the value in it; looked for in one object when it is given.
pub fn locate(objects: &[Selected<'_>], target: &Target<'_>, object: Option<usize>) -> Option<(usize, String)> {
    let range = object.map_or(0..objects.len(), |index| index..index + 1);
    range.into_iter().find_map(|index| Some((index, pointer_below(objects.get(index)?.value, target)?)))
}

#[cfg(test)]
mod tests {
    use super::At;

    #[test]
    fn a_field_is_named_by_pointer_or_path() {
        let at = |text: &str| At::parse(text).map(|at| (at.item, at.pointer));
        assert_eq!(at("/spec/a~1b"), Ok((false, "/spec/a~1b".to_owned())));
        assert_eq!(at("spec.containers[0].image"), Ok((false, "/spec/containers/0/image".to_owned())));
        assert_eq!(at("object.spec"), Ok((false, "/spec".to_owned())));
        assert_eq!(at("item"), Ok((true, String::new())));
        assert_eq!(at("item.image"), Ok((true, "/image".to_owned())));
        assert_eq!(at("items[1][2]"), Ok((false, "/items/1/2".to_owned())));
        assert!(at("a[b]").is_err());
    }
}
