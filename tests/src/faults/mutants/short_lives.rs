//! Accounts and jobs that are left alone soon: what a view makes of one of them wrongly is not
//! made good by a later event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use super::super::{Memory, Run};
use super::steps::{operation, send};
use crate::Client;

/// So many live at once.
const AT_ONCE: usize = 40;
/// So often money is put into an account before it is left alone. All of it takes far less than a
/// pause does: what was in the hands of a process that stands still has moved on, for good, when
/// that goes on.
const DEPOSITS: u32 = 8;

/// Does this while accounts and jobs come and are left alone.
pub(super) async fn amid_short_lives(run: &mut Run, done: impl AsyncFnOnce(&mut Run)) {
    let (api, memory) = (run.server.client(), Arc::clone(run.memory()));
    let begun = memory.now();
    let is_over = AtomicBool::new(false);
    let names = (0..AT_ONCE).map(|place| format!("short-{begun}-{place}"));
    let live = join_all(names.map(|name| live(&api, &memory, name, &is_over)));
    let done = async {
        done(run).await;
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(live, done);
}

/// One behind the other, until it is over.
async fn live(api: &Client, memory: &Memory, name: String, is_over: &AtomicBool) {
    let mut nth = 0;
    while !is_over.load(Ordering::Relaxed) {
        let id = format!("{name}-{nth}");
        let create = operation(("job-request", &id), "create", format!("create-{id}"));
        send(memory, api, &create, &[]).await;
        let open = operation(("account", &id), "open", format!("open-{id}"));
        send(memory, api, &open, &[]).await;
        for number in 0..DEPOSITS {
            let deposit = operation(("account", &id), "deposit", format!("deposit-{id}-{number}"));
            send(memory, api, &deposit, &[]).await;
        }
        nth += 1;
    }
}
