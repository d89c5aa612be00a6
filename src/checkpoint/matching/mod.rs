//! Partial-object matching: what the work must look like, against what it looks like (`docs/matching.md`).
//!
//! A pure function from two JSON values to all their differences, each with a JSON pointer.

mod cel;
mod pairing;
mod path;
mod pattern;
mod quantity;
mod spelling;
mod walk;
mod words;

use serde_json::Value;

pub use path::escape;
pub use pattern::{Flaw, Pattern};
pub use words::{clip, clip_at, count, shorten};

/// One way in which a value is not what the pattern asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// JSON pointer into the value; of a missing key, the pointer it would have.
    pub pointer: String,
    /// How the two were compared: `equals`, `$gte`, `pairing`, …
    pub operator: &'static str,
    /// That part of the pattern.
    pub expected: Value,
    /// That part of the value, shortened and redacted; none when it is missing.
    pub actual: Option<Value>,
    /// One sentence for the learner, without a full stop.
    pub message: String,
    /// JSON pointer of a key that is there instead and is probably a misspelling of the one that is missing.
    pub misspelt: Option<String>,
}

/// How near a value comes to a pattern: leaves of the pattern that hold, and that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nearness {
    /// Leaves that hold; names and other identifying keys weigh more.
    pub good: u32,
    /// Leaves that do not.
    pub bad: u32,
}

impl Pattern {
    /// Whether the value is what the pattern asks for.
    pub fn matches(&self, actual: &Value) -> bool {
        walk::decide(&self.root, actual)
    }

    /// What it asks for in words, after "must".
    pub fn must(&self) -> String {
        words::must(&self.root)
    }

    /// How near the value comes.
    pub fn nearness(&self, actual: &Value) -> Nearness {
        walk::nearness(&self.root, actual)
    }

    /// All differences; none when it matches. The values of Secrets are left out of them.
    pub fn differences(&self, actual: &Value) -> Vec<Difference> {
        walk::differences(&self.root, actual)
    }
}

/// Flaws of a pattern as one sentence, for an author.
pub fn words(flaws: &[Flaw]) -> String {
    flaws.iter().map(|(at, message)| format!("{at}: {message}")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn messages(pattern: Value, actual: Value) -> Vec<String> {
        let pattern = Pattern::parse(&pattern).unwrap();
        let differences = pattern.differences(&actual);
        assert_eq!(pattern.matches(&actual), differences.is_empty(), "deciding and explaining agree");
        assert_eq!(pattern.nearness(&actual).bad == 0, differences.is_empty(), "scoring and explaining agree");
        for difference in &differences {
            assert!(!difference.message.is_empty());
        }
        differences.into_iter().map(|difference| difference.message).collect()
    }

    /// Each operator: a pattern for `x`, values that match, and values that do not with what is said about them. `?`
    /// stands for a missing key.
    #[test]
    fn every_operator_has_a_yes_and_a_no() {
        let missing = json!("?");
        /// A pattern, what matches, what does not and the sentence about it.
        type Row = (Value, Vec<Value>, Vec<(Value, &'static str)>);
        let rows: Vec<Row> = vec![
            (
                json!(1),
                vec![json!(1), json!(1.0)],
                vec![
                    (json!(2), "`x` is 2, must be 1"),
                    (json!("1"), "`x` is the text `1`, must be the number 1: drop the quotes"),
                    (missing.clone(), "`x` is not set, must be 1"),
                    (json!(null), "`x` is empty (null), must be 1"),
                ],
            ),
            (json!("1"), vec![json!("1")], vec![(json!(1), "`x` is the number 1, must be the text `1`: quote it")]),
            (
                json!(true),
                vec![json!(true)],
                vec![(json!("true"), "`x` is the text `true`, must be true: drop the quotes")],
            ),
            (
                json!({"a": 1}),
                vec![json!({"a": 1, "b": 2})],
                vec![
                    (json!({}), "`x.a` is not set, must be 1"),
                    (json!([]), "`x` is a list, must be a map"),
                    (missing.clone(), "`x` is not set, must be like `{\"a\":1}`"),
                ],
            ),
            (
                json!({}),
                vec![json!({}), json!({"b": 2})],
                vec![
                    (json!("s"), "`x` is `s`, must be a map"),
                    (missing.clone(), "`x` is not set, must be an empty map or any other map"),
                ],
            ),
            (
                json!(["a", "b"]),
                vec![json!(["b", "c", "a"])],
                vec![(json!(["a"]), "`x` lacks `b`"), (json!({}), "`x` is a map, must be a list")],
            ),
            (
                json!({"$exact": ["a", "b"]}),
                vec![json!(["a", "b"])],
                vec![
                    (json!(["b", "a"]), "`x[0]` is `b`, must be `a`|`x[1]` is `a`, must be `b`"),
                    (json!(["a"]), "`x` has 1 item, must have exactly 2, in this order: `[\"a\",\"b\"]`"),
                ],
            ),
            (
                json!({"$exact": {}}),
                vec![json!({})],
                vec![(json!({"a": 1}), "`x.a` must not be set: `x` must be exactly an empty map")],
            ),
            (
                json!({"$all": {"$gte": 2}}),
                vec![json!([2, 3])],
                vec![
                    (json!([2, 1]), "`x[1]` is 1, must be at least 2"),
                    (json!([]), "`x` is empty, must have at least one item"),
                    (missing.clone(), "`x` is not set, must be a list in which every item is like `{\"$gte\":2}`"),
                ],
            ),
            (
                json!({"$none": "*"}),
                vec![json!([]), json!(["a"]), missing.clone()],
                vec![(json!(["a", "*"]), "`x[1]` must not be like `*`"), (json!("a"), "`x` is `a`, must be a list")],
            ),
            (
                json!({"$len": 2}),
                vec![json!([1, 2]), json!({"a": 1, "b": 2}), json!("éé")],
                vec![
                    (json!([1]), "`x` has 1 item, must have exactly 2 items"),
                    (json!(7), "`x` is 7, must be a list, a map or text"),
                ],
            ),
            (
                json!({"$len": {"$gte": 1}}),
                vec![json!([1])],
                vec![(json!([]), "`x` has 0 items, must have at least 1 item")],
            ),
            (
                json!({"$contains": "ALL"}),
                vec![json!(["ALL"]), json!("xALLx"), json!({"ALL": 1})],
                vec![(json!(["NET_RAW"]), "`x` lacks `ALL`"), (json!("none"), "`x` is `none`, must contain `ALL`")],
            ),
            (
                json!({"$gte": 2}),
                vec![json!(2), json!(2.5)],
                vec![
                    (json!(1), "`x` is 1, must be at least 2"),
                    (json!("3"), "`x` is the text `3`, must be a number and be at least 2"),
                    (missing.clone(), "`x` is not set, must be at least 2"),
                ],
            ),
            (
                json!({"$gt": 2, "$lt": 5}),
                vec![json!(3)],
                vec![(json!(2), "`x` is 2, must be more than 2"), (json!(5), "`x` is 5, must be less than 5")],
            ),
            (json!({"$lte": 2}), vec![json!(2)], vec![(json!(3), "`x` is 3, must be at most 2")]),
            (
                json!({"$ne": "latest"}),
                vec![json!("1.2"), missing.clone()],
                vec![(json!("latest"), "`x` is `latest`, must not be `latest`")],
            ),
            (
                json!({"$in": ["a", 1]}),
                vec![json!("a"), json!(1)],
                vec![(json!("b"), "`x` is `b`, must be one of `a`, 1")],
            ),
            (
                json!({"$nin": ["a", "b"]}),
                vec![json!("c"), missing.clone()],
                vec![(json!("a"), "`x` is `a`, must be none of `a`, `b`")],
            ),
            (
                json!({"$regex": "^v[0-9]+$"}),
                vec![json!("v1")],
                vec![
                    (json!("xv1"), "`x` is `xv1`, must match the regular expression `^v[0-9]+$`"),
                    (json!(1), "`x` is the number 1, must be text and match the regular expression `^v[0-9]+$`"),
                ],
            ),
            (json!({"$prefix": "a"}), vec![json!("ab")], vec![(json!("ba"), "`x` is `ba`, must start with `a`")]),
            (json!({"$suffix": "a"}), vec![json!("ba")], vec![(json!("ab"), "`x` is `ab`, must end with `a`")]),
            (
                json!({"$present": true}),
                vec![json!(0), json!({})],
                vec![(missing.clone(), "`x` is not set"), (json!(null), "`x` is empty (null), must be set")],
            ),
            (
                json!({"$absent": true}),
                vec![missing.clone(), json!(null)],
                vec![(json!(false), "`x` must not be set: delete it")],
            ),
            (
                json!({"$null": true}),
                vec![json!(null)],
                vec![(json!(0), "`x` is 0, must be null"), (missing.clone(), "`x` is not set, must be null")],
            ),
            (
                json!({"$semver": ">=1.2"}),
                vec![json!("1.2.0"), json!("v1.3"), json!("2")],
                vec![
                    (json!("1.1.9"), "`x` is `1.1.9`, must be a version in `>=1.2`"),
                    (json!("main"), "`x` is `main`, must be a version in `>=1.2`"),
                ],
            ),
            (
                json!({"$qty": {"$lte": "1Gi", "$gt": 0}}),
                vec![json!("512Mi"), json!("1024Mi"), json!(5)],
                vec![
                    (json!("2Gi"), "`x` is `2Gi`, must be a quantity of at most 1Gi and more than 0"),
                    (json!("lots"), "`x` is `lots`, must be a quantity of at most 1Gi and more than 0"),
                ],
            ),
            (
                json!({"$qty": "1"}),
                vec![json!("1000m"), json!(1)],
                vec![(json!("2"), "`x` is `2`, must be a quantity of exactly 1")],
            ),
            (
                json!({"$not": {"$prefix": "a"}}),
                vec![json!("b"), missing.clone()],
                vec![(json!("ab"), "`x` is `ab`, must not start with `a`")],
            ),
            (
                json!({"$anyOf": [1, {"$gte": 5}]}),
                vec![json!(1), json!(6)],
                vec![(json!(2), "`x` is 2, must be 1, or be at least 5")],
            ),
            (
                json!({"$anyOf": [{"a": 1, "b": 1}, {"c": 1}]}),
                vec![json!({"c": 1})],
                vec![(
                    json!({"a": 1}),
                    "`x` fits none of the 2 ways that are allowed; the nearest asks: `x.b` is not set, must be 1",
                )],
            ),
            (json!({"$type": "int"}), vec![json!(1)], vec![(json!(1.5), "`x` is 1.5, must be an integer")]),
            (json!({"$cel": "self < 3"}), vec![json!(2)], vec![(json!(3), "`x` is 3, must satisfy `self < 3`")]),
            (json!({"$$x": 1}), vec![json!({"$x": 1})], vec![(json!({}), "`x.$x` is not set, must be 1")]),
        ];
        let mut wrong = Vec::new();
        for (pattern, yes, no) in rows {
            let wrap = |x: &Value| if *x == json!("?") { json!({}) } else { json!({"x": x}) };
            for actual in yes {
                assert_eq!(messages(json!({"x": pattern}), wrap(&actual)), Vec::<String>::new(), "{pattern} {actual}");
            }
            for (actual, said) in no {
                let found = messages(json!({"x": pattern}), wrap(&actual)).join("|");
                if found != said {
                    wrong.push(format!("{pattern} {actual}\n  wanted {said}\n  said   {found}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn flaws_of_a_pattern_are_all_found_with_their_place() {
        let flawed = json!({
            "a": null, "b": {"$gte": "1Gi"}, "c": {"$present": false}, "d": [{"$regex": "("}], "e": {"$gte": 1, "f": 2},
            "g": {"$cel": "self +"}, "h": {"$in": []}, "i": {"$semver": ">>1"}, "j": {"$qty": "ten"}, "k": {"$type": "str"},
            "l": {"$oneOf": [1]}, "m": {"$cel": "1 + 2"}
        });
        let flaws = Pattern::parse(&flawed).unwrap_err();
        let at: Vec<_> = flaws.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            at,
            [
                "/a",
                "/b/$gte",
                "/c/$present",
                "/d/0/$regex",
                "/e",
                "/g/$cel",
                "/h/$in",
                "/i/$semver",
                "/j/$qty",
                "/k/$type",
                "/l/$oneOf",
                "/m/$cel"
            ]
        );
    }

    #[test]
    fn items_are_paired_by_their_list_map_key() {
        let pattern = json!({"containers": [{"name": "web", "image": "nginx:1.27"}, {"name": "log"}]});
        let actual = json!({"containers": [{"name": "sidecar"}, {"name": "web", "image": "nginx:latest"}]});
        assert_eq!(
            messages(pattern, actual),
            [
                "`containers[web].image` is `nginx:latest`, must be `nginx:1.27`",
                "no container named `log` (there is `sidecar`, `web`)"
            ]
        );
    }

    #[test]
    fn ports_with_one_number_and_two_protocols_are_told_apart() {
        let pattern = json!({"ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]});
        let actual = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]});
        assert_eq!(messages(pattern.clone(), actual), Vec::<String>::new());
        let actual = json!({"ports": [{"port": "53", "protocol": "UDP"}, {"port": 80}]});
        assert_eq!(
            messages(pattern, actual),
            [
                "no port is like `{\"port\":53,\"protocol\":\"TCP\"}`",
                "`ports[53].port` is the text `53`, must be the number 53: drop the quotes"
            ]
        );
    }

    #[test]
    fn items_without_a_key_are_paired_with_the_nearest_and_each_only_once() {
        let pattern = json!({"rules": [
            {"apiGroups": ["apps"], "verbs": ["get"]},
            {"apiGroups": [""], "verbs": ["get", "list"]}
        ]});
        let actual =
            json!({"rules": [{"apiGroups": [""], "verbs": ["get"]}, {"apiGroups": ["apps"], "verbs": ["get"]}]});
        assert_eq!(messages(pattern.clone(), actual), ["`rules[0].verbs` lacks `list`"]);
        let one = json!({"rules": [{"apiGroups": ["apps", ""], "verbs": ["get", "list"]}]});
        assert_eq!(messages(pattern, one).len(), 1, "one item cannot stand for two");
    }

    #[test]
    fn a_whole_fit_is_never_given_up_for_half_ones() {
        let pattern = json!([{"a": 1, "b": 1, "c": 1, "d": {"$gte": 0}}, {"a": 1}]);
        let actual = json!([{"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 2, "b": 1, "c": 1, "d": 1}]);
        assert_eq!(messages(pattern, actual).len(), 1);
    }

    #[test]
    fn too_many_items_to_pair_is_said_and_fails() {
        let pattern = json!({"x": [{"a": {"$gte": 1}}, {"a": {"$gte": 2}}]});
        let many: Vec<Value> = (0..200_001).map(|_| json!({"a": 0})).collect();
        let said = messages(pattern, json!({ "x": many }));
        assert!(said[0].contains("200001 items, too many"), "{said:?}");
    }

    #[test]
    fn by_key_a_list_of_thirty_thousand_is_no_trouble() {
        let item = |n: usize| json!({"name": format!("e{n}"), "value": n});
        let list: Vec<Value> = (0..30_000).map(item).collect();
        let started = std::time::Instant::now();
        assert!(messages(json!({ "env": list }), json!({ "env": list })).is_empty());
        assert!(started.elapsed().as_secs() < 20, "linear, not quadratic");
    }

    #[test]
    fn deep_patterns_and_tangled_lists_stay_on_a_small_stack_and_within_their_fuel() {
        let work = || {
            let nested = |depth: usize, width: usize| {
                (0..depth).fold(json!({"$gte": 0}), |inner, _| json!(vec![json!({ "x": inner }); width]))
            };
            let deep = Pattern::parse(&nested(48, 1)).unwrap();
            let value = (0..48).fold(json!(1), |inner, _| json!([{ "x": inner }]));
            assert!(deep.matches(&value));
            let wide = Pattern::parse(&nested(7, 3)).unwrap();
            let value = (0..7).fold(json!(-1), |inner, _| json!(vec![json!({ "x": inner }); 3]));
            assert!(!wide.matches(&value));
            assert!(!wide.differences(&value).is_empty());
        };
        let started = std::time::Instant::now();
        std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap();
        assert!(started.elapsed().as_secs() < 60, "took {:?}", started.elapsed());
    }

    /// Writes a value as a pattern that means exactly it.
    fn escaped(value: &Value) -> Value {
        match value {
            Value::Null => json!({"$null": true}),
            Value::Array(items) => Value::Array(items.iter().map(escaped).collect()),
            Value::Object(map) => {
                let key = |key: &String| if key.starts_with('$') { format!("${key}") } else { key.clone() };
                map.iter().map(|(name, value)| (key(name), escaped(value))).collect::<serde_json::Map<_, _>>().into()
            }
            scalar => scalar.clone(),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            (-2.0f64..2.0).prop_map(Value::from),
            "[$a-c]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("(name|containers|[$ab]{1,2})", inner), 0..4)
                    .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_matches_itself(value in values()) {
            prop_assert_eq!(messages(escaped(&value), value.clone()), Vec::<String>::new());
        }

        #[test]
        fn matching_any_two_values_never_panics_and_is_of_one_mind(pattern in values(), actual in values()) {
            messages(escaped(&pattern), actual);
        }

        #[test]
        fn differences_point_into_the_value_or_beside_it(pattern in values(), actual in values()) {
            for difference in Pattern::parse(&escaped(&pattern)).unwrap().differences(&actual) {
                let parent = difference.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(actual.pointer(parent).is_some(), "{}", difference.pointer);
            }
        }

        #[test]
        fn parsing_any_pattern_never_panics(raw in values()) {
            let _ = Pattern::parse(&raw);
        }
    }
}
