//! How a member stands with brokers that refuse it.

use std::sync::Arc;
use std::time::Duration;

use ordain_model::Command;
use ordain_ports::Feed as _;
use rdkafka::mocking::MockCluster;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_the_brokers_refuse_says_so_until_they_let_it() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic("some.requests", 1, 1).unwrap();
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    brokers.request_errors(RDKafkaApiKey::FindCoordinator, &[refused; 3]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let report: ReportMember = Arc::new(move |group, refused| {
        drop(tell.send((group.to_owned(), refused.map(str::to_owned))));
    });
    let settings =
        Settings { bootstrap_servers: brokers.bootstrap_servers(), ..Settings::default() };
    let (topic, group, members) = ("some.requests", "some.workers", Members::default());
    let joining = Joining { settings: &settings, topic, group, report: &report, members: &members };
    let mut member: Member<Command> = Member::join(&joining);
    let (of, why) = within("the refusal to be told", told.recv()).await.unwrap();
    assert_eq!(of, group);
    assert!(why.as_ref().is_some_and(|why| why.contains("authorization")), "{why:?}");
    let lane = within("a lane", member.lane()).await.unwrap();
    let then = within("the end of it to be told", told.recv()).await.unwrap();
    assert_eq!(then, (group.to_owned(), None), "and nothing between");
    member.leave();
    drop(lane);
    within("the member to leave", members.gone()).await;
}
