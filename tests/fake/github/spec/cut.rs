//! Cuts GitHub's OpenAPI description (13 MB) down to the operations that the fake offers, as JSON Schema.
//!
//! OpenAPI 3.0 is not JSON Schema: `nullable` becomes a type, and request bodies are closed, so that a property which
//! GitHub does not declare is found.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Raise it when this file changes what it writes.
pub const FORMAT: u32 = 1;

const SCHEMA: &str = "#/components/schemas/";

/// The part of the description for these operation ids.
pub fn cut(spec: &Value, operations: &[&str]) -> Value {
    let mut cut = Vec::new();
    let mut used = BTreeSet::new();
    let paths = spec["paths"].as_object().expect("an OpenAPI description has paths");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let id = operation["operationId"].as_str().unwrap_or_default();
            if operations.contains(&id) {
                let part = one(spec, path, method, id, operation);
                mentions(spec, &part, &mut used);
                cut.push(part);
            }
        }
    }
    let schemas: Map<String, Value> =
        used.iter().map(|name| (name.clone(), schema(&spec["components"]["schemas"][name.as_str()]))).collect();
    json!({"operations": cut, "schemas": schemas})
}

fn one(spec: &Value, path: &str, method: &str, id: &str, operation: &Value) -> Value {
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
        let parameter = resolve(spec, parameter);
        json!({
            "name": parameter["name"],
            "in": parameter["in"],
            "required": parameter["required"].as_bool().unwrap_or(false),
            "schema": schema(&inline(spec, &parameter["schema"])),
        })
    });
    let body = &operation["requestBody"];
    let body_schema = &body["content"]["application/json"]["schema"];
    let responses: Map<String, Value> = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(status, response)| {
            (status.clone(), schema(&resolve(spec, response)["content"]["application/json"]["schema"]))
        })
        .collect();
    json!({
        "id": id,
        "method": method.to_ascii_uppercase(),
        "path": path,
        "parameters": parameters.collect::<Vec<_>>(),
        "bodyRequired": body["required"].as_bool().unwrap_or(false),
        "body": if body_schema.is_null() { Value::Null } else { closed(schema(&inline(spec, body_schema))) },
        "responses": responses,
    })
}

/// What a reference names, followed to the end.
fn resolve<'a>(spec: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        value = spec.pointer(&reference[1..]).expect("references of the description lead somewhere");
    }
    value
}

/// The value with all references replaced. For request bodies and parameters, which are small.
fn inline(spec: &Value, value: &Value) -> Value {
    match resolve(spec, value) {
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), inline(spec, v))).collect()),
        Value::Array(items) => items.iter().map(|item| inline(spec, item)).collect(),
        other => other.clone(),
    }
}

/// Adds the names of all schemas that a value leads to.
fn mentions(spec: &Value, value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(SCHEMA))
                && used.insert(name.to_owned())
            {
                mentions(spec, &spec["components"]["schemas"][name], used);
            }
            map.values().for_each(|value| mentions(spec, value, used));
        }
        Value::Array(items) => items.iter().for_each(|item| mentions(spec, item, used)),
        _ => {}
    }
}

/// An OpenAPI 3.0 schema as a JSON Schema, without prose.
fn schema(value: &Value) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let mut out = Map::new();
    for (key, value) in map {
        let kept = match key.as_str() {
            "description" | "example" | "examples" | "title" | "externalDocs" | "deprecated" | "nullable"
            | "discriminator" | "default" => continue,
            key if key.starts_with("x-") => continue,
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                Value::Object(properties.map(|(name, value)| (name.clone(), schema(value))).collect())
            }
            "anyOf" | "oneOf" | "allOf" => value.as_array().into_iter().flatten().map(schema).collect(),
            "items" | "additionalProperties" | "not" => schema(value),
            _ => value.clone(),
        };
        out.insert(key.clone(), kept);
    }
    if map.get("nullable") != Some(&Value::Bool(true)) {
        return Value::Object(out);
    }
    json!({"anyOf": [{"type": "null"}, out]})
}

/// The schema with every object that names its properties closed to others. Parts of an `allOf` stay open: each sees all.
fn closed(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let mut out: Map<String, Value> = map
        .into_iter()
        .map(|(key, value)| {
            let value = match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    Value::Object(properties.into_iter().map(|(name, value)| (name, closed(value))).collect())
                }
                ("anyOf" | "oneOf", Value::Array(choices)) => choices.into_iter().map(closed).collect(),
                ("items", value) => closed(value),
                (_, value) => value,
            };
            (key, value)
        })
        .collect();
    if out.contains_key("properties") && !out.contains_key("additionalProperties") {
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(out)
}
