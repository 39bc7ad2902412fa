//! How a member stands with brokers that refuse it.

use std::sync::Arc;
use std::time::Duration;

use ordain_model::Command;
use ordain_ports::Feed as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::sync::mpsc;

use super::{Joining, Member, Members, ReportMember};
use crate::Settings;

/// No state takes longer to come about.
const LIMIT: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(result) = tokio::time::timeout(LIMIT, future).await else {
        panic!("waited {LIMIT:?} in vain for {what}");
    };
    result
}

/// A group of one member at brokers of its own, and what is told of how it stands.
struct Group {
    brokers: MockCluster<'static, DefaultProducerContext>,
    told: mpsc::UnboundedReceiver<(String, Option<String>)>,
    members: Members,
}

const GROUP: &str = "some.workers";
const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;

impl Group {
    /// A group whose first member is refused so often before it is let in. Once need not be enough
    /// for it to know: the driver lets go of the broker that it began with, and of what that was
    /// about to answer.
    fn join(refused: usize) -> (Self, Member<Command>) {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic("some.requests", 1, 1).unwrap();
        brokers.request_errors(RDKafkaApiKey::FindCoordinator, &vec![REFUSED; refused]);
        let (tell, told) = mpsc::unbounded_channel();
        let report: ReportMember = Arc::new(move |group, refused| {
            drop(tell.send((group.to_owned(), refused.map(str::to_owned))));
        });
        let settings =
            Settings { bootstrap_servers: brokers.bootstrap_servers(), ..Settings::default() };
        let (topic, members) = ("some.requests", Members::default());
        let joining = Joining {
            settings: &settings,
            topic,
            group: GROUP,
            partitions: 1,
            report: &report,
            members: &members,
        };
        let member = Member::join(&joining);
        (Self { brokers, told, members }, member)
    }

    /// Why the member is refused, as told next; `None` once it no longer is.
    async fn refused(&mut self, what: &str) -> Option<String> {
        let (group, refused) = within(what, self.told.recv()).await.unwrap();
        assert_eq!(group, GROUP);
        refused
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_the_brokers_refuse_says_so_until_they_let_it() {
    let (mut group, mut member) = Group::join(3);
    let why = group.refused("the refusal to be told").await;
    assert!(why.as_ref().is_some_and(|why| why.contains("authorization")), "{why:?}");
    let lane = within("a lane", member.lane()).await.unwrap();
    assert_eq!(group.refused("the end of it to be told").await, None, "and nothing between");
    member.leave();
    drop(lane);
    within("the member to leave", group.members.gone()).await;
}

/// It is given nothing then, for it keeps what it has, and saves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_refused_for_a_moment_is_let_in_again_as_it_is() {
    let (mut group, mut member) = Group::join(0);
    let lane = within("a lane", member.lane()).await.unwrap().unwrap();
    group.brokers.request_errors(RDKafkaApiKey::FindCoordinator, &[REFUSED]);
    let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
    group.brokers.request_errors(RDKafkaApiKey::Heartbeat, &[moved]);
    let why = group.refused("the refusal to be told").await;
    assert!(why.as_ref().is_some_and(|why| why.contains("authorization")), "{why:?}");
    assert_eq!(group.refused("the end of it to be told").await, None);
    assert!(!lane.is_revoked(), "it has kept what it had");
    member.leave();
    drop(lane);
    within("the member to leave", group.members.gone()).await;
}

/// The driver says each reason only once, however often it comes to be true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_refused_again_for_the_same_reason_says_so_again() {
    let (mut group, mut member) = Group::join(3);
    assert!(group.refused("the refusal to be told").await.is_some());
    let lane = within("a lane", member.lane()).await.unwrap().unwrap();
    assert_eq!(group.refused("the end of it to be told").await, None);
    group.brokers.request_errors(RDKafkaApiKey::FindCoordinator, &[REFUSED; 20]);
    let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
    group.brokers.request_errors(RDKafkaApiKey::Heartbeat, &[moved]);
    let why = group.refused("the second refusal to be told").await;
    let is_told = |why: &String| why.contains("out of reach") && why.contains("authorization");
    assert!(why.as_ref().is_some_and(is_told), "{why:?}");
    assert_eq!(group.refused("the end of that to be told").await, None);
    member.leave();
    drop(lane);
    within("the member to leave", group.members.gone()).await;
}
