//! The contract of the announcements.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::samples::schema;
use super::{Announcing, Setup};
use crate::{Announced, Announcements};

fn announced(command: &str, number: u32) -> Announced {
    Announced {
        aggregate_type: "account".to_owned(),
        command: command.to_owned(),
        schema: schema(number),
    }
}

async fn known(announcements: &dyn Announcements) -> BTreeSet<Announced> {
    announcements.known().await.expect("reads").into_iter().collect()
}

/// Promise 1: all that was ever announced is known, and stays known after an abrupt end and after
/// other announcements; another schema of a command is another announcement.
pub async fn what_was_announced_is_known_for_good<W: Announcing>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let announcements = world.announcements().await;
    assert_eq!(known(&*announcements).await, BTreeSet::new());
    announcements.announce(vec![]).await.expect("announces nothing");
    let first = [announced("open", 1), announced("deposit", 2)];
    announcements.announce(first.to_vec()).await.expect("announces");
    assert_eq!(known(&*announcements).await, BTreeSet::from(first.clone()));
    drop(announcements);
    let world = world.restart(Setup::DEFAULT).await;
    let announcements = world.announcements().await;
    assert_eq!(known(&*announcements).await, BTreeSet::from(first.clone()), "one was forgotten");
    let second = [announced("deposit", 2), announced("deposit", 3), announced("open-account", 1)];
    announcements.announce(second.to_vec()).await.expect("announces");
    let all: BTreeSet<Announced> = first.into_iter().chain(second).collect();
    assert_eq!(known(&*announcements).await, all, "one was forgotten");
}

/// Promise 1: of many who announce at once none is forgotten.
pub async fn announcements_at_once_are_all_known<W: Announcing>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut running = JoinSet::new();
    for number in 0..8 {
        let announcements = world.announcements().await;
        running.spawn(async move {
            let own = vec![announced("open", 0), announced("deposit", number)];
            announcements.announce(own.clone()).await.expect("announces");
            let known = known(&*announcements).await;
            assert!(own.iter().all(|one| known.contains(one)), "one was forgotten");
        });
    }
    running.join_all().await;
    let mut expected: BTreeSet<Announced> = (0..8).map(|nth| announced("deposit", nth)).collect();
    expected.insert(announced("open", 0));
    assert_eq!(known(&*world.announcements().await).await, expected, "one was forgotten");
}
