//! Structured logs, to standard error. Panics of contained code are among them.

use std::io::IsTerminal as _;
use std::panic::{self, PanicHookInfo};

use ordain_model::is_contained;
use tracing_subscriber::EnvFilter;

use crate::configuration::Log;

/// Starts logging.
///
/// # Errors
/// The filter cannot be read.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let started = if log.json {
        builder.json().try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    if started.is_ok() {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if is_contained() { report_contained(panic) } else { report(panic) }
        }));
    }
    Ok(())
}

/// Says where contained code panicked, without a backtrace: to name its frames may take seconds
/// (the symbols of a large binary, from a busy disk), for which a lane with a bad rule would keep
/// all behind it waiting.
fn report_contained(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let why = panic.payload_as_str().unwrap_or_default();
    tracing::warn!(at, why, "panicked");
}
