//! Callers who come at the same time share commands, and each is answered as if he were alone.

use std::time::{Duration, Instant};

use mongodb::bson::doc;
use ordain_model::{AggregateKey, RequestId};
use ordain_ports::contract::samples::{Line, json, request};
use ordain_ports::{Mark, Row, RowWrite, Stop};
use tokio::task::JoinSet;

use crate::database::{Database, tail};
use crate::proxy::{Next, Proxy};

const CALLERS: usize = 64;
const ROUNDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_repeat_or_conflict_do_no_harm_to_those_beside_them() {
    let database = Database::new();
    database.ready().await;
    let proxy = Proxy::to(&database.0.url).await;
    let mongo = database.connect_with(|settings| settings.url = proxy.url.clone()).await;
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let commits = mongo.commits();
        callers.spawn(async move {
            let mut line = Line::of(&format!("a{number}"));
            let mut stored = Vec::new();
            for round in 0..ROUNDS {
                let before = line.clone();
                let mut batch = vec![line.success(1), line.refusal()];
                let wrong = (number as u64 + round) % 3;
                match wrong {
                    // The request of the first is in the store.
                    1 if round > 0 => batch.push(line.clone().success_of(&request("r1"), 1)),
                    // The revision of the first is.
                    2 => batch.push(before.clone().success_of(&request(&format!("x{round}")), 1)),
                    _ => {}
                }
                let inserted = commits.insert(&batch).await;
                assert_eq!(inserted.stored, 2, "{number} {round}: {inserted:?}");
                match wrong {
                    1 if round > 0 => assert!(matches!(inserted.stop, Some(Stop::Repeat))),
                    2 => assert!(matches!(inserted.stop, Some(Stop::Conflict))),
                    _ => assert!(inserted.stop.is_none(), "{:?}", inserted.stop),
                }
                batch.truncate(2);
                stored.append(&mut batch);
            }
            (line, stored)
        });
    }
    for (line, stored) in callers.join_all().await {
        assert_eq!(tail(&mongo, &line).await, stored, "all that was reported, and nothing else");
    }
    let (commands, calls) = (proxy.writes(), CALLERS as u64 * ROUNDS);
    assert!(commands < calls, "they share commands: {commands} of {calls} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_caller_learns_which_of_his_rows_and_marks_were_written() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let views = mongo.view_store();
        callers.spawn(async move {
            let aggregate = AggregateKey::new("default", "account", &format!("a{number}"));
            let aggregate = aggregate.expect("a key");
            let write = |key: &str, expected, sequence| RowWrite {
                expected,
                row: Row {
                    key: format!("{number}-{key}"),
                    aggregate: aggregate.clone(),
                    sequence,
                    body: Some(json("{}")),
                },
            };
            for round in 1..=ROUNDS {
                let (stale, before) = (Some(round + 7), (round > 1).then(|| round - 1));
                let writes = [
                    write("a", before, round),
                    write("b", stale, round + 8),
                    write("c", before, round),
                ];
                let written = views.write("view", writes.to_vec()).await.expect("writes");
                assert_eq!(written, [true, false, true], "{number} {round}");
                let mark =
                    |expected| Mark { aggregate: aggregate.clone(), expected, sequence: round };
                let written = views.set_marks("view", vec![mark(before), mark(before)]).await;
                assert_eq!(written.expect("writes"), [true, false], "{number} {round}");
            }
        });
    }
    callers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_behind_commands_that_are_not_answered_was_not_sent() {
    let database = Database::new();
    database.ready().await;
    let proxy = Proxy::to(&database.0.url).await;
    let mongo = database
        .connect_with(|settings| {
            settings.url = proxy.url.clone();
            settings.send_ms_max = 400;
            settings.operation_ms_max = 30_000;
        })
        .await;
    let warm = mongo.commits().insert(&[Line::of("warm").success(1)]).await;
    assert!(warm.stop.is_none(), "{warm:?}");
    let raw = database.raw().await;
    let commits = raw.collection::<mongodb::bson::RawDocumentBuf>("commits");
    let mut held = JoinSet::new();
    // Both commands that may be under way are, and stay so.
    for number in 0..2_u64 {
        proxy.next(Next::Hold);
        let store = mongo.commits();
        held.spawn(async move {
            let mut line = Line::of(&format!("held{number}"));
            store.insert(&[line.success(1)]).await
        });
        let begun = Instant::now();
        while commits.count_documents(doc! {}).await.expect("counts") < number + 2 {
            assert!(begun.elapsed() < Duration::from_secs(30), "the server has it");
        }
    }
    let mut line = Line::of("behind");
    let behind = line.success(1);
    let inserted = mongo.commits().insert(std::slice::from_ref(&behind)).await;
    assert!(matches!(inserted.stop, Some(Stop::Unavailable(_))), "{inserted:?}");
    for held in held.join_all().await {
        assert!(matches!(held.stop, Some(Stop::Unknown(_))), "{held:?}");
    }
    let id: RequestId = behind.request.clone();
    let found = mongo.outcomes().find(&[(behind.aggregate.clone(), id)]).await.expect("finds");
    assert_eq!(found, [None], "it was never sent");
    let inserted = mongo.commits().insert(&[behind]).await;
    assert!(inserted.stop.is_none(), "{inserted:?}");
}
