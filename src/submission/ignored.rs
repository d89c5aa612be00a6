//! Files that lie in a working tree and count for nothing, since Git ignores them.

use std::path::Path;

use git2::{Repository, Status, StatusOptions, StatusShow};

use super::read::ReadError;

/// The files below a directory that Git ignores, relative to it. Directories that are ignored as a whole, such as
/// `node_modules/`, are not looked into. None where there is no Git.
pub fn ignored(dir: &Path) -> Result<Vec<String>, ReadError> {
    let dir = dir.canonicalize().map_err(ReadError::io(dir))?;
    let Ok(repository) = Repository::discover(&dir) else { return Ok(Vec::new()) };
    let top = repository.workdir().and_then(|top| top.canonicalize().ok());
    let Some(inside) = top.and_then(|top| dir.strip_prefix(top).ok().map(Path::to_owned)) else {
        return Ok(Vec::new());
    };
    let mut options = StatusOptions::new();
    // Ignored files of a directory that Git does not know at all are seen only when new ones are asked for, too.
    options.show(StatusShow::Workdir).include_ignored(true).recurse_ignored_dirs(false);
    options.include_untracked(true).recurse_untracked_dirs(true);
    options.no_refresh(true).disable_pathspec_match(true);
    if inside != Path::new("") {
        options.pathspec(&inside);
    }
    let found = repository.statuses(Some(&mut options)).map_err(ReadError::git("look for ignored files"))?;
    let files = found.iter().filter(|entry| entry.status() == Status::IGNORED).filter_map(|entry| {
        let path = Path::new(std::str::from_utf8(entry.path_bytes()).ok()?).strip_prefix(&inside).ok()?.to_owned();
        path.to_str().map(str::to_owned)
    });
    Ok(files.filter(|path| dir.join(path).is_file()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::Git;
    use super::*;

    #[test]
    fn only_files_that_git_ignores_below_the_directory_are_named() {
        let git = Git::new();
        for (path, text) in [
            (".gitignore", "*.local.yaml\nbuild/\n"),
            ("tasks/a/web.yaml", "a: 1"),
            ("tasks/a/web.local.yaml", "a: 1"),
            ("tasks/a/deep/x.local.yaml", "a: 1"),
            ("tasks/a/build/y.yaml", "a: 1"),
            ("tasks/b/z.local.yaml", "a: 1"),
        ] {
            fs::create_dir_all(git.dir().join(path).parent().unwrap()).unwrap();
            fs::write(git.dir().join(path), text).unwrap();
        }
        let mut found = ignored(&git.dir().join("tasks/a")).unwrap();
        found.sort();
        assert_eq!(found, ["deep/x.local.yaml", "web.local.yaml"]);
        assert_eq!(ignored(git.dir()).unwrap().len(), 3);
        let plain = tempfile::tempdir().unwrap();
        assert!(ignored(plain.path()).unwrap().is_empty());
    }
}
