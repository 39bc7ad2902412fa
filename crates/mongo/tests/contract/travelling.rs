//! Callers who come at the same time share commands, and each is answered as if he were alone.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use ordain_model::{AggregateKey, RequestId};
use ordain_mongo::Mongo;
use ordain_ports::contract::samples::{Line, json, request};
use ordain_ports::{Inserted, Mark, Row, RowWrite, Stop};
use ordain_testkit::until;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::database::{Database, tail};
use crate::proxy::Next;

const CALLERS: usize = 64;
const ROUNDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_repeat_or_conflict_do_no_harm_to_those_beside_them() {
    let database = Database::new();
    database.ready().await;
    let (proxy, mongo) = database.connect_through_proxy(|_| ()).await;
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

fn row(key: &str) -> RowWrite {
    let aggregate = AggregateKey::new("default", "account", key).expect("a key");
    let row = Row { key: key.to_owned(), aggregate, sequence: 1, body: Some(json("{}")) };
    RowWrite { expected: None, row }
}

/// Nobody waits for a view as for an answer, so whoever comes meanwhile shares the next command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_written_by_one_command_at_a_time() {
    let database = Database::new();
    database.ready().await;
    let (proxy, mongo) = database
        .connect_through_proxy(|settings| {
            // Nothing that waits is late before the test ends.
            settings.send_ms_max = 300_000;
            settings.operation_ms_max = 300_000;
        })
        .await;
    let views = mongo.view_store();
    proxy.next(Next::Pause);
    let first = tokio::spawn({
        let views = mongo.view_store();
        async move { views.write("view", vec![row("first")]).await }
    });
    until("the first to be sent", || async { proxy.has_happened().then_some(()) }).await;
    let mut second = pin!(views.write("view", vec![row("second")]));
    let mut third = pin!(views.write("view", vec![row("third")]));
    begin(second.as_mut()).await;
    begin(third.as_mut()).await;
    proxy.go_on();
    assert_eq!(first.await.expect("it ends").expect("writes"), [true]);
    let (second, third) = tokio::join!(second, third);
    assert_eq!((second.expect("writes"), third.expect("writes")), (vec![true], vec![true]));
    assert_eq!(proxy.writes(), 2, "the second and the third shared a command");
}

/// Sends a command of which the server has the only document, beside so many others.
async fn under_way(
    held: &mut JoinSet<Inserted>,
    (database, mongo): (&Database, &Mongo),
    others: u64,
) {
    let store = mongo.commits();
    held.spawn(async move {
        let mut line = Line::of(&format!("held{others}"));
        store.insert(&[line.success(1)]).await
    });
    let raw = database.raw().await;
    let commits = raw.collection::<mongodb::bson::RawDocumentBuf>("commits");
    let begun = Instant::now();
    while commits.count_documents(doc! {}).await.expect("counts") <= others {
        assert!(begun.elapsed() < Duration::from_secs(30), "the server has it");
    }
}

/// Takes one step, which brings no end.
async fn begin<F: Future>(mut writes: Pin<&mut F>) {
    let is_pending =
        std::future::poll_fn(|context| Poll::Ready(writes.as_mut().poll(context).is_pending()));
    assert!(is_pending.await, "it has to wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_answered_does_not_wait_for_those_who_have_to_be_sent_again() {
    let database = Database::new();
    database.ready().await;
    let (proxy, mongo) = database
        .connect_through_proxy(|settings| {
            // No command that is held ends before the test does.
            settings.send_ms_max = 300_000;
            settings.operation_ms_max = 300_000;
        })
        .await;
    let [mut first, mut taker, mut behind] = ["first", "taker", "behind"].map(Line::of);
    let (first, taker, behind) = (first.success(1), taker.success(1), behind.success(1));
    let stored = mongo.commits().insert(std::slice::from_ref(&first)).await;
    assert!(stored.stop.is_none(), "{stored:?}");
    // Of the two commands that may be under way one stays so; then the other ends, and he who takes
    // its turn takes the others along. The repeat ends their command for whoever stands behind it.
    let mut held = JoinSet::new();
    for (next, number) in [(Next::Hold, 1), (Next::Pause, 2)] {
        proxy.next(next);
        under_way(&mut held, (&database, &mongo), number).await;
    }
    let store = mongo.commits();
    let (taker, repeat, behind) = (vec![taker], vec![first], vec![behind]);
    let mut taken = pin!(store.insert(&taker));
    let mut repeated = pin!(store.insert(&repeat));
    let mut sent_again = pin!(store.insert(&behind));
    begin(taken.as_mut()).await;
    begin(repeated.as_mut()).await;
    begin(sent_again.as_mut()).await;
    proxy.in_turn([Next::Pass, Next::Hold]);
    proxy.go_on();
    let answered = timeout(Duration::from_secs(30), async { tokio::join!(taken, repeated) }).await;
    let (taken, repeated) = answered.expect("they wait for nobody else");
    assert!(taken.stop.is_none(), "{taken:?}");
    assert!(matches!(repeated.stop, Some(Stop::Repeat)), "{repeated:?}");
    begin(sent_again).await;
    let is_sent = || async { proxy.has_happened().then_some(()) };
    until("who stood behind the repeat to be sent again", is_sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_time_to_send_in_refuses_who_is_late_and_not_all() {
    let database = Database::new();
    database.ready().await;
    let mongo = database.connect_with(|settings| settings.send_ms_max = 20).await;
    let commit = Line::of("soon").success(1);
    let begun = Instant::now();
    loop {
        let inserted = mongo.commits().insert(std::slice::from_ref(&commit)).await;
        match inserted.stop {
            None => break,
            // The machine does other things, too.
            Some(Stop::Unavailable(error)) => {
                assert!(begun.elapsed() < Duration::from_secs(30), "{error:?}");
            }
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_behind_commands_that_are_not_answered_was_not_sent() {
    let database = Database::new();
    database.ready().await;
    let (proxy, mongo) = database
        .connect_through_proxy(|settings| {
            settings.send_ms_max = 400;
            settings.operation_ms_max = 30_000;
        })
        .await;
    let warm = mongo.commits().insert(&[Line::of("warm").success(1)]).await;
    assert!(warm.stop.is_none(), "{warm:?}");
    // Both commands that may be under way are, and stay so.
    let mut held = JoinSet::new();
    for number in 1..=2 {
        proxy.next(Next::Hold);
        under_way(&mut held, (&database, &mongo), number).await;
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
