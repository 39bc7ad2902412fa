//! After a power cut: whatever a disk may hold then opens, nothing that was answered or shown is
//! missing, everything else is there wholly or not at all, and the home goes on working.
//!
//! A process works on a home under a tracer. From the trace the states are rebuilt that the disk
//! can be in when the power goes just before a sync returns (see `disk` for what is assumed), and
//! each is checked against what the process had told before that moment.

#[path = "power_cut/check.rs"]
mod check;
#[path = "power_cut/cuts.rs"]
mod cuts;
#[path = "power_cut/disk.rs"]
mod disk;
#[path = "power_cut/images.rs"]
mod images;
#[path = "power_cut/trace.rs"]
mod trace;
#[path = "power_cut/traced.rs"]
mod traced;

use crate::images::{Report, images};
use crate::traced::{Driven, Run, Step, was_killed};

const IMAGES: usize = 300;
const KILL: i32 = 9;

fn number_from(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}

fn seed() -> u64 {
    number_from("ORDAIN_TEST_SEED", 1)
}

/// One directory through all that a home does: made, worked on, killed between a write and its
/// sync, opened again and worked on, filled until the store flushes, compacts and begins another
/// journal, closed and opened again.
fn long_life(driven: &mut Driven) -> Vec<Step> {
    let killed = driven.run(&Run {
        plan: "load=1000",
        inject: Some("fdatasync:signal=SIGKILL:when=150"),
        ..Run::default()
    });
    assert!(was_killed(killed.status, KILL), "{}: {}", killed.status, killed.log);
    let ended = driven.run(&Run { plan: "load=4,fill=1,load=3,load=2", ..Run::default() });
    assert!(ended.status.success(), "{}", ended.log);
    let mut steps = killed.steps;
    steps.extend(ended.steps);
    steps
}

#[test]
fn after_a_power_cut_nothing_answered_or_shown_is_missing() {
    let count = number_from("ORDAIN_TEST_POWER_CUT_IMAGES", IMAGES as u64);
    let mut driven = Driven::new();
    let steps = long_life(&mut driven);
    let report = images(&driven, &steps, usize::try_from(count).unwrap_or(IMAGES), seed());
    eprintln!("{report}");
    report.assert_clean(driven);
}

#[test]
fn a_build_without_the_sync_loses_what_was_answered() {
    let mut driven = Driven::new();
    let plan = Run { plan: "load=8,load=2", failpoints: "broken-no-sync=return", inject: None };
    let ended = driven.run(&plan);
    assert!(ended.status.success(), "{}", ended.log);
    let report: Report = images(&driven, &ended.steps, 40, seed());
    eprintln!("{report}");
    assert!(
        report.failures.iter().any(|failure| failure.why.contains("was shown")),
        "nothing is missing without syncs: the images show nothing"
    );
}
