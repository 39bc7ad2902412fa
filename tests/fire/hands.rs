//! Who does what the plan says: one does it to processes, one to links, one to servers, all at the
//! same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mongodb::bson::doc;
use ordain_tests::faults::{Links, Memory, PLACES, Readiness, Run, Timeline, plant, replay};
use ordain_tests::{Fleet, OwnServices};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::plan::{OnLink, OnProcess, OnServer};

/// Clients have to get on by so many answers between two faults of a hand.
const ENOUGH: u64 = 200;
/// A server gets so long to be found again by all before the next one fails.
const BETWEEN_SERVERS: Duration = Duration::from_secs(8);
/// How large what is no reply is, and how many stand in one write, in each channel.
const NO_REPLY_BYTES: usize = 200;
const FLOODED_AT_ONCE: usize = 100;
/// How long MongoDB's primary does not stand for election.
const STEPPED_DOWN_SECONDS: i32 = 3;

/// What every hand needs.
#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) memory: Arc<Memory>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) readiness: Readiness,
}

pub(crate) async fn on_processes(
    (run, links, clock): (&mut Run, &Links, &str),
    plan: Vec<OnProcess>,
) {
    for blow in plan {
        match blow {
            OnProcess::Point(strike, point, passed) => run.strike(strike, point, passed).await,
            OnProcess::TwoOwners(strike, soon) => run.two_owners(links, strike, soon).await,
            OnProcess::Raised(strike, soon) => run.raised(strike, soon).await,
            OnProcess::Kill(role) => run.kill(role).await,
            OnProcess::Pause(role) => run.pause(role).await,
            OnProcess::Leave(role) => run.leave(role).await,
            OnProcess::Rule(rule) => run.misbehaves(rule).await,
            OnProcess::Expire => run.expire().await,
            OnProcess::Clock(role, off) => run.clock(clock, (role, off)).await,
        }
    }
}

impl Hand {
    pub(crate) async fn on_links(&self, links: &Links, plan: Vec<OnLink>) {
        for link in plan {
            let OnLink { place, server, harm, long } = link;
            let words = format!("{harm:?}");
            let words = words.split('(').next().unwrap_or_default();
            let name = format!("{} to {server}: {words}", place.0);
            links.connected((place, server)).await;
            let harmed = links.harm((place, server), (harm, long));
            if self.timeline.during((link.kind(), &name), harmed).await {
                eprintln!("{name}: its connections lived through it");
            }
            self.readiness.again(place).await;
            self.memory.progress(ENOUGH).await;
        }
    }

    pub(crate) async fn on_servers(
        &self,
        (servers, fleet): (&OwnServices, &Fleet),
        plan: Vec<OnServer>,
    ) {
        for blow in plan {
            self.on_server((servers, fleet), blow).await;
            self.memory.progress(ENOUGH).await;
            sleep(BETWEEN_SERVERS).await;
            for place in PLACES {
                self.readiness.again(place).await;
            }
        }
    }

    async fn on_server(&self, (servers, fleet): (&OwnServices, &Fleet), blow: OnServer) {
        match blow {
            OnServer::Kill(server, away) => {
                let killed = async {
                    servers.kill(server).await;
                    sleep(away).await;
                    servers.start_again(server).await;
                };
                self.timeline.during((server, &format!("{server} killed")), killed).await;
            }
            OnServer::Stop(server, long) => {
                let stopped = async {
                    assert!(servers.signal(server, "-STOP"), "{server} stops");
                    sleep(long).await;
                    assert!(servers.signal(server, "-CONT"), "{server} goes on");
                };
                self.timeline.during((server, &format!("{server} stopped")), stopped).await;
            }
            OnServer::CloseRedisConnections => {
                let closed = close_redis_connections(servers);
                self.timeline.during(("redis", "redis closes connections"), closed).await;
            }
            OnServer::FloodRedis(long) => {
                let flooded = flood_redis(servers, long);
                self.timeline.during(("redis", "redis flooded"), flooded).await;
            }
            OnServer::StepDown => {
                let stepped = step_down(&servers.services().mongodb, STEPPED_DOWN_SECONDS);
                self.timeline.during(("mongodb", "mongodb steps down"), stepped).await;
            }
            OnServer::Raise(by) => {
                let raised = async {
                    let raised = fleet.raise(by).await;
                    assert!(raised.is_ok(), "{raised:?}");
                };
                self.timeline.during(("raise", &format!("raised by {by}")), raised).await;
            }
            OnServer::Plant(topic) => {
                let name = format!("foreign records in {topic}");
                let planted = self.timeline.during(("foreign", &name), plant(fleet, topic)).await;
                self.timeline.planted(planted);
            }
            OnServer::Replay(topic) => {
                let replayed = replay(fleet, topic);
                self.timeline.during(("replay", &format!("{topic} replayed")), replayed).await;
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
async fn redis_of(servers: &OwnServices) -> TcpStream {
    let port = *servers.ports("redis").first().expect("a redis of its own");
    TcpStream::connect(("127.0.0.1", port)).await.expect("redis")
}

/// Publishes what is no reply in every channel, as fast as it is taken.
#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
async fn flood_redis(servers: &OwnServices, long: Duration) {
    let (read, mut write) = redis_of(servers).await.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"PUBSUB CHANNELS\r\n").await.expect("redis");
    let mut line = async || lines.next_line().await.expect("redis").unwrap_or_default();
    let count: usize = line().await.trim_start_matches('*').parse().expect("a count");
    assert!(count > 0, "nobody waits for replies");
    let mut flood = String::new();
    for _ in 0..count {
        let _length = line().await;
        let publish = format!("PUBLISH {} {}\r\n", line().await, "x".repeat(NO_REPLY_BYTES));
        flood += &publish.repeat(FLOODED_AT_ONCE);
    }
    // It answers how many each reached.
    let reached = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&reached);
    let taken = tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            counted.fetch_add(u64::from(line != ":0"), Ordering::Relaxed);
        }
    });
    let until = Instant::now() + long;
    while Instant::now() < until {
        write.write_all(flood.as_bytes()).await.expect("redis");
    }
    taken.abort();
    assert!(reached.load(Ordering::Relaxed) > 0, "nobody was reached");
}

#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
async fn close_redis_connections(servers: &OwnServices) {
    let mut redis = redis_of(servers).await;
    for kind in ["pubsub", "normal"] {
        let command = format!("CLIENT KILL TYPE {kind} SKIPME yes\r\n");
        redis.write_all(command.as_bytes()).await.expect("redis");
    }
    // Until it has done so.
    redis.write_all(b"QUIT\r\n").await.expect("redis");
    tokio::io::copy(&mut redis, &mut tokio::io::sink()).await.expect("redis");
}

/// Until there is a primary again.
#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
pub(crate) async fn step_down(url: &str, seconds: i32) {
    let client = mongodb::Client::with_uri_str(url).await.expect("mongodb");
    let admin = client.database("admin");
    let down = doc! { "replSetStepDown": seconds, "force": true };
    admin.run_command(down).await.expect("a primary that steps down");
    is_primary(&admin).await;
}

/// Waits until the member at this port is the primary.
#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
pub(crate) async fn is_primary_at(port: u16) {
    let url = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let member = mongodb::Client::with_uri_str(url).await.expect("a member");
    is_primary(&member.database("admin")).await;
}

/// Waits until whoever answers there is a primary.
async fn is_primary(admin: &mongodb::Database) {
    ordain_tests::until("a primary", || async {
        let hello = admin.run_command(doc! { "hello": 1 }).await.ok()?;
        hello.get_bool("isWritablePrimary").ok()?.then_some(())
    })
    .await;
}
