//! Aggregates that two owners reach: situations that are no place in the code, so that no crash
//! point stands for them. A worker holds what it has decided, others get on with the same
//! aggregates, then it inserts what it held, and is struck.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::run::{PAUSE, options};
use super::{Links, Run, Strike};
use crate::{Client, Process, Role, until, works};

/// Where a lane holds what it has decided and not sent to the store, and how often its process has
/// passed there before.
const HOLDS: &str = "Z1=40";
/// So many partitions the log of requests gets more.
const RAISED_BY: u32 = 1;
/// What `kill -9` ends a process with.
const KILLED: i32 = 9;

/// The file that is there while a lane holds what it has decided: until this is dropped.
struct Held(PathBuf);

impl Drop for Held {
    fn drop(&mut self) {
        // Nobody holds anything where it is not there.
        drop(std::fs::remove_file(&self.0));
    }
}

#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
impl Run {
    /// Z3: a lane holds what it has decided, and nothing comes through between its worker and
    /// Kafka. Once others have its partitions and get on it inserts that, as the store is still in
    /// reach. So soon after it could, still without Kafka, the worker is killed, or paused for
    /// longer than a session.
    ///
    /// # Panics
    /// When others do not take over, one that was paused inserts nothing, it does not come back to
    /// the others, or the clients do not get on.
    pub async fn two_owners(&mut self, links: &Links, strike: Strike, soon: Duration) {
        let held = self.holds().await;
        let place = (Role::Worker, self.server.youngest_number(Role::Worker));
        let (timeline, name) = (Arc::clone(&self.timeline), format!("Z3 {strike}"));
        let struck = async {
            works(&self.server.elder(Role::Worker), self.fleet.partitions()).await;
            self.memory.progress(self.load.answers).await;
            let operator = Client::new(&self.server.youngest(Role::Worker).metrics);
            let before = inserts(&operator).await;
            let begun = self.goes_on_and_is_struck(held, strike, soon).await;
            if strike == Strike::Pause {
                let again = || async { (inserts(&operator).await > before).then_some(()) };
                until("the insert of what was held", again).await;
            }
            begun
        };
        let silent = links.silent((place, "kafka"), struck);
        let begun = timeline.during(("point", &name), silent).await;
        self.is_one_again(strike, begun).await;
    }

    /// P1: a lane holds what it has decided, and the log of requests gets a partition more, so that
    /// other lanes get commands for most aggregates of which it holds some. Once the last has saved
    /// progress the lane inserts what it held. (Clients do not get on for long before: each comes
    /// upon an aggregate of that lane, and waits.) So soon after it could, the worker is killed, or
    /// paused for longer than a session.
    ///
    /// # Panics
    /// When there is no partition more, the worker does not come back to the others, or the clients
    /// do not get on.
    pub async fn raised(&mut self, strike: Strike, soon: Duration) {
        let held = self.holds().await;
        let (timeline, name) = (Arc::clone(&self.timeline), format!("P1 {strike}"));
        let struck = async {
            self.fleet.raise(RAISED_BY).await.expect("a partition more");
            let stores = self.fleet.stores().await;
            until("progress in the last partition", || async {
                let progress = stores.log.progress().await.ok()?;
                progress.last().copied().flatten().filter(|progress| *progress > 0)
            })
            .await;
            self.goes_on_and_is_struck(held, strike, soon).await
        };
        let begun = timeline.during(("point", &name), struck).await;
        self.is_one_again(strike, begun).await;
    }

    /// Starts a worker of which one lane holds what it has decided, and waits until it does.
    async fn holds(&mut self) -> Held {
        let file = self.directory().join(format!("holds-{}", self.memory.now()));
        std::fs::write(&file, "").expect("a file");
        let held = Held(file);
        let mut options = options(&self.failpoints, None);
        options.environment.push(("HOLD_AT".to_owned(), format!("{HOLDS}={}", held.0.display())));
        let timeline = Arc::clone(&self.timeline);
        let replaced = self.replace_by(Role::Worker, &options);
        timeline.during(("kill", "worker killed"), replaced).await;
        self.clients.serve(&self.server);
        let is_held = || async { (std::fs::metadata(&held.0).ok()?.len() > 0).then_some(()) };
        until("a lane that holds", is_held).await;
        held
    }

    /// Lets the lane insert what it held, and strikes its worker so soon after. Gives how many
    /// lanes had begun in it before, or none if it is no more.
    async fn goes_on_and_is_struck(&self, held: Held, strike: Strike, soon: Duration) -> usize {
        let worker = self.server.youngest(Role::Worker);
        drop(held);
        sleep(soon).await;
        match strike {
            Strike::Kill => {
                worker.signal("-KILL");
                0
            }
            Strike::Pause => {
                worker.signal("-STOP");
                let begun = lanes_begun(worker);
                worker.pauses(PAUSE).await;
                begun
            }
        }
    }

    /// Waits until the worker, or the one in its place, has got lanes anew.
    async fn is_one_again(&mut self, strike: Strike, begun: usize) {
        if strike == Strike::Kill {
            let status = self.server.ended_as(Role::Worker).await;
            assert_eq!(status.signal(), Some(KILLED), "{status:?}\n{}", self.server.log());
            self.nobody_has_ended(1);
            self.heal().await;
        }
        self.nobody_has_ended(0);
        let worker = self.server.youngest(Role::Worker);
        until("a lane anew", || async { (lanes_begun(worker) > begun).then_some(()) }).await;
        self.goes_on().await;
    }
}

/// How many lanes have begun in a worker, as its log says.
fn lanes_begun(worker: &Process) -> usize {
    worker.log().matches("lane begins").count()
}

/// How many inserts of commits a worker has sent and had an answer to.
async fn inserts(operator: &Client) -> u64 {
    let name = "ordain_mongo_operation_seconds_count{operation=\"insert\"} ";
    until("how many inserts there were", || async {
        let told = operator.get("/metrics").await.ok()?;
        told.body.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
    })
    .await
}
