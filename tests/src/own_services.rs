//! Servers that one test has for itself, so that it may kill them.

use std::sync::{Mutex, PoisonError};

use ordain_testkit::{Services, services};
use serde_json::Value;
use tokio::process::Command;

use crate::secondaries::Secondaries;
use crate::xtask_binary;

/// The servers of one test. They end with it.
#[derive(Debug)]
pub struct OwnServices {
    /// What `cargo xtask services` knows them by.
    set: String,
    services: Services,
    /// What `cargo xtask services` says of them.
    told: Mutex<Value>,
    secondaries: Option<Secondaries>,
}

impl OwnServices {
    /// Starts Kafka and Redis. MongoDB is the one that all tests share.
    ///
    /// # Panics
    /// When they do not come up.
    pub async fn up() -> Self {
        Self::of(&["kafka", "redis"]).await
    }

    /// Starts these, of kafka, mongodb and redis. All others are those that all tests share.
    ///
    /// # Panics
    /// When they do not come up.
    pub async fn of(servers: &[&str]) -> Self {
        let set = format!("test-{}", uuid::Uuid::new_v4().simple());
        // From here on they end with this, also when one of them does not come up.
        let mut own = Self { set, services: services(), told: Mutex::default(), secondaries: None };
        own.task("up", servers).await;
        let told = own.look().await;
        for server in servers {
            let address = told.pointer(&format!("/addresses/{server}")).and_then(Value::as_str);
            assert!(address.is_some(), "no address of {server}: {told}");
            let address = address.unwrap_or_default().to_owned();
            match *server {
                "kafka" => own.services.kafka = address,
                "mongodb" => own.services.mongodb = address,
                _ => own.services.redis = address,
            }
        }
        own
    }

    /// With two more members of its MongoDB, of which that stays the primary until it fails.
    ///
    /// # Panics
    /// When it has no MongoDB of its own, or they do not become members.
    #[must_use]
    pub async fn with_secondaries(mut self) -> Self {
        let (ports, processes) = (self.ports("mongodb"), self.processes("mongodb"));
        assert_eq!((ports.len(), processes.len()), (1, 1), "a MongoDB of its own");
        let secondaries = Secondaries::join(ports[0], processes[0]).await;
        self.services.mongodb = secondaries.url();
        self.secondaries = Some(secondaries);
        self
    }

    /// The same as [`Self::signal`] for the members that joined its MongoDB.
    ///
    /// # Panics
    /// When one does not get it.
    pub fn signal_secondaries(&self, signal: &str) {
        self.secondaries.iter().for_each(|secondaries| secondaries.signal(signal));
    }

    /// Kills the members that joined its MongoDB, and starts them again with what they had.
    ///
    /// # Panics
    /// When one does not answer then.
    pub async fn start_secondaries_again(&self) {
        if let Some(secondaries) = &self.secondaries {
            secondaries.start_again().await;
        }
    }

    /// The ports that one of them listens at: first that of its clients.
    #[must_use]
    pub fn ports(&self, server: &str) -> Vec<u16> {
        let told = self.told();
        let servers = told["servers"].as_array().into_iter().flatten();
        let found = servers.filter(|one| one["name"] == server);
        let ports = found.flat_map(|one| one["ports"].as_array().into_iter().flatten());
        ports.filter_map(|port| port.as_u64()?.try_into().ok()).collect()
    }

    /// Stops one, as if its machine stood still (`-STOP`), or lets it go on (`-CONT`). Says whether
    /// it got the signal.
    #[must_use]
    pub fn signal(&self, server: &str, signal: &str) -> bool {
        let processes = self.processes(server);
        !processes.is_empty() && processes.into_iter().all(|process| send_signal(signal, process))
    }

    fn processes(&self, server: &str) -> Vec<i64> {
        let told = self.told();
        let servers = told["servers"].as_array().into_iter().flatten();
        let found = servers.filter(|one| one["name"] == server);
        found.filter_map(|one| one["process"].as_i64()).collect()
    }

    /// Where they are.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// Ends one as a crash does.
    ///
    /// # Panics
    /// When it was not started.
    pub async fn kill(&self, server: &str) {
        self.task("kill", &[server]).await;
    }

    /// Starts one again where it was, with what it had written, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start_again(&self, server: &str) {
        let before = self.ports(server);
        self.task("up", &[server]).await;
        self.look().await;
        // Elsewhere it would have begun anew, without what it had.
        assert_eq!(self.ports(server), before, "{server} has come back where it was");
    }

    /// What there is of them now, all of which answer.
    async fn look(&self) -> Value {
        let told = self.task("status", &["--json"]).await;
        let told: Value = serde_json::from_str(&told).unwrap_or_default();
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&told);
        told
    }

    fn told(&self) -> Value {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn task(&self, task: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(xtask_binary());
        command.args(["services", task, "--set", &self.set]).args(arguments);
        let output = command.output().await;
        #[expect(clippy::expect_used, reason = "a test without servers has failed")]
        let output = output.expect("xtask was just built");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{task} {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Sends a signal to a process; says whether it got it.
pub(crate) fn send_signal(signal: &str, process: i64) -> bool {
    let sent = std::process::Command::new("kill").args([signal, &process.to_string()]).status();
    sent.is_ok_and(|sent| sent.success())
}

impl Drop for OwnServices {
    fn drop(&mut self) {
        let mut down = std::process::Command::new(xtask_binary());
        let down = down.args(["services", "down", "--set", &self.set]).output();
        if !down.as_ref().is_ok_and(|down| down.status.success()) {
            eprintln!("servers of this test may still run: {down:?}");
        }
    }
}
