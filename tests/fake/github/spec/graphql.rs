//! GitHub's GraphQL schema.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

use super::cache;

static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    let file = cache::GRAPHQL.directory().join(cache::GRAPHQL.keep[0]);
    let text = std::fs::read_to_string(file).expect("npm just unpacked it");
    // It defines two fields of `EnterpriseOwnerInfo` twice; the first ones count. Apart from that GitHub's schema is taken
    // as good: checking it would take longer than reading it.
    let read = Schema::parse(text, "schema.graphql").unwrap_or_else(|wrong| {
        let other = wrong.errors.iter().find(|error| !error.to_string().contains("duplicate definitions for the"));
        assert!(other.is_none(), "GitHub's GraphQL schema cannot be read: {}", wrong.errors);
        wrong.partial
    });
    Valid::assume_valid(read)
});

static DOCUMENTS: LazyLock<Mutex<HashMap<String, Arc<Valid<ExecutableDocument>>>>> = LazyLock::new(Mutex::default);

/// The schema.
pub fn schema() -> &'static Valid<Schema> {
    &SCHEMA
}

/// A document, held to the schema. Otherwise what is wrong with it.
pub fn document(text: &str) -> Result<Arc<Valid<ExecutableDocument>>, String> {
    let mut documents = DOCUMENTS.lock().expect("nothing panics while it holds this lock");
    if let Some(known) = documents.get(text) {
        return Ok(Arc::clone(known));
    }
    let read = ExecutableDocument::parse_and_validate(schema(), text, "document.graphql");
    let read = Arc::new(read.map_err(|wrong| wrong.errors.to_string())?);
    documents.insert(text.to_owned(), Arc::clone(&read));
    Ok(read)
}
