//! Packages of the npm registry, fetched once and kept outside the checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// A package at a version, and what is kept of it.
pub struct Package {
    /// As in `@octokit/openapi`.
    pub name: &'static str,
    /// Exactly.
    pub version: &'static str,
    /// Paths in the package: files or directories.
    pub keep: &'static [&'static str],
    /// SHA-256 of the first of them when it is a file: what was reviewed is what is used.
    pub sha256: Option<&'static str>,
}

/// GitHub's description of its REST API.
pub const OPENAPI: Package = Package {
    name: "@octokit/openapi",
    version: "23.0.2",
    keep: &["generated/api.github.com.json"],
    sha256: Some("829b4bebb19a53133289f7b0bc819f4f1118115821db2ca9f25e9ee995a7da2a"),
};

/// GitHub's GraphQL schema.
pub const GRAPHQL: Package = Package {
    name: "@octokit/graphql-schema",
    version: "15.26.1",
    keep: &["schema.graphql"],
    sha256: Some("3c62d0526d133cee53221c89de9b455ade24db78b9e7ad56d642c4c15bce2654"),
};

/// Webhook payloads that GitHub sent.
pub const PAYLOADS: Package =
    Package { name: "@octokit/webhooks-examples", version: "7.6.1", keep: &["api.github.com"], sha256: None };

/// The directory of everything that is fetched or built once.
pub fn root() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("GRADUS_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|base| base.join("gradus")))
        .or_else(|| var("HOME").map(|home| home.join(".cache/gradus")))
        .expect("set GRADUS_CACHE, XDG_CACHE_HOME or HOME: the tests keep downloaded API descriptions there")
}

/// Runs `make` once per cache, however many test processes start at once, unless `wanted` is there.
pub fn once(wanted: &Path, make: impl FnOnce(&Path)) {
    if wanted.exists() {
        return;
    }
    let parent = wanted.parent().expect("what is cached lies below the cache directory");
    fs::create_dir_all(parent).expect("the cache directory can be written: see GRADUS_CACHE");
    let lock = File::create(parent.join(".lock")).expect("the cache directory can be written: see GRADUS_CACHE");
    lock.lock().expect("a file in the cache directory can be locked");
    if wanted.exists() {
        return;
    }
    // Built beside its place and renamed, so that what is there is whole.
    let draft = wanted.with_extension(format!("draft-{}", std::process::id()));
    make(&draft);
    fs::rename(&draft, wanted).expect("a finished file can be renamed within the cache directory");
}

impl Package {
    /// The directory that holds [`Self::keep`]; downloads it the first time.
    pub fn directory(&self) -> PathBuf {
        let safe = self.name.trim_start_matches('@').replace('/', "-");
        let dir = root().join("npm").join(format!("{safe}-{}", self.version));
        once(&dir, |draft| self.fetch(draft));
        dir
    }

    fn fetch(&self, draft: &Path) {
        let spec = format!("{}@{}", self.name, self.version);
        eprintln!("fetching {spec} from the npm registry (once)");
        let _ = fs::remove_dir_all(draft);
        fs::create_dir_all(draft).expect("the cache directory can be written: see GRADUS_CACHE");
        let packed = Command::new("npm").args(["pack", "--silent", &spec]).current_dir(draft).output();
        let packed =
            packed.unwrap_or_else(|error| panic!("cannot run npm ({error}): install Node.js, it fetches {spec}"));
        assert!(
            packed.status.success(),
            "npm cannot fetch {spec}: look at the network and `npm config get registry`, then run the tests again. It said: {}",
            String::from_utf8_lossy(&packed.stderr)
        );
        let archive = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
        let mut unpack = Command::new("tar");
        unpack.args(["-xzf", &archive, "--strip-components=1"]);
        unpack.args(self.keep.iter().map(|path| format!("package/{path}"))).current_dir(draft);
        let unpacked = unpack.status().is_ok_and(|status| status.success());
        assert!(unpacked, "tar cannot unpack {} of {spec}", self.keep.join(", "));
        fs::remove_file(draft.join(archive)).expect("the archive was just written");
        if let Some(sha256) = self.sha256 {
            let bytes = fs::read(draft.join(self.keep[0])).expect("tar just unpacked it");
            let got = hex::encode(Sha256::digest(bytes));
            assert_eq!(got, sha256, "{spec} is not the file that was reviewed: see tests/fake/github/spec/cache.rs");
        }
    }
}
