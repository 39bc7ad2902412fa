//! Inserts that are lost, cut, late and refused as told.

use std::sync::Arc;

use ordain_model::Commit;
use ordain_ports::contract::samples::Line;
use ordain_ports::{Commits as _, Inserted, Load, Stop};
use ordain_testkit::faulty::{Commits, Insert, Read};
use ordain_testkit::{Gate, World, within};

struct Store {
    world: World,
    commits: Arc<Commits>,
    insert: Vec<Arc<Commit>>,
}

/// A store and an insert of three commits.
fn store() -> Store {
    let world = World::new(1);
    let commits = Commits::new(world.home.commits());
    let mut line = Line::of("a");
    let insert = (0..3).map(|_| line.success(1)).collect();
    Store { world, commits, insert }
}

impl Store {
    async fn insert(&self) -> Inserted {
        self.commits.insert(&self.insert).await
    }

    /// How many of the three are stored.
    async fn stored(&self) -> usize {
        let load = Load { aggregate: self.insert[0].aggregate.clone(), fold_version: 1 };
        self.world.home.commits().load(&[load]).await.unwrap()[0].tail.len()
    }

    /// Plans this, and checks what the insert says and what is stored then. The next insert goes
    /// through.
    async fn meets(fault: Insert, said: usize, is_stop: fn(&Stop) -> bool, stored: usize) {
        let store = store();
        store.commits.plan(fault.clone());
        let inserted = store.insert().await;
        let is_right = inserted.stop.as_ref().is_some_and(is_stop);
        assert!(is_right && inserted.stored == said, "{fault:?}: {inserted:?}");
        assert_eq!(store.stored().await, stored, "{fault:?}");
        assert!(store.commits.is_plan_done());
        let rest = store.commits.insert(&store.insert[stored..]).await;
        assert!(rest.stop.is_none() && rest.stored == 3 - stored, "{fault:?}: {rest:?}");
        assert_eq!(store.commits.asked().len(), 2);
    }
}

#[tokio::test]
async fn each_fault_says_and_stores_what_it_should() {
    let is_unknown = |stop: &Stop| matches!(stop, Stop::Unknown(_));
    let is_unavailable = |stop: &Stop| matches!(stop, Stop::Unavailable(_));
    let is_refused = |stop: &Stop| matches!(stop, Stop::NotStorable(_));
    Store::meets(Insert::Unavailable, 0, is_unavailable, 0).await;
    Store::meets(Insert::Lost, 0, is_unknown, 0).await;
    Store::meets(Insert::Prefix { stored: 2, reported: 1 }, 1, is_unknown, 2).await;
    Store::meets(Insert::Prefix { stored: 9, reported: 0 }, 0, is_unknown, 3).await;
    Store::meets(Insert::AnswerLost, 0, is_unknown, 3).await;
    Store::meets(Insert::NotStorable(1), 1, is_refused, 1).await;
    Store::meets(Insert::RepeatRolledBack(2), 2, |stop| matches!(stop, Stop::Repeat), 2).await;
    Store::meets(Insert::ConflictRolledBack(0), 0, |stop| matches!(stop, Stop::Conflict), 0).await;
}

#[tokio::test]
async fn a_late_insert_lands_when_the_test_says_so() {
    let store = store();
    store.commits.plan(Insert::Late);
    assert!(matches!(store.insert().await.stop, Some(Stop::Unknown(_))));
    assert_eq!(store.stored().await, 0);
    let landed = store.commits.land().await.unwrap();
    assert!(landed.stop.is_none() && landed.stored == 3);
    assert_eq!(store.stored().await, 3);
    assert!(store.commits.land().await.is_none());
    assert!(matches!(store.insert().await.stop, Some(Stop::Repeat)));
}

#[tokio::test]
async fn a_late_insert_may_be_overtaken() {
    let store = store();
    store.commits.plan(Insert::Late);
    assert!(store.insert().await.stop.is_some());
    assert!(store.insert().await.stop.is_none());
    let landed = store.commits.land().await.unwrap();
    assert!(matches!(landed.stop, Some(Stop::Repeat)) && landed.stored == 0);
}

#[tokio::test]
async fn a_fault_waits_for_its_request() {
    let store = store();
    store.commits.plan_for(&store.insert[2].request, Insert::Lost);
    let first = store.commits.insert(&store.insert[..2]).await;
    assert!(first.stop.is_none());
    let second = store.commits.insert(&store.insert[2..]).await;
    assert!(matches!(second.stop, Some(Stop::Unknown(_))));
}

#[tokio::test]
async fn an_insert_stops_at_its_gate() {
    for (is_before, stored) in [(true, 0), (false, 3)] {
        let store = store();
        let gate = Gate::shut();
        let fault = if is_before { Insert::PausedBefore } else { Insert::PausedAfter };
        store.commits.plan(fault(gate.clone()));
        let check = async {
            gate.reached().await;
            assert_eq!(store.stored().await, stored);
            gate.open();
        };
        let (inserted, ()) =
            within("the insert", async { tokio::join!(store.insert(), check) }).await;
        assert_eq!(inserted.stored, 3);
    }
}

#[tokio::test]
async fn a_read_fails_or_stops_at_its_gate() {
    let store = store();
    let load = [Load { aggregate: store.insert[0].aggregate.clone(), fold_version: 1 }];
    store.commits.plan_read(Read::Unavailable);
    assert!(store.commits.load(&load).await.is_err());
    assert_eq!(store.commits.load(&load).await.unwrap()[0].tail, []);
    for (is_before, seen) in [(false, 0), (true, 3)] {
        let gate = Gate::shut();
        let fault = if is_before { Read::PausedBefore } else { Read::PausedAfter };
        store.commits.plan_read(fault(gate.clone()));
        let insert = async {
            gate.reached().await;
            drop(store.insert().await);
            gate.open();
        };
        let reading = async { tokio::join!(store.commits.load(&load), insert) };
        let (loaded, ()) = within("the load", reading).await;
        assert_eq!(loaded.unwrap()[0].tail.len(), seen);
    }
}
