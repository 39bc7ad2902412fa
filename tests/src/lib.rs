//! What the test targets share: real server processes to start, kill and start again, and a client
//! that writes down what it was told.

mod binary;
mod brokers;
mod client;
mod collector;
pub mod faults;
mod final_events;
mod home;
mod load;
mod own_services;
mod process;
mod raw;
mod secondaries;
mod server;
mod stores;
pub mod workload;

pub use binary::{broken_binary, cargo, driven_binary, target_directory, xtask_binary};
pub use brokers::{BROKERS, Brokers};
pub use client::{Client, Told};
pub use collector::{Collected, Collector};
pub use final_events::{FinalEvents, read_events_of_fleet, read_final_events};
pub use home::{Directory, Fleet, works};
pub use load::{Answered, Asked, History, Load};
pub use own_services::OwnServices;
pub use process::Process;
pub use raw::{RawAnswer, RawConnection};
pub use server::{Role, Server, ServerOptions};
pub use stores::Stores;

use std::future::Future;
use std::time::Duration;

/// How long a test waits for a state before it fails. Large, because it only decides how late a
/// failure is seen; a broker that was killed on a busy machine has taken 50 s to answer again.
pub const WAIT_MAX: Duration = Duration::from_secs(180);

/// Waits until `state` gives something; fails the test when it takes longer than [`WAIT_MAX`].
///
/// # Panics
/// When the state is not reached.
pub async fn until<T, F, Fut>(what: &str, state: F) -> T
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    until_within(WAIT_MAX, what, state).await
}

/// The same for a state that may take so long.
///
/// # Panics
/// When the state is not reached.
pub async fn until_within<T, F, Fut>(longest: Duration, what: &str, state: F) -> T
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let waited = tokio::time::timeout(longest, async {
        loop {
            if let Some(reached) = state().await {
                return reached;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    #[expect(clippy::panic, reason = "a test that waits in vain has failed")]
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
