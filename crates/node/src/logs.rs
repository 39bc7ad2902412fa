//! Structured logs, to standard error.

use std::io::IsTerminal as _;

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
    if log.json {
        drop(builder.json().try_init());
    } else {
        drop(builder.with_ansi(std::io::stderr().is_terminal()).try_init());
    }
    Ok(())
}
