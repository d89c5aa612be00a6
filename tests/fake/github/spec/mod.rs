//! GitHub's own description of its API: which requests and answers there are.

pub mod cache;
pub mod cut;
pub mod graphql;
pub mod recorded;

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// One operation of the REST API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// As in `pulls/create-review`.
    pub id: String,
    method: String,
    path: String,
    #[serde(skip)]
    segments: Vec<String>,
    parameters: Vec<Parameter>,
    body_required: bool,
    body: Value,
    responses: HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    r#in: String,
    required: bool,
    schema: Value,
}

#[derive(Deserialize)]
struct Cut {
    operations: Vec<Operation>,
    schemas: Map<String, Value>,
}

/// The operations that the fake offers.
pub struct Spec {
    operations: Vec<Operation>,
    schemas: Map<String, Value>,
    validators: Mutex<HashMap<(String, String), Arc<Validator>>>,
    /// Hashes of what was found good, answers and values of parameters: the same is asked for again and again.
    good: Mutex<BTreeSet<u64>>,
}

/// The description, cut to these operations once per version and list of operations.
pub fn load(operations: &[&str]) -> Spec {
    let mut key = Sha256::new();
    key.update(cut::FORMAT.to_string());
    operations.iter().for_each(|id| key.update(format!("\n{id}")));
    let name = format!("github-rest-{}-{}.json", cache::OPENAPI.version, &hex::encode(key.finalize())[..16]);
    let file = cache::root().join("npm").join(name);
    // Two steps, each under the lock by itself.
    let whole = if file.exists() { None } else { Some(cache::OPENAPI.directory().join(cache::OPENAPI.keep[0])) };
    cache::once(&file, |draft| {
        let whole =
            std::fs::read(whole.expect("it is fetched where the cut was missing")).expect("npm just unpacked it");
        let whole: Value = serde_json::from_slice(&whole).expect("the description is JSON");
        let part = cut::cut(&whole, operations);
        std::fs::write(draft, part.to_string()).expect("the cache directory can be written: see GRADUS_CACHE");
    });
    let text = std::fs::read(&file).expect("it was just written");
    let mut cut: Cut =
        serde_json::from_slice(&text).expect("the cut description is what `cut` writes: delete it otherwise");
    for operation in &mut cut.operations {
        operation.segments = operation.path.split('/').map(str::to_owned).collect();
    }
    for id in operations {
        assert!(cut.operations.iter().any(|known| known.id == *id), "GitHub's description has no operation `{id}`");
    }
    Spec { operations: cut.operations, schemas: cut.schemas, validators: Mutex::default(), good: Mutex::default() }
}

impl Spec {
    /// The operation with this method and path, of several the one with the most literal path; and the path's values.
    pub fn find(&self, method: &str, path: &str) -> Option<(&str, HashMap<String, String>)> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |operation: &&Operation| {
            operation.method == method
                && operation.segments.len() == segments.len()
                && operation.segments.iter().zip(&segments).all(|(known, given)| match known.starts_with('{') {
                    true => !given.is_empty(),
                    false => known == given,
                })
        };
        let operation =
            self.operations.iter().filter(fits).min_by_key(|operation| operation.path.matches('{').count())?;
        let parameter = |(known, given): (&String, &&str)| {
            let name = known.strip_prefix('{')?.strip_suffix('}')?;
            Some((name.to_owned(), decode(given)))
        };
        Some((&operation.id, operation.segments.iter().zip(&segments).filter_map(parameter).collect()))
    }

    /// Everything about a request that GitHub does not describe.
    pub fn check_request(
        &self,
        operation: &str,
        path: &HashMap<String, String>,
        query: &[(String, String)],
        body: Option<&Value>,
    ) -> Vec<String> {
        let operation = self.operations.iter().find(|known| known.id == operation);
        let operation = operation.expect("routes are operations of the description");
        let mut wrong = Vec::new();
        for (name, text) in path {
            match operation.parameters.iter().find(|parameter| parameter.r#in == "path" && parameter.name == *name) {
                Some(parameter) => wrong.extend(self.check_text(&operation.id, parameter, text)),
                None => wrong.push(format!("path parameter `{name}` is not described")),
            }
        }
        for (name, text) in query {
            match operation.parameters.iter().find(|parameter| parameter.r#in == "query" && parameter.name == *name) {
                Some(parameter) => wrong.extend(self.check_text(&operation.id, parameter, text)),
                None => wrong.push(format!("query parameter `{name}` is not described")),
            }
            // Said in prose only.
            if name == "per_page" && !text.parse::<u32>().is_ok_and(|count| (1..=100).contains(&count)) {
                wrong.push(format!("`per_page={text}`: GitHub gives 1 to 100"));
            }
            if name == "page" && !text.parse::<u32>().is_ok_and(|page| page >= 1) {
                wrong.push(format!("`page={text}`: pages count from 1"));
            }
        }
        for parameter in operation.parameters.iter().filter(|p| p.required && p.r#in == "query") {
            if query.iter().all(|(name, _)| *name != parameter.name) {
                wrong.push(format!("query parameter `{}` is missing", parameter.name));
            }
        }
        match (body, operation.body.is_null()) {
            (None, _) if operation.body_required => wrong.push("the body is missing".to_owned()),
            (Some(_), true) => wrong.push("there is a body, GitHub describes none".to_owned()),
            (Some(body), false) => {
                let validator = self.validator(&operation.id, "body", &operation.body);
                wrong.extend(validator.iter_errors(body).map(|error| format!("body {}", said(&error))));
            }
            _ => {}
        }
        wrong
    }

    /// Everything about an answer of the fake that GitHub does not describe.
    pub fn check_answer(&self, operation: &str, status: u16, body: Option<&Value>, bytes: &[u8]) -> Vec<String> {
        let hash = hash((operation, status, bytes));
        if self.is_good(hash) {
            return Vec::new();
        }
        let Some(operation) = self.operations.iter().find(|known| known.id == operation) else {
            return Vec::new();
        };
        let described = operation.responses.get(&status.to_string());
        let wrong: Vec<String> = match (described, body) {
            (None, _) if status < 400 => vec![format!("answers {status}, which is not described")],
            (Some(schema), Some(body)) if !schema.is_null() => {
                let validator = self.validator(&operation.id, &status.to_string(), schema);
                let errors = validator.iter_errors(body).filter(|error| !known(&operation.id, error));
                errors.map(|error| format!("answer {}", said(&error))).collect()
            }
            (Some(schema), None) if !schema.is_null() => vec![format!("answers {status} without a body")],
            (Some(_), Some(_)) if status < 400 => vec![format!("answers {status} with a body, none is described")],
            // GitHub answers 401, 404 and the like everywhere, described or not, with a message.
            (_, body) if status >= 400 && body.is_none_or(|body| !body["message"].is_string()) => {
                vec![format!("answers {status} without a message")]
            }
            _ => Vec::new(),
        };
        if wrong.is_empty() {
            self.remember(hash);
        }
        wrong.into_iter().map(|what| format!("the fake itself, {}: {what}", operation.id)).collect()
    }

    /// Whether a text of an address is what its parameter's schema says.
    fn check_text(&self, operation: &str, parameter: &Parameter, text: &str) -> Option<String> {
        let hash = hash((operation, &parameter.name, text));
        if self.is_good(hash) {
            return None;
        }
        let wrong = check_text(parameter, text);
        if wrong.is_none() {
            self.remember(hash);
        }
        wrong
    }

    fn is_good(&self, hash: u64) -> bool {
        self.good.lock().is_ok_and(|good| good.contains(&hash))
    }

    fn remember(&self, hash: u64) {
        if let Ok(mut good) = self.good.lock() {
            good.insert(hash);
        }
    }

    fn validator(&self, operation: &str, part: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("nothing panics while it holds this lock");
        let key = (operation.to_owned(), part.to_owned());
        let made = validators.entry(key).or_insert_with(|| {
            let whole = json!({"allOf": [schema], "components": {"schemas": self.schemas}});
            let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
            Arc::new(options.build(&whole).expect("the cut description is a JSON Schema"))
        });
        Arc::clone(made)
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Where and what, without the values: they may be pages long.
fn said(error: &ValidationError<'_>) -> String {
    let at = error.instance_path();
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } = error.kind() {
        let choices = context.iter().map(|errors| errors.iter().map(said).collect::<Vec<_>>().join(", "));
        return format!("at `{at}`: none of ({})", choices.collect::<Vec<_>>().join(") or ("));
    }
    format!("at `{at}`: {}", error.masked())
}

/// Where GitHub answers null and does not describe it: operations that begin so, places that end so.
const NULL: [(&str, &str); 3] = [
    // The fork is gone.
    ("pulls/", "/head/repo"),
    // The line is gone from the diff.
    ("pulls/list-review-comments", "/position"),
    ("pulls/list-review-comments", "/line"),
];

/// Where GitHub answers otherwise than it describes.
fn known(operation: &str, error: &ValidationError<'_>) -> bool {
    let at = error.instance_path().as_str();
    let null = error.instance().is_null();
    let nulls = || NULL.iter().any(|(begins, ends)| operation.starts_with(begins) && at.ends_with(ends));
    // Said to be a user and an enterprise at once.
    (null && nulls()) || (operation == "apps/list-installations" && at.ends_with("/account"))
}

fn check_text(parameter: &Parameter, text: &str) -> Option<String> {
    let kind = parameter.schema["type"].as_str().unwrap_or("string");
    let value = match kind {
        "integer" | "number" => text.parse::<i64>().map(Value::from).unwrap_or_else(|_| Value::from(text)),
        "boolean" => text.parse::<bool>().map(Value::from).unwrap_or_else(|_| Value::from(text)),
        _ => Value::from(text),
    };
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    let validator = options.build(&parameter.schema).expect("the cut description is a JSON Schema");
    let error = validator.iter_errors(&value).next().map(|error| error.to_string());
    error.map(|error| format!("`{}={text}`: {error}", parameter.name))
}

/// Undoes percent-encoding.
pub fn decode(text: &str) -> String {
    // `form_urlencoded` also turns `+` into a space; in a path it is itself.
    let kept = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={}", kept.replace('&', "%26").replace(';', "%3B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
