//! Copies of store and gradebook: a dry run changes neither.

use std::path::Path;

use super::ServeError;
use crate::config::kinds::{Config, GradebookConfig};
use crate::gradebook::Gradebook;
use crate::server::serve::data::Data;
use crate::store::Store;

/// Makes them, in a directory that lasts as long as they are used.
pub(super) async fn copied(config: &Config, data: &Data) -> Result<(Store, Gradebook, tempfile::TempDir), ServeError> {
    let failed = |source| ServeError::Dir { path: std::env::temp_dir(), source };
    let copies = tempfile::tempdir().map_err(failed)?;
    let path = copies.path().join("gradus.db");
    if config.database().is_file() {
        let store = Store::open(&config.database()).await?;
        store.copy_to(&path).await?;
        store.close().await;
    }
    let store = Store::open(&path).await?;
    // What is paused is what would be written: here that is the question.
    store.resume().await?;
    let from = match &config.gradebook {
        GradebookConfig::Dir(dir) => dir.clone(),
        GradebookConfig::Local | GradebookConfig::Git(_) => data.gradebook(),
    };
    let book = copies.path().join("gradebook");
    copy(&from, &book).map_err(|source| ServeError::Dir { path: from, source })?;
    Ok((store, Gradebook::new(book), copies))
}

/// Copies files and directories of them; what begins with a dot is no part of a gradebook.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let entries = match std::fs::read_dir(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
