//! A run that may stand still: begun without waiting for ever, and ended as far as it goes.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use ordain_checker::{Checker, Demands};
use tokio::time::timeout;

use super::super::evidence::commits;
use super::super::topics::Topics;
use super::super::{Evidence, Run};
use crate::Client;

/// How long a fleet may take to give the answers that are waited for, until it stands still.
const GETS_ON_MAX: Duration = Duration::from_secs(25);
/// How long it may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(25);
/// How long it may take to be read back.
const READ_MAX: Duration = Duration::from_secs(150);
/// What is an anomaly even where records stand that nobody has handled.
const WITHOUT_REST: [&str; 10] = [
    "answer-differs",
    "bodies-differ",
    "cause-differs",
    "decided-twice",
    "other-command-answered",
    "revision-doubled",
    "revision-missing",
    "sequence-broken",
    "shared-cause",
    "unjustified",
];

/// What the checker says of a run.
pub(super) struct Judged {
    /// How often it found each kind.
    pub(super) found: Vec<(String, u64)>,
    /// Whether the fleet came to rest.
    pub(super) rests: bool,
}

impl Run {
    /// Waits for so many more answers; says whether they came.
    pub(super) async fn gets_on(&self, answers: u64) -> bool {
        self.clients.serve(&self.server);
        timeout(GETS_ON_MAX, self.memory.progress(answers)).await.is_ok()
    }

    /// What the checker says of all that there is.
    pub(super) async fn judged(self) -> Judged {
        let Self { fleet, server, memory, mut clients, timeline, .. } = self;
        // A client that saw what must not be ends its run, too.
        let finishes = tokio::spawn(async move { timeout(REST_MAX, clients.finish()).await });
        let mut rests = matches!(finishes.await, Ok(Ok(())));
        let mut items = Vec::new();
        let (prefix, services) = fleet.stands_on();
        if rests {
            let (client, operator) = (server.client(), Client::new(&server.metrics));
            let operations = (memory.operations(), Vec::new());
            let left = Evidence::of((prefix, services), (&client, &operator), operations);
            match AssertUnwindSafe(timeout(READ_MAX, left)).catch_unwind().await {
                Ok(Ok(left)) => items = left.items,
                _ => rests = false,
            }
        }
        server.kill().await;
        if !rests {
            commits(prefix, services, &mut items).await;
            let (names, servers) = (prefix.to_owned(), services.kafka.clone());
            let read = tokio::task::spawn_blocking(move || {
                Topics { servers: &servers, prefix: &names }.requests()
            });
            items.extend(read.await.unwrap_or_default());
        }
        let mut checker = Checker::new(Demands::default());
        memory.lines_written().for_each(|line| checker.take_line(line));
        items.extend(timeline.items());
        items.into_iter().for_each(|item| checker.take_item(item));
        let counts = checker.finish().counts;
        let counts = counts.into_iter().map(|(kind, count)| (kind.to_owned(), count));
        let found =
            counts.filter(|(kind, _)| rests || WITHOUT_REST.contains(&kind.as_str())).collect();
        Judged { found, rests }
    }
}
