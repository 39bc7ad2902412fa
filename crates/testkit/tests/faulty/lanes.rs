//! Lanes that are revoked, fenced and paused as told.

use std::sync::Arc;

use ordain_model::Command;
use ordain_ports::contract::samples::{aggregate, command, request};
use ordain_ports::{Feed as Port, Input, Lane};
use ordain_testkit::faulty::{Control, Feed, Save};
use ordain_testkit::{Gate, World, within};

struct Member {
    world: World,
    feed: Box<dyn Port<Command>>,
    control: Control,
    lane: Arc<dyn Lane<Command>>,
}

async fn member() -> Member {
    let world = World::new(1);
    let (mut feed, control) = Feed::wrap(world.home.join_requests());
    let lane = Arc::from(within("a lane", feed.lane()).await.unwrap().unwrap());
    Member { world, feed, control, lane }
}

impl Member {
    async fn append(&self, id: &str) {
        let one = command(&aggregate("a"), &request(id));
        self.world.home.command_log().append(one).unwrap().await;
    }

    async fn progress(&self) -> Option<u64> {
        self.world.home.command_log().progress().await.unwrap()[0]
    }
}

#[tokio::test]
async fn without_a_plan_all_goes_through() {
    let member = member().await;
    member.append("r1").await;
    let input = within("a record", member.lane.next(9, 999_999)).await.unwrap();
    assert!(matches!(input, Input::Records(records) if records.len() == 1));
    member.lane.save(1).await.unwrap();
    assert_eq!((member.lane.partition(), member.lane.progress()), (0, None));
    assert_eq!((member.progress().await, member.lane.is_revoked()), (Some(1), false));
    assert_eq!(member.control.saves_asked(), [(0, 1)]);
    assert!(!member.control.revoke(7), "there is no such lane");
}

#[tokio::test]
async fn a_revoked_lane_is_told_and_may_save() {
    let member = member().await;
    let waiting = tokio::spawn({
        let lane = Arc::clone(&member.lane);
        async move { lane.next(1, 1).await }
    });
    assert!(member.control.revoke(0));
    let told = within("the waiting lane", waiting).await.unwrap();
    assert!(matches!(told, Ok(Input::Revoked)));
    member.append("r1").await;
    assert!(matches!(member.lane.next(1, 1).await, Ok(Input::Revoked)));
    assert!(member.lane.is_revoked());
    member.lane.save(1).await.unwrap();
}

#[tokio::test]
async fn a_fenced_lane_is_to_stop() {
    let mut member = member().await;
    assert!(member.control.fence(0));
    assert!(member.lane.save(1).await.unwrap_err().is_stop());
    assert!(matches!(member.lane.next(1, 1).await, Ok(Input::Revoked)));
    assert_eq!(member.progress().await, None);
    // Once it is dropped, the partition comes again, and works.
    drop(member.lane);
    let lane = within("a lane", member.feed.lane()).await.unwrap().unwrap();
    assert!(!lane.is_revoked());
    lane.save(1).await.unwrap();
}

#[tokio::test]
async fn a_save_meets_its_fault_once() {
    let member = member().await;
    let save = async |fault: Save, progress: u64| {
        member.control.plan_save(0, fault);
        let error = member.lane.save(progress).await.unwrap_err();
        (error.is_stop(), member.progress().await)
    };
    assert_eq!(save(Save::Unavailable, 1).await, (false, None));
    assert_eq!(save(Save::Fenced, 1).await, (true, None));
    assert_eq!(save(Save::AnswerLost, 1).await, (false, Some(1)));
    member.lane.save(2).await.unwrap();
    assert_eq!(member.progress().await, Some(2));
}

#[tokio::test]
async fn calls_stop_at_their_gates() {
    let member = member().await;
    for (is_before, progress, stands_at) in [(true, 1, None), (false, 2, Some(2))] {
        let gate = Gate::shut();
        let fault = if is_before { Save::PausedBefore } else { Save::PausedAfter };
        member.control.plan_save(0, fault(gate.clone()));
        let check = async {
            gate.reached().await;
            assert_eq!(member.progress().await, stands_at);
            gate.open();
        };
        let saving = async { tokio::join!(member.lane.save(progress), check) };
        within("the save", saving).await.0.unwrap();
    }
    let gate = Gate::shut();
    member.control.pause_next(0, gate.clone());
    member.append("r1").await;
    let check = async {
        gate.reached().await;
        gate.open();
    };
    let reading = async { tokio::join!(member.lane.next(1, 1), check) };
    let (input, ()) = within("the record", reading).await;
    assert!(matches!(input, Ok(Input::Records(_))));
}
