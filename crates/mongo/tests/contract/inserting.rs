//! Inserts at the limits of the server, and over connections that break.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use ordain_model::Commit;
use ordain_ports::contract::samples::{Line, json, request};
use ordain_ports::{Action, Stop};
use ordain_testkit::until;

use crate::database::{Database, tail};
use crate::proxy::Next;

/// A commit with one event whose data has so many bytes.
fn large(line: &mut Line, bytes: usize) -> Arc<Commit> {
    let mut commit = Commit::clone(&line.success(1));
    commit.events[0].data = json(&format!("\"{}\"", "x".repeat(bytes - 2)));
    Arc::new(commit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_commit_is_stored_and_a_larger_one_is_named() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut line = Line::of("a");
    let around = large(&mut line.clone(), 1_000);
    let raw = database.raw().await;
    assert!(mongo.commits().insert(std::slice::from_ref(&around)).await.stop.is_none());
    let commits = raw.collection::<mongodb::bson::RawDocumentBuf>("commits");
    let stored = commits.find_one(doc! {}).await.expect("finds").expect("the commit");
    let beside = stored.as_bytes().len() - 1_000;
    commits.delete_many(doc! {}).await.expect("removes");

    let most = (16 << 20) - beside;
    let mut largest = [large(&mut line, most), large(&mut line, most)].to_vec();
    let inserted = mongo.commits().insert(&largest).await;
    assert!(inserted.stop.is_none() && inserted.stored == 2, "{inserted:?}");
    largest.push(large(&mut line, most + 1));
    let inserted = mongo.commits().insert(&largest[2..]).await;
    assert_eq!(inserted.stored, 0);
    assert!(matches!(inserted.stop, Some(Stop::NotStorable(_))), "{:?}", inserted.stop);
    assert_eq!(tail(&mongo, &line).await, largest[..2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_of_several_commands_keeps_its_prefix() {
    let database = Database::new();
    database.ready().await;
    let small = |settings: &mut ordain_mongo::Settings| settings.command_documents_max = 3;
    let by_count = database.connect_with(small).await;
    let by_bytes = database.connect_with(|settings| settings.command_bytes_max = 2_000).await;
    for (nth, mongo) in [by_count, by_bytes].into_iter().enumerate() {
        let mut line = Line::of(&format!("whole{nth}"));
        let whole: Vec<_> = (0..10).map(|_| line.success(1)).collect();
        let inserted = mongo.commits().insert(&whole).await;
        assert!(inserted.stop.is_none() && inserted.stored == 10, "{inserted:?}");
        assert_eq!(tail(&mongo, &line).await, whole);

        let mut line = Line::of(&format!("cut{nth}"));
        let mut cut: Vec<_> = (0..7).map(|_| line.success(1)).collect();
        cut.push(line.clone().success_of(&request("r2"), 1));
        cut.push(line.success(1));
        let inserted = mongo.commits().insert(&cut).await;
        assert_eq!(inserted.stored, 7, "{inserted:?}");
        assert!(matches!(inserted.stop, Some(Stop::Repeat)), "{:?}", inserted.stop);
        assert_eq!(tail(&mongo, &line).await, cut[..7]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_whose_connection_is_cut_is_unknown_and_can_be_looked_up() {
    let database = Database::new();
    let direct = database.ready().await;
    let (proxy, cut) = database.connect_through_proxy(|_| ()).await;
    let mut line = Line::of("a");
    let first = line.success(1);
    assert!(cut.commits().insert(&[first]).await.stop.is_none(), "the proxy passes on");
    for (next, is_stored) in [(Next::CutAfter, true), (Next::CutBefore, false)] {
        let insert = [line.success(1), line.success(2)];
        proxy.next(next);
        let inserted = cut.commits().insert(&insert).await;
        assert_eq!(inserted.stored, 0, "nothing is certain: {inserted:?}");
        let Some(Stop::Unknown(error)) = inserted.stop else {
            panic!("{next:?} should be unknown: {:?}", inserted.stop);
        };
        assert_eq!(error.action(), Action::TryAgain);
        let ids =
            insert.each_ref().map(|commit| (commit.aggregate.clone(), commit.request.clone()));
        if is_stored {
            // The server has it, and may still be about to store it.
            let begun = Instant::now();
            while direct.outcomes().find(&ids).await.expect("finds").contains(&None) {
                assert!(begun.elapsed().as_secs() < 30, "it reached the server");
            }
            let again = cut.commits().insert(&insert).await;
            assert!(matches!(again.stop, Some(Stop::Repeat)), "{again:?}");
        } else {
            let found = direct.outcomes().find(&ids).await.expect("finds");
            assert_eq!(found, [None, None], "it was cut before the server");
            let again = cut.commits().insert(&insert).await;
            assert!(again.stop.is_none(), "{again:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_come_is_unknown_and_what_finds_no_connection_was_not_sent() {
    let database = Database::new();
    let direct = database.ready().await;
    let (proxy, held) = database
        .connect_through_proxy(|settings| {
            settings.pool_connections_max = 1;
            settings.operation_ms_max = 1_000;
            settings.send_ms_max = 300;
        })
        .await;
    let mut line = Line::of("a");
    let (first, second, third) = (line.success(1), line.success(1), line.success(1));
    assert!(held.commits().insert(&[first]).await.stop.is_none(), "the proxy passes on");
    proxy.next(Next::Hold);
    let inserted = held.commits().insert(&[second]).await;
    assert!(matches!(inserted.stop, Some(Stop::Unknown(_))), "{inserted:?}");
    let inserted = held.commits().insert(&[third]).await;
    assert!(matches!(inserted.stop, Some(Stop::Unavailable(_))), "{inserted:?}");
    assert!(tail(&direct, &line).await.len() < 3, "what was not sent is not stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_was_not_sent_anything() {
    let mut database = Database::new();
    let url = std::mem::replace(&mut database.0.url, "mongodb://127.0.0.1:1".to_owned());
    let nowhere = database.connect_with(|settings| settings.server_selection_ms_max = 300).await;
    database.0.url = url;
    let inserted = nowhere.commits().insert(&[Line::of("a").success(1)]).await;
    let Some(Stop::Unavailable(error)) = inserted.stop else {
        panic!("it was certainly not sent: {:?}", inserted.stop);
    };
    assert_eq!(error.action(), Action::TryAgain);
}

/// The deadlines of what is inserted were checked before; a primary may come much later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_is_not_sent_to_a_primary_that_comes_too_late() {
    let database = Database::new();
    let direct = database.ready().await;
    let most = Duration::from_millis(300);
    let (proxy, cut) = database
        .connect_through_proxy(|settings| {
            settings.send_ms_max = 300;
            settings.server_selection_ms_max = 5_000;
        })
        .await;
    let mut line = Line::of("a");
    let first = line.success(1);
    assert!(cut.commits().insert(&[Arc::clone(&first)]).await.stop.is_none(), "it passes on");
    proxy.shut(true);
    until("the driver to know that nobody is there", || async {
        cut.ping().await.is_err_and(|error| error.to_string().contains("not asked")).then_some(())
    })
    .await;
    let (commits, late) = (cut.commits(), line.success(1));
    let inserting = tokio::spawn(async move { commits.insert(&[late]).await });
    // It is this time itself that matters, not what happens in it.
    tokio::time::sleep(most * 2).await;
    assert!(!inserting.is_finished(), "it waits for a primary");
    proxy.shut(false);
    let inserted = inserting.await.expect("it ends");
    assert!(matches!(inserted.stop, Some(Stop::Unavailable(_))), "{inserted:?}");
    assert_eq!(tail(&direct, &line).await, [first], "it was sent late");
}
