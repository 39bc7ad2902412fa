//! A Kafka and a Redis that one test has for itself, so that it may kill them.

use ordain_testkit::{Services, services};
use serde_json::Value;
use tokio::process::Command;

use crate::xtask_binary;

const SERVERS: [&str; 2] = ["kafka", "redis"];

/// The servers of one test. They end with it.
#[derive(Debug)]
pub struct OwnServices {
    /// What `cargo xtask services` knows them by.
    set: String,
    services: Services,
}

impl OwnServices {
    /// Starts them. MongoDB is the one that all tests share.
    ///
    /// # Panics
    /// When they do not come up.
    pub async fn up() -> Self {
        let set = format!("test-{}", uuid::Uuid::new_v4().simple());
        // From here on they end with this, also when one of them does not come up.
        let mut own = Self { set, services: services() };
        own.task("up", &SERVERS).await;
        let told = own.task("status", &["--json"]).await;
        let told: Value = serde_json::from_str(&told).unwrap_or_default();
        let address = |name: &str| {
            let address = told.pointer(&format!("/addresses/{name}")).and_then(Value::as_str);
            assert!(address.is_some(), "no address of {name}: {told}");
            address.unwrap_or_default().to_owned()
        };
        own.services.kafka = address("kafka");
        own.services.redis = address("redis");
        own
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
