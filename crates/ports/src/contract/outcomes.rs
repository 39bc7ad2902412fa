//! The contract of the look-up of outcomes.

use std::pin::pin;
use std::slice;

use super::samples::{Line, aggregate, request};
use super::{Setup, Stores};

/// Promise 1: what an insert has reported is found at once, through every client.
pub async fn what_was_reported_is_found_at_once<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    for nth in 0..30 {
        let commit = if nth % 3 == 0 { line.refusal() } else { line.success(1) };
        let (commits, outcomes) = (world.commits().await, world.outcomes().await);
        assert!(commits.insert(slice::from_ref(&commit)).await.stop.is_none());
        let id = (commit.aggregate.clone(), commit.request.clone());
        let found = outcomes.find(&[id]).await.expect("finds");
        assert_eq!(found, [Some(commit)], "a reported commit was not found");
    }
}

/// Promise 1: what is found, under one id, is the commit of this aggregate and no other.
pub async fn ids_count_per_aggregate<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (mut one, mut other) = (Line::of("a"), Line::of("a:r1"));
    let id = request("r1");
    let written = [one.success_of(&id, 1), other.success_of(&request("r1:r1"), 1)];
    assert!(world.commits().await.insert(&written).await.stop.is_none());
    let asked = [
        (aggregate("a"), request("r1:r1")),
        (aggregate("a:r1"), id.clone()),
        (aggregate("a:r1:r1"), id.clone()),
        (aggregate("a"), id),
    ];
    let found = world.outcomes().await.find(&asked).await.expect("finds");
    assert_eq!(found, [None, None, None, Some(written[0].clone())]);
}

/// Promise 2: what was found is there after an abrupt end, reported or not.
pub async fn what_was_found_survives_a_restart<W: Stores>() {
    let mut world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    for _ in 0..5 {
        let commit = line.success(1);
        let id = [(commit.aggregate.clone(), commit.request.clone())];
        let (commits, outcomes) = (world.commits().await, world.outcomes().await);
        {
            let insert = [commit.clone()];
            let mut inserting = pin!(commits.insert(&insert));
            let mut finding = pin!(async {
                while outcomes.find(&id).await.expect("finds")[0].is_none() {
                    tokio::task::yield_now().await;
                }
            });
            tokio::select! {
                biased;
                () = &mut finding => {}
                _ = &mut inserting => finding.await,
            }
        }
        drop((commits, outcomes));
        world = world.restart(Setup::DEFAULT).await;
        let found = world.outcomes().await.find(&id).await.expect("finds");
        assert_eq!(found, [Some(commit)], "what was found is gone");
    }
}

/// Promise 3: answers stand in the order of the questions, also of unknown and repeated ones.
pub async fn answers_stand_in_the_order_of_the_questions<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut lines: Vec<Line> = (0..40).map(|n| Line::of(&format!("a{n}"))).collect();
    let written: Vec<_> = lines.iter_mut().map(|line| line.success(1)).collect();
    assert!(world.commits().await.insert(&written).await.stop.is_none());
    let (mut asked, mut expected) = (Vec::new(), Vec::new());
    for nth in [7_usize, 39, 0, 7, 21, 3] {
        asked.push((written[nth].aggregate.clone(), written[nth].request.clone()));
        expected.push(Some(written[nth].clone()));
        asked.push((written[nth].aggregate.clone(), request("unknown")));
        expected.push(None);
    }
    let outcomes = world.outcomes().await;
    assert_eq!(outcomes.find(&asked).await.expect("finds"), expected);
    assert_eq!(outcomes.find(&[]).await.expect("finds"), []);
}
