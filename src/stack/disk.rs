//! Files that only we may read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// To be opened for writing.
pub fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.create(true).mode(0o600);
    options
}

/// Writes a file below a directory, with the directories between them.
pub fn write(dir: &Path, below: &Path, content: &str) -> io::Result<()> {
    let path = dir.join(below);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    private().write(true).truncate(true).open(path)?.write_all(content.as_bytes())
}

/// Writes a file that has to be whole after a crash: it is replaced in one go.
pub fn replace(dir: &Path, below: &Path, content: &str) -> io::Result<()> {
    let path = dir.join(below);
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent)?;
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(content.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_stack_are_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        for write in [write, replace] {
            write(dir.path(), Path::new("pki/a.key"), "x").unwrap();
            let mode = fs::metadata(dir.path().join("pki/a.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            fs::remove_dir_all(dir.path().join("pki")).unwrap();
        }
    }
}
