//! Deliberately wrong variants of what a lane does, for tests that must see them fail. Each is
//! switched on by a crash point; in a build without crash points none of them is reached.

use std::sync::Arc;

use fail::fail_point;
use ordain_model::{AggregateKey, Commit, Outcome, RequestId};
use ordain_ports::{Commits, Inserted, Stop};

use crate::batch::Batch;
use crate::decide::Decided;
use crate::receive::Item;

/// After an insert that failed, the lane goes on as if all that it had decided were stored.
pub(crate) fn keeps_cache() -> bool {
    fail_point!("broken-cache-kept", |_| true);
    false
}

/// After a repeat, the rest of the batch is sent with the numbers that it has.
pub(crate) fn sends_numbered_rest() -> bool {
    fail_point!("broken-numbered-rest-sent", |_| true);
    false
}

/// Sends what stands behind the repeat that ended an insert.
pub(crate) async fn send_numbered_rest(
    store: &dyn Commits,
    commits: &[Arc<Commit>],
    inserted: &Inserted,
) {
    if let (Some(Stop::Repeat), Some(rest)) = (&inserted.stop, commits.get(inserted.stored + 1..)) {
        drop(store.insert(rest).await);
    }
}

/// What is not found in memory is new, whatever the store says.
pub(crate) fn dedupes_by_cache_only() -> bool {
    fail_point!("broken-dedupe-by-cache-only", |_| true);
    false
}

/// The repeat is decided under an id that is not taken, as in a store without the unique key.
pub(crate) fn decide_again(item: &mut Item) {
    if let Ok(free) = format!("{}~{}", item.request, item.position.offset).parse::<RequestId>() {
        item.request = free;
    }
}

/// What could not be stored is passed over.
pub(crate) fn passes_over() -> bool {
    fail_point!("broken-progress-past-failed", |_| true);
    false
}

/// A refusal is answered and never stored.
pub(crate) fn forgets_refusals() -> bool {
    fail_point!("broken-fail-not-stored", |_| true);
    false
}

/// How many stand before the first refusal. One that is the first is answered, and done with.
pub(crate) fn answer_refusal(batch: &mut Batch, decided: &[Decided]) -> usize {
    let is_refusal = |decided: &Decided| matches!(decided.commit.outcome, Outcome::Fail(_));
    let before = decided.iter().position(is_refusal).unwrap_or(decided.len());
    if let (0, Some(refused)) = (before, decided.first()) {
        batch.answer_first(&refused.commit);
    }
    before
}

/// The aggregate of a command; in the wrong variant whoever it belongs to.
pub(crate) fn aggregate(key: &AggregateKey) -> AggregateKey {
    fail_point!("broken-tenant-left-out", |_| {
        let alike = AggregateKey::new("default", key.aggregate_type(), key.id());
        alike.unwrap_or_else(|_| key.clone())
    });
    key.clone()
}
