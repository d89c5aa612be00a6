//! JSON Schemas of all kinds, from the Rust types. Committed under `docs/schemas/` for editors and for users of reports.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::kinds::{CourseFile, ModuleFile, MutantFile, TaskFile, WorkspaceFile};
use crate::config::kinds::Config;
use crate::grade::proof::ProofList;
use crate::grade::report::{Report, ReportList};
use crate::gradebook::decision::kinds::{ExtensionFile, OverrideFile, QuarantineFile, WaiverFile};
use crate::gradebook::grades::Grades;

/// File name and text of each schema.
pub fn schemas() -> Vec<(&'static str, String)> {
    vec![
        ("course.schema.json", text::<CourseFile>()),
        ("module.schema.json", text::<ModuleFile>()),
        ("task.schema.json", text::<TaskFile>()),
        ("mutant.schema.json", text::<MutantFile>()),
        ("workspace.schema.json", text::<WorkspaceFile>()),
        ("report.schema.json", text::<Report>()),
        ("report-list.schema.json", text::<ReportList>()),
        ("proof-list.schema.json", text::<ProofList>()),
        ("grades.schema.json", text::<Grades>()),
        ("waiver.schema.json", text::<WaiverFile>()),
        ("extension.schema.json", text::<ExtensionFile>()),
        ("override.schema.json", text::<OverrideFile>()),
        ("quarantine.schema.json", text::<QuarantineFile>()),
        ("config.schema.json", text::<Config>()),
    ]
}

fn text<T: JsonSchema>() -> String {
    let schema: Schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_schemas_are_those_of_the_types() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
        let mut stale = Vec::new();
        for (name, text) in schemas() {
            if std::fs::read_to_string(dir.join(name)).is_ok_and(|committed| committed == text) {
                continue;
            }
            stale.push(name);
        }
        assert!(stale.is_empty(), "stale: {stale:?}; run `cargo run -- schema --write docs/schemas`");
        let committed = std::fs::read_dir(dir).expect("docs/schemas").count();
        assert_eq!(committed, schemas().len(), "docs/schemas/ holds a file that nothing writes");
    }

    #[test]
    fn the_page_for_authors_names_every_field() {
        let page = include_str!("../../docs/authoring.md");
        let mut missing = Vec::new();
        for (name, text) in schemas()
            .into_iter()
            .filter(|(name, _)| ["task", "mutant"].map(|k| format!("{k}.schema.json")).contains(&(*name).to_owned()))
        {
            let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let own =
                ["TaskSpec", "Checkpoint", "Hint", "Parameter", "IntRange", "Edit"].map(|name| &schema["$defs"][name]);
            for object in own.into_iter().chain([&schema]) {
                let fields = object["properties"].as_object().into_iter().flatten().map(|(field, _)| field);
                // `withheld` is written by publishing only; the first two hold all the others.
                let told = |field: &str| {
                    ["metadata", "spec", "withheld"].contains(&field)
                        || [format!("`{field}`"), format!("`spec.{field}`"), format!("{field}:")]
                            .iter()
                            .any(|way| page.contains(way))
                };
                missing.extend(fields.filter(|field| !told(field)).map(|field| format!("{name}: {field}")));
            }
        }
        assert!(missing.is_empty(), "docs/authoring.md does not name {missing:?}");
    }
}
