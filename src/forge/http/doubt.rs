//! Writes that are noted before they are sent, until their answer is known: what is left is looked at once more, later
//! ([`Store::in_doubt`]).

use super::failure::Failure;
use crate::forge::pull::PullKey;
use crate::store::Store;
use crate::store::time::Time;

/// Makes a write about a pull request. It stays noted when it may have taken effect and nobody was told, be it that the
/// answer was lost or that this process ends in the middle of it.
pub async fn noted<T>(
    store: &Store,
    key: &PullKey,
    now: Time,
    write: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let doubt = store.doubt(key, now).await.map_err(|error| Failure::Store(error.into()))?;
    let result = write.await;
    let known = !result.as_ref().is_err_and(Failure::in_doubt);
    // What the forge did counts, whatever becomes of our bookkeeping: then it is looked at once more for nothing.
    if known && let Err(error) = store.sure(doubt).await {
        tracing::warn!(%error, "cannot note that a write was answered");
    }
    result
}
