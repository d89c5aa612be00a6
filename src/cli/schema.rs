//! `gradus schema`: print or write the JSON Schemas of all kinds.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::course::schema::schemas;

/// Print or write the JSON Schemas of all kinds
///
/// For editors: put `# yaml-language-server: $schema=PATH` on the first line of a file.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print only this kind, as in `task` or `report`
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Write one file per kind into this directory instead
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    write: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    match (args.write, args.kind) {
        (Some(dir), _) => write(&dir),
        (None, Some(kind)) => print(&kind),
        (None, None) => {
            let all: serde_json::Map<String, serde_json::Value> = schemas()
                .into_iter()
                .map(|(name, text)| (stem(name).to_owned(), serde_json::from_str(&text).unwrap_or_default()))
                .collect();
            // A reader that has seen enough, as in `gradus schema | head`, is no error.
            let _ = writeln!(std::io::stdout(), "{:#}", serde_json::Value::Object(all));
            ExitCode::from(super::EXIT_PASS)
        }
    }
}

fn stem(name: &str) -> &str {
    name.trim_end_matches(".schema.json")
}

fn print(kind: &str) -> ExitCode {
    let kind = kind.to_lowercase();
    match schemas().into_iter().find(|(name, _)| stem(name).replace('-', "") == kind.replace('-', "")) {
        Some((_, text)) => {
            print!("{text}");
            ExitCode::from(super::EXIT_PASS)
        }
        None => {
            let known: Vec<String> = schemas().iter().map(|(name, _)| stem(name).to_owned()).collect();
            eprintln!("error: no kind is called `{kind}`: one of {}", known.join(", "));
            ExitCode::from(super::EXIT_USAGE)
        }
    }
}

fn write(dir: &std::path::Path) -> ExitCode {
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| schemas().into_iter().try_for_each(|(name, text)| std::fs::write(dir.join(name), text)));
    match written {
        Ok(()) => ExitCode::from(super::EXIT_PASS),
        Err(error) => {
            eprintln!("error: cannot write {}: {error}", dir.display());
            ExitCode::from(super::EXIT_USAGE)
        }
    }
}
