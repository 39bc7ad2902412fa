//! Accounts and jobs that are left alone soon: what a view makes of one of them wrongly is not
//! made good by a later event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::super::{Memory, Run};
use super::steps::{ANSWERS, operation, send};
use crate::Client;

/// So many live at once.
const AT_ONCE: usize = 40;
/// So often money is put into an account before it is left alone. All of it takes far less than a
/// pause does: what was in the hands of a process that stands still has moved on, for good, when
/// that goes on.
const DEPOSITS: u32 = 8;

/// How long whoever was not answered well waits before the next one lives.
const PAUSE: Duration = Duration::from_millis(50);

/// Does this while accounts and jobs come and are left alone, and until clients have got on behind
/// it.
///
/// # Panics
/// When none of them lives to its end: nothing would be left alone.
pub(super) async fn amid_short_lives(run: &mut Run, done: impl AsyncFnOnce(&mut Run)) {
    let (api, memory) = (run.server.client(), Arc::clone(run.memory()));
    let begun = memory.now();
    let is_over = AtomicBool::new(false);
    let names = (0..AT_ONCE).map(|place| format!("short-{begun}-{place}"));
    let live = join_all(names.map(|name| live_on(&api, &memory, name, &is_over)));
    let done = async {
        done(run).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (lived, ()) = tokio::join!(live, done);
    assert!(lived.into_iter().sum::<u32>() > 0, "none of them lived to its end");
    // Until now theirs counted as answers, too.
    run.gets_on(ANSWERS).await;
}

/// One lives behind the other, until it is over. Gives how many did to their end.
async fn live_on(api: &Client, memory: &Memory, name: String, is_over: &AtomicBool) -> u32 {
    let (mut nth, mut lived) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        if live(api, memory, &format!("{name}-{nth}")).await {
            lived += 1;
        } else {
            sleep(PAUSE).await;
        }
        nth += 1;
    }
    lived
}

/// Says whether all that it asked for was done.
async fn live(api: &Client, memory: &Memory, id: &str) -> bool {
    let create = operation(("job-request", id), "create", format!("create-{id}"));
    let open = operation(("account", id), "open", format!("open-{id}"));
    let deposit = |nth| operation(("account", id), "deposit", format!("deposit-{id}-{nth}"));
    for operation in [create, open].into_iter().chain((0..DEPOSITS).map(deposit)) {
        if !matches!(send(memory, api, &operation, &[]).await, Some(200 | 201)) {
            return false;
        }
    }
    true
}
