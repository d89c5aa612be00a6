//! Which key of an object is probably a misspelling of one that is missing.
//!
//! Stricter than what authors are told of their courses: fields of Kubernetes differ by two letters where each means
//! something (`minReplicas` and `maxReplicas`, `ingress` and `egress`), and labels that people choose by one.

use serde_json::{Map, Value};

/// Letters from which on a word is compared: shorter ones differ by one letter too easily.
const LETTERS: usize = 4;

/// A key of `map` that is probably meant to be `wanted`, which is not there. `known` are keys that mean something.
pub(super) fn misspelt<'m>(wanted: &str, map: &'m Map<String, Value>, known: impl Fn(&str) -> bool) -> Option<&'m str> {
    map.keys().map(String::as_str).find(|found| !known(found) && is_slip(wanted, found))
}

/// Another case, another separator, or one letter of a word that is letters alone, as names of fields are.
fn is_slip(wanted: &str, found: &str) -> bool {
    // Where the learner is hostile, so are the keys.
    if found.len() > 2 * wanted.len() {
        return false;
    }
    let word = |text: &str| text.len() >= LETTERS && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (bare_wanted, bare_found) = (bare(wanted), bare(found));
    bare_wanted == bare_found || (word(wanted) && word(found) && strsim::osa_distance(&bare_wanted, &bare_found) <= 1)
}

fn bare(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_one_letter_of_a_word_or_how_words_are_joined() {
        for (wanted, found) in [
            ("replicas", "replica"),
            ("replicas", "repilcas"),
            ("replicas", "replocas"),
            ("nodeSelector", "nodeselector"),
            ("LOG_LEVEL", "log-level"),
        ] {
            assert!(is_slip(wanted, found), "{wanted} {found}");
        }
        for (wanted, found) in [
            ("minReplicas", "maxReplicas"),
            ("ingress", "egress"),
            ("containers", "initContainers"),
            ("cpu", "gpu"),
            ("app", "api"),
            ("team-a", "team-b"),
            ("key1", "key2"),
            ("a", &"-".repeat(1_000_000)),
        ] {
            assert!(!is_slip(wanted, found), "{wanted} {found}");
        }
    }
}
