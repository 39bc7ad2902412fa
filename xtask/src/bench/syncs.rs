//! How often a server in one process syncs under load, from a trace of its system calls (strace).

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;

use super::cases::Case;
use super::limits::median;
use super::results::Measured;
use super::server::{Home, Shape};
use super::{Where, load};

/// How a server synced while it was traced, which makes it a little slower.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syncs {
    pub(super) per_second: f64,
    /// How many commands a second it answered meanwhile.
    pub(super) commands_per_second: f64,
}

/// Runs a case once more under the tracer, in a directory of this shape: the median of as many
/// seconds as the case takes, the ones with most syncs.
pub(super) fn measure(
    shape: Shape,
    case: &Case,
    peak: Option<f64>,
    seconds: u64,
) -> anyhow::Result<Syncs> {
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace");
    let home = Home::new(Where::Embedded, shape)?;
    let mut server = home.start_traced(&trace)?;
    let measured = Measured::of(&load(&server, case, peak, seconds)?)?;
    server.stop()?;
    let per_second = busiest(&fs::read_to_string(&trace)?, seconds);
    let per_second = per_second.context("the trace has no sync")?;
    Ok(Syncs { per_second, commands_per_second: measured.per_second })
}

/// The median of the busiest seconds of a trace, each call of which begins with the process that
/// made it and the time in seconds (`strace -f -ttt`).
fn busiest(trace: &str, seconds: u64) -> Option<f64> {
    let mut each: BTreeMap<&str, u32> = BTreeMap::new();
    for call in trace.lines() {
        let mut words = call.split_whitespace().skip(1);
        let (Some(time), Some(name)) = (words.next(), words.next()) else { continue };
        if name.starts_with("fsync(") || name.starts_with("fdatasync(") {
            *each.entry(time.split('.').next().unwrap_or_default()).or_default() += 1;
        }
    }
    let mut syncs: Vec<u32> = each.into_values().collect();
    syncs.sort_unstable_by(|a, b| b.cmp(a));
    syncs.truncate(usize::try_from(seconds).unwrap_or(usize::MAX));
    (!syncs.is_empty()).then(|| median(syncs.into_iter().map(f64::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_where_they_begin_and_the_busiest_seconds_tell() {
        let trace = "\
            7 100.1 fsync(5)                 = 0\n\
            7 101.1 fdatasync(5 <unfinished ...>\n\
            8 101.2 fdatasync(6)             = 0\n\
            7 101.3 <... fdatasync resumed>) = 0\n\
            7 102.1 fdatasync(5)             = 0\n\
            7 102.2 fdatasync(5)             = 0\n\
            7 102.9 fdatasync(5)             = 0\n\
            7 +++ exited with 0 +++\n";
        assert_eq!(busiest(trace, 1), Some(3.0));
        assert_eq!(busiest(trace, 2), Some(2.5));
        assert_eq!(busiest(trace, 9), Some(2.0));
        assert_eq!(busiest("", 1), None);
    }
}
