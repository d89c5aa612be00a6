//! Looking up a field of an object, the innermost step of every comparison.

use serde_json::{Map, Value};

/// Fields up to which an object is looked through from one end to the other.
const FEW: usize = 8;

/// The value of a field. Most objects have a handful: comparing their names takes less than the hash that keeps large
/// maps safe from hostile keys.
pub(super) fn field<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if map.len() <= FEW { map.iter().find_map(|(key, value)| (key == name).then_some(value)) } else { map.get(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_objects_give_the_same_answers() {
        for size in 0..2 * FEW {
            let map: Map<String, Value> = (0..size).map(|n| (format!("key-{n}"), n.into())).collect();
            for name in (0..size + 2).map(|n| format!("key-{n}")) {
                assert_eq!(field(&map, &name), map.get(&name), "{name} of {size}");
            }
        }
    }
}
