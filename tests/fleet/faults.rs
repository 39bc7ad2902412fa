//! Everything fails once while clients send: processes of the fleet, Redis, the broker; and there
//! come to be more partitions. Whatever was answered holds, and nothing takes effect twice.

use std::io::Write as _;
use std::time::{Duration, Instant};

use ordain_tests::{Asked, Client, Load, OwnServices, Role, Server, ServerOptions, works};

use crate::Home;
use crate::crashes::check::{check, check_final_events};
use crate::crashes::kills::environment;

const BEFORE: u32 = 4;
const AFTER: u32 = 16;
/// How long Redis is away at least.
const OUTAGE: Duration = Duration::from_secs(20);
/// So many answers have to come before and after each fault.
const ENOUGH: usize = 400;

/// Two APIs, three workers and one view, whose members are missed soon.
fn options() -> ServerOptions {
    ServerOptions {
        environment: environment(),
        partitions: Some(BEFORE),
        more_apis: 1,
        more_workers: 2,
        ..ServerOptions::default()
    }
}

/// What happened when, and when things went on.
struct Timeline<'a> {
    load: &'a Load,
    began: Instant,
    faults: usize,
}

impl<'a> Timeline<'a> {
    fn begin(load: &'a Load) -> Self {
        say("    at  over after  next answer  every client  longest silence  new row  what");
        Self { load, began: Instant::now(), faults: 0 }
    }

    /// A fault, until it is over. Every client has to get on then at the latest, and what is told
    /// afterwards has to reach the views.
    async fn fault(
        &mut self,
        what: &str,
        server: &mut Server,
        fault: impl AsyncFnOnce(&mut Server),
    ) {
        let (at, before) = (Instant::now(), self.load.history.count());
        fault(server).await;
        self.load.serve(server);
        let (over, during) = (Instant::now(), self.load.history.count() - before);
        self.load.all_are_answered().await;
        let every = over.elapsed();
        self.load.progress(ENOUGH).await;
        self.faults += 1;
        let asked = Instant::now();
        follows(self.load, &server.client(), self.faults).await;
        let row = asked.elapsed();
        let times = self.load.history.times_since(before);
        let next = times.get(during).map(|time| time.saturating_duration_since(over));
        let gaps = std::iter::once(&at).chain(&times).zip(&times);
        let silence = gaps.map(|(before, after)| after.saturating_duration_since(*before)).max();
        let (next, silence) = (next.unwrap_or_default(), silence.unwrap_or_default());
        say(&format!(
            "{:5.1}s {:10.1}s {:11.2}s {:12.1}s {:15.2}s {:7.1}s  {what}",
            at.duration_since(self.began).as_secs_f64(),
            over.duration_since(at).as_secs_f64(),
            next.as_secs_f64(),
            every.as_secs_f64(),
            silence.as_secs_f64(),
            row.as_secs_f64(),
        ));
    }
}

/// To standard output itself, so that it is seen of a test that passes, too.
fn say(line: &str) {
    let mut output = std::io::stdout();
    output.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A new aggregate comes to be and reaches its view.
async fn follows(load: &Load, client: &Client, number: usize) {
    let path = format!("/v1/account/probe{number}/open");
    let opened = load.ask(&Asked::new(path, "open".to_owned(), "{}".to_owned())).await;
    let receipt = opened.outcome["receipt"].as_str().unwrap();
    let path = format!("/v1/views/accounts/probe{number}?receipt={receipt}&wait=25");
    client.caught_up(&path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_loses_nothing_and_repeats_nothing() {
    let own = OwnServices::up().await;
    let home = Home::on(own.services());
    let mut server = home.serve(&options()).await;
    let load = Load::start("fault");
    load.serve(&server);
    load.progress(ENOUGH).await;
    let mut timeline = Timeline::begin(&load);
    for role in [Role::Worker, Role::Api, Role::View] {
        let kill = async |server: &mut Server| {
            server.kill_one(role).await;
            home.complete(server, &options()).await.unwrap();
        };
        timeline.fault(&format!("{role} killed"), &mut server, kill).await;
    }
    let redis_away = async |_: &mut Server| {
        own.kill("redis").await;
        // Answers are looked up meanwhile.
        tokio::join!(tokio::time::sleep(OUTAGE), load.progress(ENOUGH));
        own.start_again("redis").await;
    };
    timeline.fault("Redis away", &mut server, redis_away).await;
    let broker = async |_: &mut Server| {
        own.kill("kafka").await;
        own.start_again("kafka").await;
    };
    timeline.fault("broker killed", &mut server, broker).await;
    let raised = async |server: &mut Server| {
        home.ensure(Some(AFTER)).await.unwrap();
        works(&server.processes(Role::Worker), AFTER).await;
    };
    timeline.fault("partitions raised", &mut server, raised).await;
    let history = load.stop().await;
    check(&server, &history).await;
    assert_eq!(server.terminate().await.code(), Some(0), "they leave in order");
    check_final_events(&home, &history).await;
}
