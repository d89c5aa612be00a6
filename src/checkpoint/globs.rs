//! Paths as authors name them: one glob or several; and the nearest path when nothing has that name.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::submission::tree::Tree;

/// One glob or several: `*` stays inside a directory, `**` crosses them, `{a,b}` and `[a-z]` as usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Globs {
    /// A single glob.
    One(String),
    /// A path counts when one of them fits.
    Many(Vec<String>),
}

impl Globs {
    /// All YAML files at any depth: what is looked at when the author names none.
    pub fn yaml() -> Self {
        Globs::One("**/*.{yaml,yml}".to_owned())
    }

    /// The globs as written.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Globs::One(glob) => std::slice::from_ref(glob),
            Globs::Many(globs) => globs,
        }
    }

    /// Ready to match paths.
    ///
    /// # Errors
    /// The index of the first bad glob, with what is wrong with it.
    pub fn compile(&self) -> Result<GlobSet, (usize, String)> {
        let mut set = GlobSetBuilder::new();
        for (index, glob) in self.as_slice().iter().enumerate() {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            set.add(built.map_err(|error| (index, format!("`{glob}` is no glob: {}", error.kind())))?);
        }
        set.build().map_err(|error| (0, format!("the globs are too large together: {}", error.kind())))
    }

    /// The globs for a sentence: `a.yaml` or `b/*.yaml`.
    pub fn words(&self) -> String {
        self.as_slice().iter().map(|glob| format!("`{glob}`")).collect::<Vec<_>>().join(" or ")
    }

    /// Problems of the globs themselves, as (JSON pointer below the field, message).
    pub fn lint(&self) -> Vec<(String, String)> {
        let at = |index: usize| if matches!(self, Globs::One(_)) { String::new() } else { format!("/{index}") };
        let globs = self.as_slice();
        if globs.is_empty() {
            return vec![(String::new(), "name at least one glob, or leave the field out".to_owned())];
        }
        let mut problems: Vec<_> =
            self.compile().err().map(|(index, message)| (at(index), message)).into_iter().collect();
        for (index, glob) in globs.iter().enumerate() {
            let message = if glob.starts_with("hidden/") {
                "hidden files are not part of a submission: name the learner's files"
            } else if glob.starts_with('/') || glob.split('/').any(|segment| segment == "..") {
                "paths are relative to the task's directory and stay inside it"
            } else {
                continue;
            };
            problems.push((at(index), message.to_owned()));
        }
        problems
    }

    /// The path that was probably meant when none fits, and why it does not.
    pub fn nearest<'t>(&self, files: &'t Tree) -> Option<(&'t str, &'static str)> {
        let mut best: Option<(u32, &str, &str)> = None;
        for path in files.paths() {
            for glob in self.as_slice() {
                let Some((rank, why)) = nearness(glob, path) else { continue };
                if best.is_none_or(|(least, ..)| rank < least) {
                    best = Some((rank, path, why));
                }
            }
        }
        best.map(|(_, path, why)| (path, why))
    }
}

/// How near a path is to one that the glob means (smaller is nearer) and what keeps it apart.
fn nearness(glob: &str, path: &str) -> Option<(u32, &'static str)> {
    let fits = |glob: &str, path: &str| {
        GlobBuilder::new(glob).literal_separator(true).build().is_ok_and(|glob| glob.compile_matcher().is_match(path))
    };
    let (glob_lower, path_lower) = (glob.to_lowercase(), path.to_lowercase());
    if fits(&glob_lower, &path_lower) {
        return Some((0, "it differs in upper and lower case"));
    }
    let stem =
        |path: &str| path.rsplit_once('.').filter(|(_, ext)| !ext.contains('/')).map(|(stem, _)| stem.to_owned());
    if let (Some(glob), Some(path)) = (stem(&glob_lower), stem(&path_lower))
        && fits(&glob, &path)
    {
        return Some((1, "its extension differs"));
    }
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let (glob_name, path_name) = (name(&glob_lower), name(&path_lower));
    let wild = |text: &str| text.contains(['*', '?', '[', '{']);
    if !wild(&glob_name) && glob_name == path_name {
        return Some((2, "it is in another directory"));
    }
    if !wild(&glob_lower) {
        let distance = similarity(&glob_lower, &path_lower);
        return (distance >= 0.7).then_some((3 + ((1.0 - distance) * 100.0) as u32, "its name is spelled differently"));
    }
    let same_extension = glob_name.rsplit('.').next() == path_name.rsplit('.').next() && glob_name.contains('.');
    (same_extension && wild(&glob_name)).then_some((50, "it is in another directory"))
}

/// How alike two short texts are, from 0 to 1 (Dice's coefficient of letter pairs). Long ones are compared by their
/// beginnings: names are short, and this runs for every object of a selection that found nothing.
pub(super) fn similarity(a: &str, b: &str) -> f32 {
    const LONGEST: usize = 64;
    let pairs = |text: &str| {
        let mut pairs = [(0u8, 0u8); LONGEST];
        let bytes = text.as_bytes();
        let count = bytes.len().saturating_sub(1).min(LONGEST);
        for (pair, window) in pairs.iter_mut().zip(bytes.windows(2)) {
            *pair = (window[0], window[1]);
        }
        (pairs, count)
    };
    let ((a_pairs, a_count), (mut b_pairs, b_count)) = (pairs(a), pairs(b));
    if a_count == 0 || b_count == 0 {
        return if a == b { 1.0 } else { 0.0 };
    }
    let mut common = 0;
    for pair in &a_pairs[..a_count] {
        // Zero stands for "taken": no name holds that byte.
        if let Some(same) = b_pairs[..b_count].iter_mut().find(|other| *other == pair) {
            *same = (0, 0);
            common += 1;
        }
    }
    2.0 * common as f32 / (a_count + b_count) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(glob: &str, path: &str) -> Option<&'static str> {
        let mut files = Tree::default();
        files.insert_file(path, *b"");
        Globs::One(glob.to_owned()).nearest(&files).map(|(_, why)| why)
    }

    #[test]
    fn a_star_stays_inside_its_directory() {
        let set = Globs::One("*.yaml".into()).compile().unwrap();
        assert!(set.is_match("a.yaml"));
        assert!(!set.is_match("b/a.yaml"));
        let deep = Globs::yaml().compile().unwrap();
        assert!(deep.is_match("a.yaml") && deep.is_match("b/c/a.yml") && !deep.is_match("a.json"));
    }

    #[test]
    fn the_nearest_path_says_what_keeps_it_apart() {
        assert_eq!(nearest("gitops/App.yaml", "gitops/app.yaml"), Some("it differs in upper and lower case"));
        assert_eq!(nearest("gitops/app.yaml", "gitops/app.yml"), Some("its extension differs"));
        assert_eq!(nearest("gitops/app.yaml", "app.yaml"), Some("it is in another directory"));
        assert_eq!(nearest("gitops/app.yaml", "gitop/app2.yaml"), Some("its name is spelled differently"));
        assert_eq!(nearest("gitops/*.yaml", "app.yaml"), Some("it is in another directory"));
        assert_eq!(nearest("gitops/app.yaml", "README.md"), None);
    }

    #[test]
    fn globs_that_leave_the_task_are_refused() {
        for bad in ["../x.yaml", "/x.yaml", "hidden/x.yaml", "a[.yaml"] {
            assert_eq!(Globs::One(bad.into()).lint().len(), 1, "{bad}");
        }
        assert_eq!(Globs::Many(Vec::new()).lint().len(), 1);
        assert!(Globs::Many(vec!["a/*.yaml".into(), "b.yaml".into()]).lint().is_empty());
    }
}
