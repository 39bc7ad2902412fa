//! Structured logs, to standard error; panics are among them.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal as _;
use std::panic::{self, PanicHookInfo};
use std::thread;

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
        panic::set_hook(Box::new(report));
    }
    Ok(())
}

/// Says where a thread panicked, with a backtrace if the environment asks for one. What is
/// contained gets none: to name its frames may take seconds (the symbols of a large binary, from
/// a busy disk), for which a lane with a bad rule would keep all behind it waiting.
fn report(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or_default();
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let why = panic.payload_as_str().unwrap_or_default();
    let backtrace = if is_contained() { Backtrace::disabled() } else { Backtrace::capture() };
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    let backtrace = backtrace.as_ref().map(tracing::field::display);
    tracing::error!(thread = name, at, why, backtrace, "panicked");
}
