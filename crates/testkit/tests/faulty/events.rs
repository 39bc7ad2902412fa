//! Publications that end in the middle.

use ordain_model::AggregateKey;
use ordain_ports::contract::samples::Line;
use ordain_ports::{Content, EventLog as _, Input};
use ordain_testkit::faulty::{EventLog, Publish};
use ordain_testkit::{Gate, World, within};

/// The sequences that stand in the log, by reading so many.
async fn published(world: &World, count: usize) -> Vec<(AggregateKey, u64)> {
    let mut feed = world.home.join_events("view-test");
    let lane = within("a lane", feed.lane()).await.unwrap().unwrap();
    let mut all = Vec::new();
    while all.len() < count {
        let input = within("events", lane.next(1, usize::MAX)).await.unwrap();
        let Input::Records(records) = input else { panic!("revoked") };
        for record in records {
            let Content::Whole(event) = record.content else { panic!("damaged") };
            all.push((event.aggregate, event.event.sequence));
        }
    }
    all
}

#[tokio::test]
async fn a_prefix_may_end_between_two_events_of_a_commit() {
    let world = World::new(1);
    let log = EventLog::new(world.home.event_log());
    let (mut one, mut other) = (Line::of("a"), Line::of("b"));
    let commits = [one.success(2), one.refusal(), other.success(3)];
    log.plan(Publish::Prefix(4));
    assert!(log.publish(&commits).await.is_err());
    log.plan_for(&commits[1].request, Publish::AnswerLost);
    assert!(log.publish(&commits[1..]).await.is_err());
    log.publish(&commits[..1]).await.unwrap();
    let (a, b) = (one.aggregate().clone(), other.aggregate().clone());
    let first = [(a.clone(), 1), (a.clone(), 2), (b.clone(), 1), (b.clone(), 2)];
    let second = [(b.clone(), 1), (b.clone(), 2), (b, 3)];
    let third = [(a.clone(), 1), (a, 2)];
    let expected: Vec<_> = first.into_iter().chain(second).chain(third).collect();
    assert_eq!(published(&world, expected.len()).await, expected);
    assert_eq!(log.asked().len(), 5 + 3 + 2);
}

#[tokio::test]
async fn a_publication_stops_at_its_gate() {
    for is_before in [true, false] {
        let world = World::new(1);
        let log = EventLog::new(world.home.event_log());
        let gate = Gate::shut();
        let fault = if is_before { Publish::PausedBefore } else { Publish::PausedAfter };
        log.plan(fault(gate.clone()));
        let commits = [Line::of("a").success(1)];
        let check = async {
            gate.reached().await;
            if !is_before {
                published(&world, 1).await;
            }
            gate.open();
        };
        let publishing = async { tokio::join!(log.publish(&commits), check) };
        within("the publication", publishing).await.0.unwrap();
        assert_eq!(published(&world, 1).await.len(), 1);
    }
}
