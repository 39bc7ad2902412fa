//! The load itself: threads, each with some of the connections.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::arrivals::Arrivals;
use crate::client::Client;
use crate::plan::{Plan, Workload};
use crate::recorder::{self, Load, Recorder};
use crate::run::{Error, Stage};
use crate::text::Texts;

const TELL_EVERY: Duration = Duration::from_millis(250);

/// Puts a load on a server that answers like ordain, and says what came of it; neither opens
/// accounts nor asks what they hold.
///
/// Request ids begin with `run`, which must not have been used before with these accounts.
///
/// # Errors
/// The threads of the load cannot be started, or have failed.
pub fn load(plan: &Plan, run: &str, tell: &mut dyn FnMut(Stage)) -> Result<Load, Error> {
    let began = Instant::now();
    let from = began + plan.warm_up;
    let until = from + plan.duration;
    let arrivals = Arc::new(Arrivals::new(plan.rate, began, until));
    let live = Arc::new(AtomicU64::new(0));
    let spread = spread(plan.connections);
    let mut threads = Vec::with_capacity(spread.len());
    for connections in spread {
        let load = Load::new(plan.accounts, plan.duration);
        let share = Share {
            plan: plan.clone(),
            run: run.to_owned(),
            connections,
            arrivals: Arc::clone(&arrivals),
            recorder: Recorder::new(load, from, until, Arc::clone(&live)),
        };
        let thread = thread::Builder::new().name("load".to_owned()).spawn(|| share.drive());
        threads.push(thread.map_err(Error::Thread)?);
    }
    let pacer = Arc::clone(&arrivals);
    let pacer = thread::Builder::new().name("pacer".to_owned()).spawn(move || pacer.pace());
    let pacer = pacer.map_err(Error::Thread)?;

    let mut last = (Instant::now(), 0);
    while threads.iter().any(|thread| !thread.is_finished()) {
        thread::sleep(TELL_EVERY);
        let (now, count) = (Instant::now(), live.load(Ordering::Relaxed));
        let per_second = (count - last.1) as f64 / (now - last.0).as_secs_f64();
        last = (now, count);
        tell(Stage::Loading { passed: now - began, of: until - began, per_second });
    }
    let mut all = Load::new(plan.accounts, plan.duration);
    for thread in threads {
        all.add(thread.join().map_err(|_| Error::Failed)??);
    }
    pacer.join().map_err(|_| Error::Failed)?;
    let commands = if plan.workload == Workload::Batch { plan.batch as u64 } else { 1 };
    for (planned, count) in arrivals.left().filter(|(planned, _)| *planned >= from) {
        recorder::never_sent(&mut all, planned, count * commands);
    }
    Ok(all)
}

/// What one thread does.
struct Share {
    plan: Plan,
    run: String,
    connections: Vec<u32>,
    arrivals: Arc<Arrivals>,
    recorder: Recorder,
}

impl Share {
    /// Drives all its connections, on a runtime of its own.
    fn drive(self) -> Result<Load, Error> {
        let Self { plan, run, connections, arrivals, recorder } = self;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
        let texts = Rc::new(Texts { host: plan.address.clone(), name: plan.name.clone(), run });
        let recorder = Rc::new(RefCell::new(recorder));
        let clients = LocalSet::new();
        for connection in connections {
            let client = Client::new(&plan, connection, Rc::clone(&texts), Rc::clone(&recorder));
            clients.spawn_local(client.run(Arc::clone(&arrivals)));
        }
        runtime.block_on(clients);
        Rc::into_inner(recorder).map(|recorder| recorder.into_inner().load).ok_or(Error::Failed)
    }
}

/// Shares connections out to as many threads as there are processors.
fn spread(connections: usize) -> Vec<Vec<u32>> {
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut threads = vec![Vec::new(); processors.min(connections).max(1)];
    let count = threads.len();
    for connection in 0..connections {
        if let (Some(thread), Ok(connection)) =
            (threads.get_mut(connection % count), u32::try_from(connection))
        {
            thread.push(connection);
        }
    }
    threads
}
