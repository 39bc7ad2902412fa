//! Look-ups of outcomes and keepers of snapshots that break a promise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, RequestId, Snapshot, Stored};
use ordain_ports::contract::samples::aggregate;
use ordain_ports::{Commits, Error, Load, Outcomes, Snapshots};

use super::stores::{BrokenStore, IgnoresFoldVersions, Wrapped};
use crate::broken::{Breakage, Forgets};

super::caught! {
    a_look_up_that_lags: FindsAtSecondSight,
        outcomes::what_was_reported_is_found_at_once, "a reported commit was not found";
    a_look_up_that_forgets: Forgets,
        outcomes::what_was_found_survives_a_restart, "what was found is gone";
    a_look_up_that_turns_answers_round: TurnsAnswersRound,
        outcomes::answers_stand_in_the_order_of_the_questions, "assertion";
    a_look_up_that_looks_only_at_request_ids: LooksAtRequestsOnly,
        outcomes::ids_count_per_aggregate, "assertion";
    a_keeper_that_loses_the_newest: KeepsNothing,
        snapshots::the_newest_of_many_at_once_is_kept, "an older snapshot has won";
    a_keeper_that_loses_the_highest: KeepsNothing,
        snapshots::the_highest_published_of_many_at_once_is_kept, "published went back";
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

#[derive(Default)]
struct LooksAtRequestsOnly;

struct RequestsOnly(Arc<dyn Outcomes>);

impl Breakage for LooksAtRequestsOnly {
    fn outcomes(self: &Arc<Self>, port: Arc<dyn Outcomes>) -> Arc<dyn Outcomes> {
        Arc::new(RequestsOnly(port))
    }
}

#[async_trait]
impl Outcomes for RequestsOnly {
    async fn find(&self, ids: &[(AggregateKey, RequestId)]) -> Found {
        let of_one = |(_, request): &(AggregateKey, RequestId)| (aggregate("a"), request.clone());
        self.0.find(&ids.iter().map(of_one).collect::<Vec<_>>()).await
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
            snapshots.into_iter().map(|one| ((one.aggregate.clone(), one.fold_version), one)),
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
            stored.tail.retain(|commit| commit.revision > snapshot.revision);
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
