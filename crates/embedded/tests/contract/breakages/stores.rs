//! Commit stores, look-ups and keepers of snapshots that break a promise.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, Json, RequestId, Snapshot, Stored};
use ordain_ports::{Commits, Error, Inserted, Load, Outcomes, Snapshots, Stop};

use crate::broken::{Breakage, Forgets};

super::caught! {
    a_store_that_forgets: Forgets,
        commits::what_was_reported_as_stored_survives_a_restart, "stored commits were lost";
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
    a_look_up_that_lags: FindsAtSecondSight,
        outcomes::what_was_reported_is_found_at_once, "a reported commit was not found";
    a_look_up_that_forgets: Forgets,
        outcomes::what_was_found_survives_a_restart, "what was found is gone";
    a_look_up_that_turns_answers_round: TurnsAnswersRound,
        outcomes::answers_stand_in_the_order_of_the_questions, "assertion";
    a_keeper_that_takes_any_snapshot: TakesAnySnapshot,
        snapshots::only_newer_snapshots_replace, "after a save of revision 3";
    a_keeper_in_which_the_last_of_many_wins: TakesAnySnapshot,
        snapshots::the_newest_of_one_call_is_kept, "assertion";
    a_keeper_with_one_snapshot_an_aggregate: IgnoresFoldVersions,
        snapshots::fold_versions_do_not_touch_one_another, "assertion";
    a_keeper_that_lets_published_go_back: LetsPublishedGoBack,
        snapshots::published_only_grows, "after a save of 2";
    a_keeper_that_keeps_nothing: KeepsNothing,
        snapshots::what_was_saved_is_loaded_at_once, "assertion";
}

/// A way to break a commit store: what it leaves alone goes through.
#[async_trait]
trait BrokenStore: Send + Sync + 'static {
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
}

struct Wrapped<B> {
    port: Arc<dyn Commits>,
    how: Arc<B>,
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
        Ok(self
            .how
            .history(&*self.port, aggregate, (after, limit))
            .await)
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
struct IgnoresFoldVersions;

#[async_trait]
impl BrokenStore for IgnoresFoldVersions {
    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        port.load(&[Load {
            fold_version: 1,
            ..load
        }])
        .await
        .expect("loads")
        .remove(0)
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
        port.history(of, range.0.saturating_add(1), range.1)
            .await
            .expect("reads")
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
struct FindsAtSecondSight;

struct SecondSight(Arc<dyn Outcomes>, Mutex<bool>);

impl Breakage for FindsAtSecondSight {
    fn outcomes(self: &Arc<Self>, port: Arc<dyn Outcomes>) -> Arc<dyn Outcomes> {
        Arc::new(SecondSight(port, Mutex::new(false)))
    }
}

type Found = Result<Vec<Option<Arc<Commit>>>, Error>;

#[async_trait]
impl Outcomes for SecondSight {
    async fn find(&self, ids: &[(AggregateKey, RequestId)]) -> Found {
        if std::mem::replace(&mut *self.1.lock().expect("lock"), true) {
            return self.0.find(ids).await;
        }
        Ok(vec![None; ids.len()])
    }
}

#[derive(Default)]
struct TurnsAnswersRound;

struct Round(Arc<dyn Outcomes>);

impl Breakage for TurnsAnswersRound {
    fn outcomes(self: &Arc<Self>, port: Arc<dyn Outcomes>) -> Arc<dyn Outcomes> {
        Arc::new(Round(port))
    }
}

#[async_trait]
impl Outcomes for Round {
    async fn find(&self, ids: &[(AggregateKey, RequestId)]) -> Found {
        let mut found = self.0.find(ids).await?;
        found.reverse();
        Ok(found)
    }
}

/// Keepers of snapshots that break a promise share this: what was saved last, whatever it was.
#[derive(Default)]
struct Last {
    snapshots: Mutex<HashMap<(AggregateKey, u32), Snapshot>>,
    published: Mutex<HashMap<AggregateKey, u64>>,
}

#[async_trait]
impl Snapshots for Last {
    async fn save(&self, snapshots: Vec<Snapshot>) -> Result<(), Error> {
        let mut all = self.snapshots.lock().expect("lock");
        all.extend(
            snapshots
                .into_iter()
                .map(|one| ((one.aggregate.clone(), one.fold_version), one)),
        );
        Ok(())
    }

    async fn save_published(&self, published: Vec<(AggregateKey, u64)>) -> Result<(), Error> {
        self.published.lock().expect("lock").extend(published);
        Ok(())
    }
}

struct LastWins(Arc<Last>);

#[async_trait]
impl BrokenStore for LastWins {
    async fn load(&self, port: &dyn Commits, load: Load) -> Stored {
        let key = (load.aggregate.clone(), load.fold_version);
        let mut stored = port.load(&[load]).await.expect("loads").remove(0);
        stored.snapshot = self.0.snapshots.lock().expect("lock").get(&key).cloned();
        if let Some(snapshot) = &stored.snapshot {
            stored
                .tail
                .retain(|commit| commit.revision > snapshot.revision);
        }
        let published = self.0.published.lock().expect("lock").get(&key.0).copied();
        stored.published = published.unwrap_or(0);
        stored
    }
}

macro_rules! last_wins {
    ($($name:ident)*) => {$(
        #[derive(Default)]
        struct $name(Arc<Last>);

        impl Breakage for $name {
            fn commits(self: &Arc<Self>, port: Arc<dyn Commits>) -> Arc<dyn Commits> {
                let how = Arc::new(LastWins(Arc::clone(&self.0)));
                Arc::new(Wrapped { port, how })
            }

            fn snapshots(self: &Arc<Self>, _: Arc<dyn Snapshots>) -> Arc<dyn Snapshots> {
                Arc::clone(&self.0) as _
            }
        }
    )*};
}

last_wins! { TakesAnySnapshot LetsPublishedGoBack }

#[derive(Default)]
struct KeepsNothing;

impl Breakage for KeepsNothing {
    fn snapshots(self: &Arc<Self>, _: Arc<dyn Snapshots>) -> Arc<dyn Snapshots> {
        Arc::new(Last::default())
    }
}
