//! Waiting for a state, with a limit: a test that waits longer fails and says for what.

use std::future::Future;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long a test waits for anything. Large, because it only decides how late a failure is seen.
/// Who expects failures sets less: in seconds, with the variable `ORDAIN_TEST_WAIT_SECONDS`.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// What the future gives.
///
/// # Panics
/// When it takes longer than [`WAIT_MAX`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let max = wait_max();
    let result = timeout(max, future).await;
    assert!(result.is_ok(), "waited {max:?} in vain for {what}");
    #[expect(clippy::unwrap_used, reason = "asserted in the line above, with a better message")]
    result.unwrap()
}

fn wait_max() -> Duration {
    let set = std::env::var("ORDAIN_TEST_WAIT_SECONDS").ok();
    let seconds = set.and_then(|seconds| seconds.parse().ok());
    seconds.map_or(WAIT_MAX, Duration::from_secs)
}

/// Looks again and again until there is something to see.
///
/// # Panics
/// When that takes longer than [`WAIT_MAX`].
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(what, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            sleep(BETWEEN_LOOKS).await;
        }
    })
    .await
}
