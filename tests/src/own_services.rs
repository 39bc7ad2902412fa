//! Servers that one test has for itself, so that it may kill them.

use std::sync::{Mutex, PoisonError};

use ordain_testkit::{Services, services};
use serde_json::Value;
use tokio::process::Command;

use crate::xtask_binary;

/// The servers of one test. They end with it.
#[derive(Debug)]
pub struct OwnServices {
    /// What `cargo xtask services` knows them by.
    set: String,
    services: Services,
    /// What `cargo xtask services` says of them.
    told: Mutex<Value>,
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
        let mut own = Self { set, services: services(), told: Mutex::default() };
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

    /// The ports that one of them listens at: first that of its clients.
    #[must_use]
    pub fn ports(&self, server: &str) -> Vec<u16> {
        let told = self.told();
        let servers = told["servers"].as_array().into_iter().flatten();
        let found = servers.filter(|one| one["name"] == server);
        let ports = found.flat_map(|one| one["ports"].as_array().into_iter().flatten());
        ports.filter_map(|port| port.as_u64()?.try_into().ok()).collect()
    }

    /// Stops one, as if its machine stood still (`-STOP`), or lets it go on (`-CONT`).
    pub fn signal(&self, server: &str, signal: &str) {
        let told = self.told();
        let servers = told["servers"].as_array().into_iter().flatten();
        let found = servers.filter(|one| one["name"] == server);
        for process in found.filter_map(|one| one["process"].as_i64()) {
            drop(std::process::Command::new("kill").args([signal, &process.to_string()]).status());
        }
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
        self.task("up", &[server]).await;
        self.look().await;
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

impl Drop for OwnServices {
    fn drop(&mut self) {
        let mut down = std::process::Command::new(xtask_binary());
        let down = down.args(["services", "down", "--set", &self.set]).output();
        if !down.as_ref().is_ok_and(|down| down.status.success()) {
            eprintln!("servers of this test may still run: {down:?}");
        }
    }
}
