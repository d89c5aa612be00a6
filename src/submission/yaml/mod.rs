//! YAML of learners: a span tree over granit-parser, with scalars resolved late, in the dialect of the tool that reads
//! the file (`docs/yaml.md`).

mod common;
mod files;
mod limits;
mod lint;
mod locate;
mod parse;
mod resolve;
mod scalar;
mod syntax;
mod template;
mod timestamp;
mod tree;

use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::evidence::Place;
use limits::Budget;
use tree::{Arena, NodeId, Size};

pub use common::uncommon;
pub use files::{File, Identity, Object, Objects, Word, YamlFiles};
pub use lint::ambiguities;

pub use limits::{MAX_DEPTH, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_NODES, MAX_SCALAR_BYTES};

/// Whose reading of scalars counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// As kubectl, Helm and Argo CD read it: `yes` is true, `0644` is 420.
    #[default]
    Kubectl,
    /// As kustomize writes it: `yes` stays a string, `0644` is 420.
    Kustomize,
    /// As YAML 1.2's core schema has it (Backstage, MkDocs): `yes` is a string, `0644` is 644.
    Yaml12,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 3] = [Dialect::Kubectl, Dialect::Kustomize, Dialect::Yaml12];
}

/// One file: its readable documents and what is wrong with the others.
#[derive(Debug)]
pub struct YamlFile {
    /// In order; empty documents are kept, unreadable ones are left out (their [`Document::index`] is skipped).
    pub documents: Vec<Document>,
    /// Syntax errors, duplicate keys, limits: each with its place.
    pub problems: Vec<Problem>,
}

impl YamlFile {
    /// Parses text that is in no tree. Never fails: what goes wrong is a problem.
    pub fn parse(bytes: &[u8]) -> Self {
        parse::parse(bytes, &Arc::default())
    }
}

/// Something wrong with a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What sort it is.
    pub kind: ProblemKind,
    /// One sentence with the remedy.
    pub message: String,
    /// `file` is left empty.
    pub place: Place,
}

/// What sort of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The document is not YAML, or holds what no tool of Kubernetes reads; it is left out.
    Syntax,
    /// The file is a template of Helm, Jinja or the like, not yet YAML; it has no documents.
    Template,
    /// The file or document is larger, deeper or more entangled than the limits; it is left out.
    Limit,
    /// A key is set twice. The document is readable: kubectl takes the last one.
    DuplicateKey,
    /// One tool reads the scalar otherwise than the other. The document is readable.
    Ambiguous,
}

impl ProblemKind {
    /// Whether the document (or file) with this problem is left out.
    pub fn is_fatal(self) -> bool {
        matches!(self, ProblemKind::Syntax | ProblemKind::Template | ProblemKind::Limit)
    }
}

/// One YAML document.
#[derive(Debug)]
pub struct Document {
    /// Position in the file, from 0; unreadable documents count.
    pub index: usize,
    arena: Arena,
    root: NodeId,
    /// Of all nodes, as written.
    size: Size,
    /// Of the root, aliases followed; no nodes for an empty document.
    expanded: Size,
    /// Line of the document's first node, for places in empty documents.
    line: u32,
    budget: Arc<Budget>,
    /// One per dialect.
    resolved: [OnceLock<Result<Arc<Value>, Box<Problem>>>; 3],
}

impl Document {
    /// The document as a tool of this dialect reads it (aliases expanded, merge keys merged), within the limits.
    /// Computed once per dialect.
    ///
    /// # Errors
    /// The first thing the tool refuses: `.nan`, a key that is no string (kustomize), a duplicate key (kustomize), …
    pub fn resolve(&self, dialect: Dialect) -> Result<Arc<Value>, Problem> {
        let resolved = self.resolved[dialect as usize]
            .get_or_init(|| resolve::resolve(self, dialect).map(Arc::new).map_err(Box::new));
        resolved.as_ref().map(Arc::clone).map_err(|problem| (**problem).clone())
    }

    /// Where the value at this JSON pointer stands, or the key of its nearest existing ancestor. Where the pointer
    /// crosses an alias or a merge key, the place is where the alias is used. `file` is left empty.
    pub fn locate(&self, pointer: &str) -> Place {
        locate::value(self, pointer)
    }

    /// Whether the file has this entry as text, whatever its dialect makes of the keys: when a resolved document lacks it,
    /// a key such as `on` or `y` was read as `true`.
    pub fn is_written(&self, pointer: &str) -> bool {
        locate::is_written(self, pointer)
    }

    /// When a key on the way of this JSON pointer is set twice in its map: the key, and the lines of the first and of the
    /// last time, which counts.
    pub fn set_twice(&self, pointer: &str) -> Option<(String, u32, u32)> {
        locate::set_twice(self, pointer)
    }

    /// Where the key of the entry at this JSON pointer stands; for list items and the root, as [`Document::locate`].
    pub fn locate_key(&self, pointer: &str) -> Place {
        locate::key(self, pointer)
    }
}

/// Learner text for a message: short, on one line.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::submission::tree::Tree;

    fn read(text: &str) -> YamlFile {
        YamlFile::parse(text.as_bytes())
    }

    fn value(text: &str, dialect: Dialect) -> Value {
        let file = read(text);
        assert!(file.problems.iter().all(|problem| !problem.kind.is_fatal()), "{:?}", file.problems);
        (*file.documents[0].resolve(dialect).unwrap()).clone()
    }

    /// Runs on a stack as small as that of a worker thread, and fails when it takes long.
    fn small_stack(seconds: u64, work: impl FnOnce() + Send + 'static) {
        let started = std::time::Instant::now();
        std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap();
        assert!(started.elapsed().as_secs() < seconds, "took {:?}", started.elapsed());
    }

    fn only_problem(text: &str) -> Problem {
        let mut file = read(text);
        assert_eq!(file.problems.len(), 1, "{:?}", file.problems);
        assert!(file.documents.is_empty());
        file.problems.remove(0)
    }

    fn at(place: &Place) -> (u32, u32, u32, u32) {
        let n = |n: Option<u32>| n.unwrap();
        (n(place.line), n(place.column), n(place.end_line), n(place.end_column))
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let file =
            read("a:\n  é: \"ü\" # c\n  list:\n    - x: 1\n    - [2, 3]\nempty:\ntext: |\n  one\n  two\nlast: 1\n");
        let document = &file.documents[0];
        let value = |pointer: &str| at(&document.locate(pointer));
        let key = |pointer: &str| at(&document.locate_key(pointer));
        assert_eq!((key("/a/é"), value("/a/é")), ((2, 3, 2, 4), (2, 6, 2, 9)));
        assert_eq!((key("/a"), value("/a")), ((1, 1, 1, 2), (2, 3, 5, 13)));
        assert_eq!(value("/a/list/0/x"), (4, 10, 4, 11));
        assert_eq!(value("/a/list/0"), (4, 7, 4, 11));
        assert_eq!(value("/a/list/1"), (5, 7, 5, 13));
        assert_eq!(value("/a/list/1/1"), (5, 11, 5, 12));
        assert_eq!(value("/empty"), (6, 1, 6, 6), "an empty value is pointed at by its key");
        assert_eq!(value("/text"), (8, 3, 9, 6));
        assert_eq!(value("/a/list/9"), (3, 3, 3, 7), "what is missing is looked for below its parent's key");
        assert_eq!(value("/a/nothing/here"), (1, 1, 1, 2));
        assert_eq!(document.locate("/a/nothing/here").pointer.as_deref(), Some("/a/nothing/here"));
    }

    #[test]
    fn a_merge_that_is_not_finished_is_said_at_its_first_line() {
        let problem = only_problem("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> upstream/main\nc: 3\n");
        assert!(
            problem.message.contains("a merge is not finished") && problem.message.contains("git add"),
            "{problem:?}"
        );
        assert_eq!(at(&problem.place), (2, 1, 2, 2));
        assert!(read("text: |\n  <<<<<<< a\n  >>>>>>> b\n").problems.is_empty(), "a text may speak of them");
        assert!(!only_problem("a: 1\n<<<<<<< HEAD\n").message.contains("merge"), "only both");
    }

    #[test]
    fn a_byte_order_mark_and_crlf_change_no_place() {
        let file = read("\u{feff}a: 1\r\nb:\r\n  c: 2\r\n");
        assert_eq!(at(&file.documents[0].locate("/b/c")), (3, 6, 3, 7));
        assert_eq!(at(&file.documents[0].locate("/a")), (1, 4, 1, 5));
        assert_eq!(*file.documents[0].resolve(Dialect::Kubectl).unwrap(), json!({"a": 1, "b": {"c": 2}}));
    }

    #[test]
    fn empty_documents_are_kept_and_counted() {
        let file = read("---\n---\na: 1\n---\n# only a comment\n---\nb: 2\n");
        let values: Vec<_> =
            file.documents.iter().map(|d| (d.index, (*d.resolve(Dialect::Kubectl).unwrap()).clone())).collect();
        assert_eq!(values, [(0, Value::Null), (1, json!({"a": 1})), (2, Value::Null), (3, json!({"b": 2}))]);
        assert!(read("").documents.is_empty());
        assert!(read("# nothing\n").documents.is_empty());
        assert!(read("").problems.is_empty());
    }

    #[test]
    fn an_error_costs_its_own_document_only() {
        let file = read("a: 1\n---\nb: [1, 2\n---\nc: 3\n---\nd: *nowhere\n---\ne: 5\n");
        let left: Vec<_> = file.documents.iter().map(|document| document.index).collect();
        assert_eq!(left, [0, 2, 4]);
        let lines: Vec<_> = file.problems.iter().map(|problem| problem.place.line.unwrap()).collect();
        assert_eq!(lines.len(), 2, "{:?}", file.problems);
        assert_eq!(lines[1], 7);
    }

    #[test]
    fn every_common_mistake_has_a_remedy() {
        for (text, line, remedy) in [
            ("a:\n\tb: 1\n", 2, "indent with spaces"),
            ("a: b: c\n", 1, "quote the value"),
            ("a: 1\n  b: 2\n", 2, "quote the value"),
            ("a:\n    b: 1\n  c: 2\n", 3, "give it the indentation of its neighbours"),
            ("a: \"x\n", 1, "add the closing quote"),
            ("a: [1, 2\n", 1, "add its partner"),
            ("a: - b\n", 1, "on a line of its own"),
            ("a: @x\n", 1, "quote it"),
            ("a: \"\\d\"\n", 1, "single quotes"),
            ("a: *b\n", 1, "add the anchor"),
            ("a: &x [*x]\n", 1, "write the value out"),
            ("? [a]\n: b\n", 1, "a key must be"),
            ("&x [a]: 1\n*x : 2\n", 1, "a key must be"),
            ("a: 1\nb\n", 2, "key: value"),
            ("a: \"x\" y\n", 1, "quote the whole value"),
            ("a: 'it's'\n", 1, "quote the whole value"),
            ("a: x\u{1}\n", 1, "delete it"),
            ("a: }\n", 1, "bracket"),
        ] {
            let problem = only_problem(text);
            assert!(problem.message.contains(remedy), "{text:?}: {}", problem.message);
            assert_eq!(problem.place.line, Some(line), "{text:?}: {}", problem.message);
            assert!(problem.place.column.is_some_and(|column| column >= 1));
        }
        assert!(YamlFile::parse(b"a: \xff\n").problems[0].message.contains("UTF-8"));
        assert!(YamlFile::parse(b"\xff\xfea\0").problems[0].message.contains("UTF-16"));
        assert!(YamlFile::parse(b"\x7fELF\0\0").problems[0].message.contains("control character"));
    }

    #[test]
    fn templates_are_told_from_yaml_with_braces() {
        for template in [
            "a: {{ .Values.x }}\n",
            "{{- if .Values.on }}\na: 1\n{{- end }}\n",
            "a: 1\n{% if x %}\nb: 2\n{% endif %}\n",
            "a:\n  {{- toYaml .Values.x | nindent 2 }}\n",
            "list:\n  - {{ item }}\n",
            "a: {{ include \"x\" . }}-suffix\n",
        ] {
            let problem = only_problem(template);
            assert_eq!(problem.kind, ProblemKind::Template, "{template:?}: {}", problem.message);
            assert!(problem.message.contains("render it first"));
        }
        for yaml in [
            "name: ${{ values.name }}\n",
            "name: '{{.cluster}}'\n",
            "summary: Instance {{ $labels.instance }} down\n",
            "text: |\n  {{ $x }}\n  {% if %}\nb: 1\n",
            "a: {b: {c: 1}}\n",
            "# {{ comment }}\na: 1\n",
            "a: \"{% x %}\"\n",
        ] {
            let file = read(yaml);
            assert!(file.problems.is_empty(), "{yaml:?}: {:?}", file.problems);
        }
        let other = only_problem("text: |\n  {{ $x }}\nb:\n\tc: 1\n");
        assert_eq!(other.kind, ProblemKind::Syntax, "braces that are YAML explain no tab: {}", other.message);
    }

    #[test]
    fn a_key_that_is_set_twice_names_both_lines_and_the_last_counts() {
        let file = read("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n");
        assert_eq!(file.problems.len(), 1);
        assert_eq!(file.problems[0].kind, ProblemKind::DuplicateKey);
        assert!(file.problems[0].message.contains("in line 3 and in line 5"), "{:?}", file.problems);
        assert_eq!(file.problems[0].place.line, Some(5));
        let document = &file.documents[0];
        assert_eq!(document.resolve(Dialect::Kubectl).unwrap()["b"]["c"], 3);
        assert_eq!(document.locate("/b/c").line, Some(5));
        let refused = document.resolve(Dialect::Kustomize).unwrap_err();
        assert_eq!(refused.place.line, Some(5));
    }

    // Measured with kubectl 1.35.4 and kustomize 5.7.1.
    #[test]
    fn merges_are_those_of_the_tool() {
        let text = "base: &b {p: 1, q: 2}\ntwo: &c {p: 5, r: 6}\nafter: {p: 9, <<: *b}\nbefore: {<<: *b, p: 9}\nlist: {<<: [*b, *c]}\nquoted: {\"<<\": 1}\n";
        let kubectl = value(text, Dialect::Kubectl);
        assert_eq!(kubectl["after"], json!({"p": 1, "q": 2}));
        assert_eq!(kubectl["before"], json!({"p": 9, "q": 2}));
        assert_eq!(kubectl["list"], json!({"p": 1, "q": 2, "r": 6}));
        assert_eq!(kubectl["quoted"], json!({"<<": 1}));
        let kustomize = value(text, Dialect::Kustomize);
        assert_eq!(kustomize["after"], json!({"p": 9, "q": 2}));
        assert_eq!(kustomize["before"], json!({"p": 9, "q": 2}));
        assert_eq!(kustomize["list"], json!({"p": 1, "q": 2, "r": 6}));
        let file = read("a: {<<: 3}\n");
        assert!(file.documents[0].resolve(Dialect::Kubectl).unwrap_err().message.contains("merges a map"));
    }

    #[test]
    fn what_comes_by_an_alias_stands_where_the_alias_is_used() {
        let file = read("base: &b\n  x: 1\nuse: *b\nmerged:\n  <<: *b\n  y: 2\n");
        let document = &file.documents[0];
        assert_eq!(at(&document.locate("/base/x")), (2, 6, 2, 7));
        assert_eq!(at(&document.locate("/use/x")), (3, 6, 3, 8));
        assert_eq!(at(&document.locate("/merged/x")), (5, 7, 5, 9));
        assert_eq!(at(&document.locate_key("/merged/x")), (5, 3, 5, 5));
        assert_eq!(document.locate("/merged/y").line, Some(6));
    }

    // Measured with kubectl 1.35.4 and kustomize 5.7.1.
    #[test]
    fn keys_that_are_no_text_are_read_as_the_tool_reads_them() {
        let text = "y: 1\n0644: 2\n1.5: 3\n2026-01-01: 4\n\"yes\": 5\n";
        assert_eq!(value(text, Dialect::Kubectl), json!({"true": 1, "420": 2, "1.5": 3, "2026-01-01": 4, "yes": 5}));
        let file = read(text);
        assert_eq!(file.documents[0].locate("/420").line, Some(2));
        assert!(file.documents[0].resolve(Dialect::Kustomize).unwrap_err().message.contains("quote it"));
        assert!(read("~: 1\n").documents[0].resolve(Dialect::Kubectl).is_err());
        assert_eq!(value("y: 1\n", Dialect::Kustomize), json!({"y": 1}));
    }

    #[test]
    fn a_billion_laughs_is_refused_before_anybody_laughs() {
        small_stack(5, || {
            let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
            for n in 1..12 {
                let row = vec![format!("*a{}", n - 1); 10].join(", ");
                text += &format!("a{n}: &a{n} [{row}]\n");
            }
            let problem = only_problem(&text);
            assert_eq!(problem.kind, ProblemKind::Limit);
            assert!(problem.message.contains("2000000"), "{}", problem.message);
        });
    }

    #[test]
    fn forty_thousand_aliases_of_a_long_text_are_refused() {
        small_stack(5, || {
            let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 40_000].join(","));
            let problem = only_problem(&text);
            assert_eq!(problem.kind, ProblemKind::Limit);
            assert!(problem.message.contains("64 MB"), "{}", problem.message);
        });
    }

    #[test]
    fn deep_nesting_is_refused_flow_block_and_by_aliases() {
        small_stack(10, || {
            let block: String = (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
            let mut chain = "a0: &a0 [[[[[[[[[[1]]]]]]]]]]\n".to_owned();
            for n in 1..20 {
                chain += &format!("a{n}: &a{n} [[[[[[[[[[*a{}]]]]]]]]]]\n", n - 1);
            }
            for text in [
                format!("a: {}1{}\n", "[".repeat(10_000), "]".repeat(10_000)),
                format!("a: {}1{}\n", "{a: ".repeat(10_000), "}".repeat(10_000)),
                "- ".repeat(1_000_000),
                block,
                chain,
            ] {
                let file = read(&text);
                assert_eq!(file.problems[0].kind, ProblemKind::Limit, "{:?}", file.problems[0]);
                assert!(file.problems[0].message.contains("flatten"), "{:?}", file.problems[0]);
            }
        });
    }

    #[test]
    fn nesting_up_to_the_limit_is_read_located_and_dropped() {
        small_stack(5, || {
            let depth = MAX_DEPTH as usize - 1;
            let text = format!("{}1{}\n", "[".repeat(depth), "]".repeat(depth));
            let file = read(&text);
            assert!(file.problems.is_empty(), "{:?}", file.problems);
            assert!(file.documents[0].resolve(Dialect::Kubectl).is_ok());
            file.documents[0].locate(&"/0".repeat(depth));
        });
    }

    #[test]
    fn too_many_values_documents_or_bytes_are_refused() {
        small_stack(60, || {
            let many = format!("[{}]", "0,".repeat(2_000_001));
            assert_eq!(read(&many).problems[0].kind, ProblemKind::Limit);
            let documents = "---\n".repeat(MAX_DOCUMENTS + 5);
            let file = read(&documents);
            assert_eq!(file.documents.len(), MAX_DOCUMENTS);
            assert!(file.problems[0].message.contains("split it"), "{:?}", file.problems);
            assert_eq!(read(&" ".repeat(MAX_FILE_BYTES + 1)).problems[0].kind, ProblemKind::Limit);
            let broken = "a: [\n---\n".repeat(5_000);
            assert!(read(&broken).problems.len() <= limits::MAX_PROBLEMS);
        });
    }

    #[test]
    fn a_thousand_small_bombs_are_one_big_one() {
        let mut tree = Tree::default();
        let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for n in 1..5 {
            bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
        }
        for n in 0..40 {
            tree.insert_file(format!("{n:02}.yaml"), bomb.clone().into_bytes());
        }
        let files = YamlFiles::new(&tree);
        let refused = tree.paths().filter(|path| {
            let file = files.get(path).unwrap();
            file.yaml().documents[0].resolve(Dialect::Kubectl).is_err_and(|problem| problem.kind == ProblemKind::Limit)
        });
        let refused = refused.count();
        assert!((10..40).contains(&refused), "{refused}");
    }

    /// Text that looks enough like YAML to get far into the parser.
    fn yamlish() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("a"),
            Just(": "),
            Just("\n"),
            Just("  "),
            Just("- "),
            Just("["),
            Just("]"),
            Just("{"),
            Just("}"),
            Just(","),
            Just("&x "),
            Just("*x"),
            Just("<<: "),
            Just("|\n"),
            Just(">-\n"),
            Just("\""),
            Just("'"),
            Just("---\n"),
            Just("...\n"),
            Just("!!int "),
            Just("!t "),
            Just("# c\n"),
            Just("\t"),
            Just("? "),
            Just("0644"),
            Just("yes"),
            Just(".inf"),
            Just("2026-01-01"),
            Just("é"),
            Just("{{ x }}"),
            Just("{% y %}"),
            Just("%YAML 1.2\n"),
            Just("\r\n"),
            Just("\u{feff}"),
            Just("1_000"),
            Just("~"),
        ];
        proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
    }

    fn use_all_of(file: &YamlFile, text: &str) -> Result<(), TestCaseError> {
        let lines = text.matches(['\n', '\r']).count() as u32 + 2;
        let within = |place: &Place| {
            place.line.is_none_or(|line| (1..=lines).contains(&line))
                && place.column.is_none_or(|column| column >= 1)
                && (place.line, place.column) <= (place.end_line, place.end_column)
        };
        for problem in &file.problems {
            prop_assert!(within(&problem.place), "{:?}", problem);
        }
        for document in &file.documents {
            for problem in ambiguities(document) {
                prop_assert!(within(&problem.place), "{:?}", problem);
            }
            for dialect in [Dialect::Kubectl, Dialect::Kustomize, Dialect::Yaml12] {
                let Ok(value) = document.resolve(dialect) else { continue };
                let mut pointers = vec![(String::new(), &*value)];
                while let Some((pointer, value)) = pointers.pop() {
                    prop_assert!(document.is_written(&pointer), "{pointer} of {value}");
                    prop_assert!(within(&document.locate(&pointer)), "{pointer} {:?}", document.locate(&pointer));
                    document.locate_key(&pointer);
                    document.set_twice(&pointer);
                    match value {
                        Value::Array(items) => {
                            pointers.extend(items.iter().enumerate().map(|(n, item)| (format!("{pointer}/{n}"), item)));
                        }
                        Value::Object(map) => {
                            let escape = crate::checkpoint::matching::escape;
                            pointers.extend(map.iter().map(|(key, item)| (format!("{pointer}/{}", escape(key)), item)));
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

        #[test]
        fn nothing_that_looks_like_yaml_panics_and_all_that_is_read_has_its_place(text in yamlish()) {
            use_all_of(&read(&text), &text)?;
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let file = YamlFile::parse(&bytes);
            use_all_of(&file, &String::from_utf8_lossy(&bytes))?;
        }

        #[test]
        fn json_is_yaml(value in "[a-z]{1,3}", n in any::<i64>(), flag in any::<bool>(), text in "[ -~é]{0,20}") {
            let json = json!({value: [n, flag, {"t": text}]});
            let read = read(&serde_json::to_string_pretty(&json).unwrap());
            prop_assert!(read.problems.is_empty(), "{:?}", read.problems);
            prop_assert_eq!(&*read.documents[0].resolve(Dialect::Yaml12).unwrap(), &json);
        }
    }
}
