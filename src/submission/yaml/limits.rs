//! Limits of one YAML file. All are deterministic: the same file is refused everywhere.
//! Sources of the numbers: `reference/dependencies.md` §4, where each is shown to stop a measured attack.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tree::Size;

/// Bytes of one file.
pub const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;
/// Documents in one file, unreadable ones included.
pub const MAX_DOCUMENTS: usize = 10_000;
/// Nesting of lists and maps, aliases followed; keeps every walk off the end of a 2 MiB stack.
pub const MAX_DEPTH: u32 = 100;
/// Nodes of one file, aliases followed.
pub const MAX_NODES: u64 = 2_000_000;
/// Bytes of the scalars of one file, aliases followed.
pub const MAX_SCALAR_BYTES: u64 = 64 * 1024 * 1024;
/// Problems reported for one file; the rest is not looked for.
pub(super) const MAX_PROBLEMS: usize = 100;

/// What aliases may add over all files of a submission, so that a thousand small bombs are no big one: as much as one
/// file may hold.
#[derive(Debug, Default)]
pub(super) struct Budget {
    nodes: AtomicU64,
    bytes: AtomicU64,
}

impl Budget {
    /// Takes the difference between the two sizes; false when that is more than is left.
    pub fn charge(&self, written: Size, expanded: Size) -> bool {
        let take = |counter: &AtomicU64, written: u64, expanded: u64, most: u64| {
            let extra = expanded.saturating_sub(written);
            extra == 0 || counter.fetch_add(extra, Ordering::Relaxed).saturating_add(extra) <= most
        };
        let nodes = take(&self.nodes, written.nodes, expanded.nodes, MAX_NODES);
        let bytes = take(&self.bytes, written.bytes, expanded.bytes, MAX_SCALAR_BYTES);
        nodes && bytes
    }
}
