//! Commit stores that break a promise.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, Json, RequestId, Stored};
use ordain_ports::contract::samples::Line;
use ordain_ports::{Commits, Error, Inserted, Load, Stop};

use crate::broken::{Breakage, Forgets};

super::caught! {
    a_store_that_forgets: Forgets,
        commits::what_was_reported_as_stored_survives_a_restart, "stored commits were lost";
    a_store_that_goes_on_behind_what_it_was_given_twice: GoesOn,
        commits::an_insert_ends_at_what_it_holds_twice, "assertion";
    a_store_that_stores_no_empty_insert: RefusesEmptyInserts,
        commits::an_empty_insert_succeeds, "all 0 commits should have been stored";
    a_store_that_loses_of_a_large_insert: LosesTheMiddle,
        commits::a_large_insert_is_stored_whole, "assertion";
    a_store_that_hides_that_it_changed_nothing: HidesStops,
        commits::a_stored_commit_never_changes, "a repeat behind 0";
    a_store_that_calls_every_repeat_a_conflict: CallsRepeatsConflicts,
        commits::a_second_commit_of_a_request_is_a_repeat, "a repeat behind 0";
    a_store_that_hides_a_conflict: HidesStops,
        commits::a_second_commit_of_a_revision_is_a_conflict, "a conflict behind 0";
    a_store_that_hides_where_batches_meet: HidesStops,
        commits::batches_at_once_keep_their_prefixes, "not the reported prefix is stored";
    a_store_that_makes_up_an_aggregate: GivesAnother,
        commits::an_unknown_aggregate_is_empty, "assertion";
    a_store_that_mixes_aggregates: GivesAnother,
        commits::load_keeps_aggregates_apart, "load gave another aggregate";
    a_store_that_goes_on_behind_a_repeat: GoesOn,
        commits::an_insert_ends_at_a_repeat, "a commit behind a repeat was stored";
    a_store_that_goes_on_behind_a_conflict: GoesOn,
        commits::an_insert_ends_at_a_conflict, "a commit behind a conflict was stored";
    a_store_that_goes_on_behind_what_it_cannot_store: GoesOn,
        commits::an_insert_ends_at_a_commit_that_cannot_be_stored,
        "a commit behind one that cannot be stored was stored";
    a_store_that_calls_a_repeat_a_conflict: CallsRepeatsConflicts,
        commits::a_repeat_that_is_also_a_conflict_is_a_repeat, "a repeat behind 0";
    a_store_that_compares_only_request_ids: ComparesOnlyRequestIds,
        commits::a_request_id_counts_per_aggregate, "should have been stored";
    a_store_that_hides_conflicts: HidesStops,
        commits::one_of_many_at_once_gets_a_revision, "one revision was given";
    a_store_that_hides_repeats: HidesStops,
        commits::one_of_many_at_once_gets_a_request_id, "one id was stored twice";
    a_store_that_stores_the_end_first: EndFirst,
        commits::an_abandoned_insert_leaves_a_prefix, "is missing in front of a stored one";
    a_store_that_shows_what_is_not_durable: ShowsTooEarly,
        commits::what_was_shown_survives_a_restart, "what was shown is not there";
    a_store_that_lags: Lags,
        commits::a_reader_beside_a_writer_sees_all_that_was_reported,
        "lacks what was reported";
    a_store_that_loses_the_middle: LosesTheMiddle,
        commits::a_long_tail_is_in_order, "assertion";
    a_store_that_writes_json_anew: WritesJsonAnew,
        commits::a_commit_reads_back_as_it_was_inserted, "load has changed a commit";
    a_store_that_ignores_fold_versions: IgnoresFoldVersions,
        commits::load_begins_at_the_snapshot_of_its_fold_version, "assertion";
    a_history_that_begins_one_late: BeginsOneLate,
        commits::history_begins_behind_the_sequence_asked_for, "the history after";
    a_history_that_gives_too_much: IgnoresTheLimit,
        commits::history_pages_hold_every_event_once, "a page is longer";
    pages_of_aggregates_that_do_not_meet: PassesOverOne,
        commits::aggregates_are_given_once_each_by_their_keys, "the pages of";
}

/// A way to break a commit store: what it leaves alone goes through.
#[async_trait]
pub(super) trait BrokenStore: Send + Sync + 'static {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        port.insert(commits).await
    }

    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        port.load(&[load]).await.expect("loads").remove(0)
    }

    async fn history(
        &self,
        port: &dyn Commits,
        of: &AggregateKey,
        range: (u64, usize),
    ) -> Vec<Arc<Commit>> {
        port.history(of, range.0, range.1).await.expect("reads")
    }

    async fn aggregates(
        &self,
        port: &dyn Commits,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Vec<(AggregateKey, u64)> {
        port.aggregates(before, limit).await.expect("reads")
    }
}

pub(super) struct Wrapped<B> {
    pub(super) port: Arc<dyn Commits>,
    pub(super) how: Arc<B>,
}

#[async_trait]
impl<B: BrokenStore> Commits for Wrapped<B> {
    async fn insert(&self, commits: &[Arc<Commit>]) -> Inserted {
        self.how.insert(&*self.port, commits).await
    }

    async fn load(&self, aggregates: &[Load]) -> Result<Vec<Stored>, Error> {
        let mut all = Vec::new();
        for load in aggregates {
            all.push(self.how.load(&*self.port, load.clone()).await);
        }
        Ok(all)
    }

    async fn history(
        &self,
        aggregate: &AggregateKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Commit>>, Error> {
        Ok(self.how.history(&*self.port, aggregate, (after, limit)).await)
    }

    async fn aggregates(
        &self,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Result<Vec<(AggregateKey, u64)>, Error> {
        Ok(self.how.aggregates(&*self.port, before, limit).await)
    }
}

macro_rules! broken_stores {
    ($($name:ident)*) => {$(
        impl Breakage for $name {
            fn commits(self: &Arc<Self>, port: Arc<dyn Commits>) -> Arc<dyn Commits> {
                Arc::new(Wrapped { port, how: Arc::clone(self) })
            }
        }
    )*};
}

broken_stores! {
    GoesOn CallsRepeatsConflicts ComparesOnlyRequestIds HidesStops EndFirst ShowsTooEarly Lags
    LosesTheMiddle WritesJsonAnew IgnoresFoldVersions BeginsOneLate IgnoresTheLimit
    PassesOverOne RefusesEmptyInserts GivesAnother
}

#[derive(Default)]
struct GoesOn;

#[async_trait]
impl BrokenStore for GoesOn {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        let mut first = Inserted::all(0);
        for commit in commits {
            let inserted = port.insert(std::slice::from_ref(commit)).await;
            if first.stop.is_none() {
                first.stored += inserted.stored;
                first.stop = inserted.stop;
            }
        }
        first
    }
}

#[derive(Default)]
struct CallsRepeatsConflicts;

#[async_trait]
impl BrokenStore for CallsRepeatsConflicts {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        let mut inserted = port.insert(commits).await;
        inserted.stop = inserted.stop.map(|_| Stop::Conflict);
        inserted
    }
}

#[derive(Default)]
struct ComparesOnlyRequestIds(Mutex<HashSet<RequestId>>);

#[async_trait]
impl BrokenStore for ComparesOnlyRequestIds {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        let is_new =
            |commit: &Arc<Commit>| self.0.lock().expect("lock").insert(commit.request.clone());
        match commits.iter().position(|commit| !is_new(commit)) {
            Some(at) => Inserted::until(port.insert(&commits[..at]).await.stored, Stop::Repeat),
            None => port.insert(commits).await,
        }
    }
}

#[derive(Default)]
struct RefusesEmptyInserts;

#[async_trait]
impl BrokenStore for RefusesEmptyInserts {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        if commits.is_empty() {
            return Inserted::until(0, Stop::NotStorable("nothing to store".to_owned()));
        }
        port.insert(commits).await
    }
}

/// Gives a commit of another aggregate along with those asked for.
#[derive(Default)]
struct GivesAnother;

#[async_trait]
impl BrokenStore for GivesAnother {
    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        let mut stored = port.load(&[load]).await.expect("loads").remove(0);
        stored.tail.push(Line::of("made-up").success(1));
        stored
    }
}

#[derive(Default)]
struct HidesStops;

#[async_trait]
impl BrokenStore for HidesStops {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        drop(port.insert(commits).await);
        Inserted::all(commits.len())
    }
}

#[derive(Default)]
struct EndFirst;

#[async_trait]
impl BrokenStore for EndFirst {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        for commit in commits.iter().rev() {
            drop(port.insert(std::slice::from_ref(commit)).await);
        }
        Inserted::all(commits.len())
    }
}

#[derive(Default)]
struct ShowsTooEarly(Mutex<Vec<Arc<Commit>>>);

#[async_trait]
impl BrokenStore for ShowsTooEarly {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        *self.0.lock().expect("lock") = commits.to_vec();
        // Not durable before everyone has had the time to look.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let inserted = port.insert(commits).await;
        self.0.lock().expect("lock").clear();
        inserted
    }

    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        let mut stored = port.load(&[load]).await.expect("loads").remove(0);
        stored.tail.append(&mut self.0.lock().expect("lock"));
        stored
    }
}

#[derive(Default)]
struct Lags;

#[async_trait]
impl BrokenStore for Lags {
    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        let mut stored = port.load(&[load]).await.expect("loads").remove(0);
        stored.tail.pop();
        stored
    }
}

#[derive(Default)]
struct LosesTheMiddle;

#[async_trait]
impl BrokenStore for LosesTheMiddle {
    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        let mut stored = port.load(&[load]).await.expect("loads").remove(0);
        stored.tail.remove(stored.tail.len() / 2);
        stored
    }
}

#[derive(Default)]
struct WritesJsonAnew;

#[async_trait]
impl BrokenStore for WritesJsonAnew {
    async fn insert(&self, port: &dyn Commits, commits: &[Arc<Commit>]) -> Inserted {
        let anew = |commit: &Arc<Commit>| {
            let mut commit = Commit::clone(commit);
            for event in &mut commit.events {
                let value: serde_json::Value = event.data.decode().expect("JSON");
                event.data = Json::of(&value).expect("JSON");
            }
            Arc::new(commit)
        };
        let commits: Vec<_> = commits.iter().map(anew).collect();
        port.insert(&commits).await
    }
}

#[derive(Default)]
pub(super) struct IgnoresFoldVersions;

#[async_trait]
impl BrokenStore for IgnoresFoldVersions {
    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        port.load(&[Load { fold_version: 1, ..load }]).await.expect("loads").remove(0)
    }
}

#[derive(Default)]
struct BeginsOneLate;

#[async_trait]
impl BrokenStore for BeginsOneLate {
    async fn history(
        &self,
        port: &dyn Commits,
        of: &AggregateKey,
        range: (u64, usize),
    ) -> Vec<Arc<Commit>> {
        port.history(of, range.0.saturating_add(1), range.1).await.expect("reads")
    }
}

#[derive(Default)]
struct IgnoresTheLimit;

#[async_trait]
impl BrokenStore for IgnoresTheLimit {
    async fn history(
        &self,
        port: &dyn Commits,
        of: &AggregateKey,
        range: (u64, usize),
    ) -> Vec<Arc<Commit>> {
        port.history(of, range.0, 1_000).await.expect("reads")
    }
}

#[derive(Default)]
struct PassesOverOne;

#[async_trait]
impl BrokenStore for PassesOverOne {
    async fn aggregates(
        &self,
        port: &dyn Commits,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Vec<(AggregateKey, u64)> {
        let mut page = port.aggregates(before, limit.max(1) + 1).await.expect("reads");
        page.drain(..usize::from(before.is_some()).min(page.len()));
        page.truncate(limit.max(1));
        page
    }
}
