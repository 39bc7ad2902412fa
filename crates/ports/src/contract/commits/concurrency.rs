//! What the commit store promises when several write at once, and when a write is abandoned.

use std::future::Future;
use std::pin::pin;
use std::slice;
use std::sync::Arc;
use std::task::{Context, Waker};

use ordain_model::Commit;
use tokio::task::JoinSet;

use super::super::samples::{Line, request};
use super::super::{Setup, Stores};
use super::{assert_all, tail};
use crate::{Commits, Inserted, Stop};

const ROUNDS: usize = 15;
const WRITERS: usize = 8;

/// Inserts these at once, each through a client of its own; gives the results in their order.
async fn race<W: Stores>(world: &W, inserts: Vec<Vec<Arc<Commit>>>) -> Vec<Inserted> {
    let mut running = JoinSet::new();
    for (nth, insert) in inserts.into_iter().enumerate() {
        let commits = world.commits().await;
        running.spawn(async move { (nth, commits.insert(&insert).await) });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(nth, _)| *nth);
    results.into_iter().map(|(_, inserted)| inserted).collect()
}

/// Promise 4: of many that write one revision at once, one does; the others are told of a conflict.
pub async fn one_of_many_at_once_gets_a_revision<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    for round in 0..ROUNDS {
        let ids = (0..WRITERS).map(|writer| request(&format!("{round}-{writer}")));
        let inserts: Vec<_> = ids.map(|id| vec![line.clone().success_of(&id, 1)]).collect();
        let results = race(&world, inserts.clone()).await;
        let winners: Vec<usize> = (0..WRITERS).filter(|n| results[*n].stop.is_none()).collect();
        assert_eq!(
            winners.len(),
            1,
            "one revision was given to more or less than one: {results:?}"
        );
        let lost = |inserted: &&Inserted| matches!(inserted.stop, Some(Stop::Conflict));
        assert_eq!(results.iter().filter(lost).count(), WRITERS - 1, "{results:?}");
        let stored = tail(&*world.commits().await, line.aggregate()).await;
        assert_eq!(stored.last(), inserts[winners[0]].first(), "another than the winner is stored");
        line.success(1);
    }
}

/// Promise 4: of many that write under one request id at once, one does; the others are repeats.
pub async fn one_of_many_at_once_gets_a_request_id<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    for round in 0..ROUNDS {
        let id = request(&format!("same-{round}"));
        let line = Line::of(&format!("a{round}"));
        // The same revision as well: a store that looks only at revisions calls it a conflict.
        let inserts = (0..WRITERS).map(|_| vec![line.clone().success_of(&id, 1)]).collect();
        let results = race(&world, inserts).await;
        let won = results.iter().filter(|inserted| inserted.stop.is_none()).count();
        let lost = |inserted: &&Inserted| matches!(inserted.stop, Some(Stop::Repeat));
        let repeats = results.iter().filter(lost).count();
        assert_eq!((won, repeats), (1, WRITERS - 1), "one id was stored twice: {results:?}");
    }
}

/// Promise 4: batches that meet in the middle: who loses has stored what stands before, and nothing
/// behind.
pub async fn batches_at_once_keep_their_prefixes<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut contested = Line::of("contested");
    for round in 0..ROUNDS {
        let mut own = Vec::new();
        let mut inserts = Vec::new();
        for writer in 0..WRITERS {
            let mut line = Line::of(&format!("own-{round}-{writer}"));
            let id = request(&format!("{round}-{writer}"));
            let middle = contested.clone().success_of(&id, 1);
            inserts.push(vec![line.success(1), middle, line.success(1)]);
            own.push(line);
        }
        let results = race(&world, inserts.clone()).await;
        let commits = world.commits().await;
        for ((inserted, insert), line) in results.iter().zip(&inserts).zip(&own) {
            let stored = tail(&*commits, line.aggregate()).await;
            let expected = if inserted.stop.is_none() { 3 } else { 1 };
            assert_eq!(inserted.stored, expected, "{inserted:?}");
            let rest = if expected == 3 { vec![&insert[0], &insert[2]] } else { vec![&insert[0]] };
            assert_eq!(
                stored.iter().collect::<Vec<_>>(),
                rest,
                "not the reported prefix is stored"
            );
        }
        let won = results.iter().filter(|inserted| inserted.stop.is_none()).count();
        assert_eq!(won, 1, "one revision was given to more or less than one: {results:?}");
        contested.success(1);
    }
}

/// Lets the insert run a little, and abandons it.
async fn abandon_soon(commits: &dyn Commits, insert: &[Arc<Commit>], polls: usize) {
    let mut inserting = pin!(commits.insert(insert));
    for _ in 0..polls {
        let mut context = Context::from_waker(Waker::noop());
        if inserting.as_mut().poll(&mut context).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Lets the insert run until the first of it is seen, and abandons it.
async fn abandon_once_seen(commits: &dyn Commits, insert: &[Arc<Commit>]) {
    let mut inserting = pin!(commits.insert(insert));
    let mut watching = pin!(async {
        loop {
            for commit in insert {
                if !tail(commits, &commit.aggregate).await.is_empty() {
                    return;
                }
            }
        }
    });
    tokio::select! {
        biased;
        () = &mut watching => {}
        _ = &mut inserting => {}
    }
}

/// Promise 5: an insert whose sender has gone leaves a prefix, now or later; what is stored of it
/// stays, and sending it again stores the rest.
pub async fn an_abandoned_insert_leaves_a_prefix<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    for round in 0..ROUNDS {
        let mut lines: Vec<Line> = (0..20).map(|n| Line::of(&format!("a-{round}-{n}"))).collect();
        let insert: Vec<_> = lines.iter_mut().map(|line| line.success(1)).collect();
        if round % 2 == 0 {
            abandon_soon(&*commits, &insert, round).await;
        } else {
            abandon_once_seen(&*commits, &insert).await;
        }
        // Read from the last to the first: whatever is stored in between, none may then be missing
        // in front of one that was seen.
        let mut seen = 0;
        for (nth, line) in lines.iter().enumerate().rev() {
            let is_stored = !tail(&*commits, line.aggregate()).await.is_empty();
            assert!(is_stored || seen == 0, "commit {nth} is missing in front of a stored one");
            seen += usize::from(is_stored);
        }
        finish(&*commits, &insert, seen).await;
        for (line, commit) in lines.iter().zip(&insert) {
            let one = tail(&*commits, line.aggregate()).await;
            assert_eq!(one, slice::from_ref(commit), "stored once, in the end");
        }
    }
}

/// Sends the insert again until all of it is stored, as a worker does.
async fn finish(commits: &dyn Commits, insert: &[Arc<Commit>], seen: usize) {
    let mut at = 0;
    while at < insert.len() {
        let inserted = commits.insert(&insert[at..]).await;
        at += inserted.stored;
        match inserted.stop {
            None => assert_eq!(at, insert.len()),
            Some(Stop::Repeat) => at += 1,
            Some(Stop::Conflict) => panic!("a repeat was called a conflict"),
            Some(stop) => panic!("the store should work: {stop:?}"),
        }
    }
    assert!(at >= seen, "what was seen to be stored is a repeat");
}

/// Promise 6: a reader beside a writer sees a line without gap, all that was reported before it
/// looked, and never less than before.
pub async fn a_reader_beside_a_writer_sees_all_that_was_reported<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    let aggregate = line.aggregate().clone();
    let (reported, mut seen_by_writer) = tokio::sync::watch::channel(0_usize);
    let (writer, reader) = (world.commits().await, world.commits().await);
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            let commit = line.success(1);
            assert_all(&writer.insert(&[commit]).await, 1);
            reported.send_modify(|count| *count += 1);
        }
    });
    let mut last = 0;
    while last < 50 {
        let before = *seen_by_writer.borrow_and_update();
        let loaded = tail(&*reader, &aggregate).await;
        let history = reader.history(&aggregate, 0, 1_000).await.expect("reads");
        for (what, commits) in [("load", &loaded), ("history", &history)] {
            let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision).collect();
            let line: Vec<u64> = (1..=commits.len() as u64).collect();
            assert_eq!(revisions, line, "{what} shows a line with a gap");
            assert!(commits.len() >= before, "{what} lacks what was reported before the call");
            assert!(commits.len() >= last, "{what} has lost what was shown before");
        }
        last = loaded.len();
    }
    writing.await.expect("the writer");
}

/// Promise 6: what a reader has seen is there after an abrupt end, reported or not.
pub async fn what_was_shown_survives_a_restart<W: Stores>() {
    let mut world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    for round in 1..=5_usize {
        let (writer, reader) = (world.commits().await, world.commits().await);
        let insert = [line.success(1)];
        let shown = {
            let mut writing = pin!(writer.insert(&insert));
            let mut reading = pin!(async {
                let mut shown = Vec::new();
                while shown.len() < round {
                    shown = tail(&*reader, line.aggregate()).await;
                    tokio::task::yield_now().await;
                }
                shown
            });
            // Both run until the reader has seen the commit; the writer may not even know yet.
            tokio::select! {
                biased;
                shown = &mut reading => shown,
                inserted = &mut writing => {
                    assert_all(&inserted, 1);
                    reading.await
                }
            }
        };
        drop((writer, reader));
        world = world.restart(Setup::DEFAULT).await;
        let after = tail(&*world.commits().await, line.aggregate()).await;
        assert_eq!(after, shown, "what was shown is not there after the restart");
    }
}
