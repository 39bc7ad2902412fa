//! What cannot be folded: missing events stop their aggregate, unreadable ones their lane, damaged
//! records nobody.

use std::sync::Arc;

use ordain_model::{AggregateKey, Json, Unprocessable};
use ordain_ports::{DeadLetter, Published, SoleRow};
use ordain_testkit::until;
use ordain_views::{Accounts, Change, View};

use crate::scripted::Script;
use crate::world::{Line, World, fold, published, run};

async fn letters(world: &World) -> Vec<DeadLetter> {
    world.home.dead_letters().list(None, 100).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_events_stop_their_aggregate_only_until_they_are_found() {
    let world = World::new();
    let (mut line, mut broken) = Line::deposits("broken", 3);
    let (mut neighbour, mut whole) = Line::deposits("whole", 3);
    world.store(&broken[..1]).await;
    world.store(&whole).await;
    let script = Script::default();
    let running = run(Accounts, world.ports(), script.feed());
    // Of the broken one the first event comes, and then the third; the second is nowhere.
    script.add(
        [&broken[0], &broken[2], &broken[3], &whole[3]].into_iter().flat_map(|c| published(c)),
    );
    script.saved_up_to(4).await;
    world.shows(&Accounts, &[broken[..1].to_vec(), whole.clone()].concat()).await;
    let letter = letters(&world).await.remove(0);
    assert_eq!(letter.id.to_string(), "finalevents:0:1");
    assert_eq!(letter.code.as_str(), "EVENTS_MISSING");
    assert_eq!(letter.named.unwrap(), (line.aggregate.clone(), broken[2].request.clone()));
    // Another event shows the gap again; it is reported once.
    broken.push(line.deposit());
    whole.push(neighbour.deposit());
    script.add([&broken[4], &whole[4]].into_iter().flat_map(|commit| published(commit)));
    script.saved_up_to(6).await;
    world.store(&whole[4..]).await;
    world.shows(&Accounts, &[broken[..1].to_vec(), whole.clone()].concat()).await;
    assert_eq!(letters(&world).await.len(), 1);
    // The commits are mended, and the next event finds all that was passed over.
    broken.push(line.deposit());
    world.store(&broken[1..]).await;
    script.add(published(&broken[5]));
    world.shows(&Accounts, &[broken, whole].concat()).await;
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_not_known_stops_its_lane_before_it() {
    let world = World::new();
    let (mut line, mut commits) = Line::deposits("a", 1);
    let (_, other) = Line::deposits("b", 1);
    commits.push(line.happen("frozen", 1, "{}"));
    commits.push(line.deposit());
    world.store(&[commits.clone(), other.clone()].concat()).await;
    let script = Script::default();
    script.add(commits.iter().chain(&other).flat_map(|commit| published(commit)));
    let running = run(Accounts, world.ports(), script.feed());
    script.saved_up_to(2).await;
    world.shows(&Accounts, &[commits[..2].to_vec(), other].concat()).await;
    assert_eq!(script.saved(), Some(2));
    assert_eq!(letters(&world).await, []);
    // It is held, and leaves when it is told to.
    running.leave().await;
    assert_eq!(script.saved(), Some(2));
    assert_eq!(world.place(&Accounts, &line.aggregate).await, Some(2));
}

/// A build of the view that knows more.
struct Newer;

impl View for Newer {
    fn name(&self) -> &'static str {
        Accounts.name()
    }

    fn follows(&self) -> &'static [&'static str] {
        Accounts.follows()
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        if event.event.name.as_str() == "frozen" { Ok(Vec::new()) } else { Accounts.changes(event) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_knows_the_event_takes_the_lane_over() {
    let world = World::new();
    let (mut line, mut commits) = Line::deposits("a", 1);
    commits.push(line.happen("frozen", 1, "{}"));
    world.store_and_publish(&commits).await;
    let old = world.run(Accounts);
    world.shows(&Accounts, &commits[..2]).await;
    commits.push(line.deposit());
    world.store_and_publish(&commits[3..]).await;
    let new = world.run(Newer);
    old.leave().await;
    world.shows(&Newer, &commits).await;
    new.leave().await;
}

type Changes = fn(&Published) -> Result<Vec<Change>, Unprocessable>;

/// Wrong in one way or another.
#[derive(Clone, Copy)]
struct Wrong(Changes, Option<SoleRow>);

impl View for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn follows(&self) -> &'static [&'static str] {
        &["account"]
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        (self.0)(event)
    }

    fn sole_row(&self) -> Option<SoleRow> {
        self.1
    }
}

fn seen(_: Option<&Json>) -> Result<Option<Json>, Unprocessable> {
    Ok(Some(Json::of(&1).unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_wrong_stops_its_lane_and_nothing_else() {
    let panics = |event: &Published| -> Result<Vec<Change>, Unprocessable> {
        assert_ne!(event.aggregate.id(), "bad", "planned");
        Ok(vec![Change::new(event.aggregate.id(), seen)])
    };
    let folds_panic = |event: &Published| -> Result<Vec<Change>, Unprocessable> {
        let bad = event.aggregate.id() == "bad";
        Ok(vec![Change::new(event.aggregate.id(), move |row| {
            assert!(!bad, "planned");
            seen(row)
        })])
    };
    let shares_a_row = |event: &Published| -> Result<Vec<Change>, Unprocessable> {
        let good = Change::new("good", seen);
        Ok(if event.event.sequence == 1 { vec![good] } else { Vec::new() })
    };
    for wrong in [panics, folds_panic, shares_a_row] {
        stops_its_lane(Wrong(wrong, None)).await;
    }
    for wrong in [panics, folds_panic] {
        stops_its_lane(Wrong(wrong, Some(AggregateKey::id))).await;
    }
}

/// The bad aggregate changes these rows, every other one its own.
fn of(event: &Published, bad: &[&str]) -> Result<Vec<Change>, Unprocessable> {
    let keys = if event.aggregate.id() == "bad" { bad } else { &[event.aggregate.id()] };
    Ok(keys.iter().map(|key| Change::new(*key, seen)).collect())
}

/// An event that does not change the sole row would be taken for one that was never folded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_leaves_its_sole_row_alone_or_changes_another_stops_its_lane() {
    let nothing: Changes = |event| of(event, &[]);
    let another: Changes = |event| of(event, &["other"]);
    let two: Changes = |event| of(event, &["bad", "other"]);
    for wrong in [nothing, another, two] {
        stops_its_lane(Wrong(wrong, Some(AggregateKey::id))).await;
    }
}

async fn stops_its_lane(view: Wrong) {
    let world = World::new();
    let (good, bad) = (Line::deposits("good", 1).1, Line::deposits("bad", 1).1);
    world.store(&[good.clone(), bad.clone()].concat()).await;
    let script = Script::default();
    script.add(good.iter().chain(&bad).chain(&good).flat_map(|commit| published(commit)));
    let running = run(view, world.ports(), script.feed());
    script.saved_up_to(2).await;
    world.reached(&view, &good[0].aggregate, 2).await;
    running.leave().await;
    assert_eq!(script.saved(), Some(2));
    assert_eq!(world.place(&view, &bad[0].aggregate).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_becomes_a_dead_letter_and_stops_nobody() {
    let world = World::new();
    let (_, commits) = Line::deposits("a", 2);
    world.store(&commits).await;
    let script = Script::default();
    script.add(published(&commits[0]));
    script.add_damaged(None);
    script.add(published(&commits[1]));
    script.add(published(&commits[2]));
    let running = run(Accounts, world.ports(), script.feed());
    script.saved_up_to(4).await;
    world.shows(&Accounts, &commits).await;
    let letters = letters(&world).await;
    let ids: Vec<_> = letters.iter().map(|letter| letter.id.to_string()).collect();
    assert_eq!(ids, ["finalevents:0:1"]);
    assert_eq!((letters[0].code.as_str(), letters[0].data.as_slice()), ("DAMAGED", &b"\xff"[..]));
    running.leave().await;
}

/// Nothing comes behind it that would show the gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_that_names_its_aggregate_is_read_from_the_commits() {
    let world = World::new();
    let (line, commits) = Line::deposits("a", 6);
    world.store(&commits).await;
    let script = Script::default();
    script.add(published(&commits[0]));
    script.add_damaged(Some(&line.aggregate));
    let running = run(Accounts, world.ports(), script.feed());
    world.shows(&Accounts, &commits).await;
    script.saved_up_to(2).await;
    assert_eq!(letters(&world).await.len(), 1);
    running.leave().await;
}

/// A lane that is stopped is not lost: what comes through the others is folded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_lanes_go_on_when_one_is_stopped() {
    let world = World::new();
    let mut stopped = Line::account("a0");
    world.store_and_publish(&[stopped.happen("frozen", 1, "{}")]).await;
    let running = world.run(Accounts);
    let mut folded = Vec::new();
    for number in 1..20 {
        let commits = Line::deposits(&format!("a{number}"), 1).1;
        world.store_and_publish(&commits).await;
        folded.push(commits);
    }
    // Those that share the stopped lane wait; all others arrive.
    until("most accounts", || async {
        let rows = world.rows(&Accounts).await;
        let all: Vec<Arc<_>> = folded.concat();
        let expected = fold(&Accounts, &all);
        assert!(rows.keys().all(|key| expected.contains_key(key)));
        (rows.len() >= 5 && rows.iter().all(|(key, row)| &expected[key] == row)).then_some(())
    })
    .await;
    running.leave().await;
}
