//! The fleet on three brokers of Kafka and three members of MongoDB: what one of them does, leaving
//! or failing, the other two bear.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use ordain_testkit::Services;
use ordain_tests::faults::Run;
use ordain_tests::{BROKERS, Brokers, Fleet, OwnServices};

use crate::hands::{is_primary_at, step_down};
use crate::{Arguments, load, report, tell, words};

/// How long a broker is away that was killed.
const AWAY: Duration = Duration::from_secs(10);
/// How long a primary does not stand for election.
const LONG: i32 = 10;
const REPLICATION: u32 = 3;

/// Whether nothing was found that must not be.
pub(crate) async fn fire(arguments: &Arguments) -> bool {
    let commit = report::commit();
    let servers = OwnServices::of(&["mongodb", "redis"]).await.with_secondaries().await;
    let mut brokers = Brokers::start(&arguments.kafka).await;
    let services = Services { kafka: brokers.addresses(), ..servers.services().clone() };
    let fleet = Arc::new(Fleet::on(&services).replicated(REPLICATION));
    let history = arguments.report.join("history.ndjson");
    let run = Run::begin_on(fleet, (Some(&history), load(arguments.seed)), "").await;
    let made = async {
        for number in 0..arguments.rounds {
            eprintln!("round {} of {}", number + 1, arguments.rounds);
            round((&servers, &mut brokers), &run).await;
        }
    };
    let broke_off = AssertUnwindSafe(made).catch_unwind().await.err();
    tell(arguments, run, (commit, broke_off.map(|panic| words(panic.as_ref())))).await
}

async fn round((servers, brokers): (&OwnServices, &mut Brokers), run: &Run) {
    let timeline = run.timeline();
    for broker in 0..BROKERS {
        let restarted = brokers.restart(broker, ("-TERM", Duration::ZERO));
        timeline.during(("kafka", "a broker of three restarted"), restarted).await;
        run.goes_on().await;
    }
    for broker in 0..BROKERS {
        let killed = brokers.restart(broker, ("-KILL", AWAY));
        timeline.during(("kafka", "a broker of three killed"), killed).await;
        run.goes_on().await;
    }
    let url = &servers.services().mongodb;
    let stepped = step_down(url, LONG);
    timeline.during(("mongodb", "a primary of three steps down"), stepped).await;
    run.goes_on().await;
    is_primary_at(servers.ports("mongodb")[0]).await;
    let killed = async {
        servers.kill("mongodb").await;
        run.goes_on().await;
        servers.start_again("mongodb").await;
    };
    timeline.during(("mongodb", "a primary of three killed"), killed).await;
    is_primary_at(servers.ports("mongodb")[0]).await;
    run.goes_on().await;
}
