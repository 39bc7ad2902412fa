//! An aggregate type for tests: it counts, refuses, and misbehaves on demand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ordain_model::{Aggregate, Code, CommandSchema, EventSchema};
use serde::{Deserialize, Serialize};

/// Counts what it is told to add, up to a limit.
pub(crate) struct Probe;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Total {
    total: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// One event of so much.
    Add { by: u64 },
    /// So many events of 1.
    AddMany { times: u64 },
    /// Refused, always.
    Refuse {},
    /// Accepted, and nothing happens.
    Nothing {},
    /// The rule panics.
    Panic {},
    /// The rule decides an event of so many bytes.
    Big { bytes: usize },
    /// The rule decides an event that breaks its schema.
    Invalid {},
    /// The rule decides an event whose fold panics.
    Unfoldable {},
    /// The rule takes so long.
    Sleep { ms: u64 },
    /// The rule holds its thread until the test lets it go, but not for ever.
    Hold {},
}

/// Whether a rule holds its thread.
pub(crate) static HOLDS: AtomicBool = AtomicBool::new(false);
/// Whether it may let it go.
pub(crate) static MAY_GO: AtomicBool = AtomicBool::new(false);
/// So long it holds it at most.
const HOLD_MAX: Duration = Duration::from_secs(20);

fn hold() {
    HOLDS.store(true, Ordering::SeqCst);
    let end = Instant::now() + HOLD_MAX;
    while !MAY_GO.load(Ordering::SeqCst) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(MAY_GO.load(Ordering::SeqCst), "nobody else ran meanwhile");
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Added { by: i64, filling: String },
    Poisoned {},
}

const ANY: &str = r#"{"type": "object"}"#;

const fn command(name: &'static str) -> CommandSchema {
    CommandSchema { name, creates: false, schema: ANY }
}

impl Aggregate for Probe {
    type State = Total;
    type Command = Command;
    type Event = Event;

    const TYPE: &'static str = "probe";
    const FOLD_VERSION: u32 = 1;
    const COMMANDS: &'static [CommandSchema] = &[
        command("add"),
        command("add-many"),
        command("refuse"),
        command("nothing"),
        command("panic"),
        command("big"),
        command("invalid"),
        command("unfoldable"),
        command("sleep"),
        command("hold"),
    ];
    const EVENTS: &'static [EventSchema] = &[
        EventSchema {
            name: "added",
            version: 1,
            schema: r#"{"type": "object", "properties": {"by": {"type": "integer", "minimum": 0}}}"#,
        },
        EventSchema { name: "poisoned", version: 1, schema: ANY },
    ];

    fn decide(_: &Total, command: Command) -> Result<Vec<Event>, Code> {
        let added = |by| Event::Added { by, filling: String::new() };
        match command {
            Command::Add { by } => Ok(vec![added(by as i64)]),
            Command::AddMany { times } => Ok((0..times).map(|_| added(1)).collect()),
            Command::Refuse {} => Err(Code::new("REFUSED")),
            Command::Nothing {} => Ok(Vec::new()),
            Command::Panic {} => panic!("as the test wants"),
            Command::Big { bytes } => Ok(vec![Event::Added { by: 0, filling: "x".repeat(bytes) }]),
            Command::Invalid {} => Ok(vec![added(-1)]),
            Command::Unfoldable {} => Ok(vec![Event::Poisoned {}]),
            Command::Sleep { ms } => {
                std::thread::sleep(Duration::from_millis(ms));
                Ok(Vec::new())
            }
            Command::Hold {} => {
                hold();
                Ok(Vec::new())
            }
        }
    }

    fn apply(state: &mut Total, event: Event) {
        match event {
            Event::Added { by, .. } => state.total += by.unsigned_abs(),
            Event::Poisoned {} => panic!("as the test wants"),
        }
    }
}
