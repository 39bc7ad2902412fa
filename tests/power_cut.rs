//! After a power cut: whatever a disk may hold then opens, nothing that was answered or shown is
//! missing, everything else is there wholly or not at all, and the home goes on working.
//!
//! A process works on a home under a tracer. From the trace the states are rebuilt that the disk
//! can be in when the power goes just before a sync returns (see `disk` for what is assumed), and
//! each is checked against what the process had told before that moment.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails so")]

#[path = "power_cut/answers.rs"]
mod answers;
#[path = "power_cut/check.rs"]
mod check;
#[path = "power_cut/cuts.rs"]
mod cuts;
#[path = "power_cut/disk.rs"]
mod disk;
#[path = "power_cut/full.rs"]
mod full;
#[path = "power_cut/images.rs"]
mod images;
#[path = "power_cut/served.rs"]
mod served;
#[path = "power_cut/trace.rs"]
mod trace;
#[path = "power_cut/traced.rs"]
mod traced;

use std::path::Path;

use ordain_tests::workload::{APPENDER, HOME_FAILED, Told};

use crate::answers::Answers;
use crate::full::SmallDisk;
use crate::images::{
    Facts, certain_in_the_end, image_directory, images, images_at, images_at_end, write,
};
use crate::served::{End, assert_same_answers, fill_and_grow, serve_until};
use crate::traced::{Driven, Run, Step, run_untraced, telling, was_killed};

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
    let mut steps = Vec::new();
    // Killed more than once: the first time the journal is longer than what was written to it.
    for at in [150, 40, 50] {
        let inject = format!("fdatasync:signal=SIGKILL:when={at}");
        let run = Run { plan: "load=1000", inject: Some(&inject), ..Run::default() };
        let killed = driven.run(&run);
        assert!(was_killed(killed.status, KILL), "{}: {}", killed.status, killed.log);
        steps.extend(killed.steps);
    }
    let ended = driven.run(&Run { plan: "load=4,fill=1,load=3,load=2", ..Run::default() });
    assert!(ended.status.success(), "{}", ended.log);
    steps.extend(ended.steps);
    for (what, calls, path) in [
        ("begins another journal", "openat", "/ordain.store/1.jnl"),
        ("is done with a journal", "unlink", "/ordain.store/0.jnl"),
        ("writes tables", "openat", "/tables/"),
        ("merges tables", "unlink", "/tables/"),
    ] {
        let is_that = |call: &trace::Call| call.name == calls && call.names(path);
        let seen = steps.iter().any(|step| matches!(step, Step::Call(call) if is_that(call)));
        assert!(seen, "the store never {what}: nothing is known of that");
    }
    steps
}

#[test]
fn after_a_power_cut_nothing_answered_or_shown_is_missing() {
    let count = number_from("ORDAIN_TEST_POWER_CUT_IMAGES", IMAGES as u64);
    let mut driven = Driven::new();
    let steps = long_life(&mut driven);
    let report = images::<Told>(&driven, &steps, usize::try_from(count).unwrap_or(IMAGES));
    eprintln!("{report}");
    report.assert_clean(driven);
}

#[test]
fn a_build_without_the_sync_loses_what_was_answered() {
    let mut driven = Driven::new();
    let plan = Run { plan: "load=8,load=2", failpoints: "broken-no-sync=return", inject: None };
    let ended = driven.run(&plan);
    assert!(ended.status.success(), "{}", ended.log);
    // The one sync that is left is that of closing the home.
    let report = images_at::<Told>(&driven, &ended.steps, "journal", 30);
    eprintln!("{report}");
    assert!(
        report.failures.iter().any(|failure| failure.why.contains("was shown")),
        "nothing is missing without syncs: the images show nothing"
    );
}

#[test]
fn a_directory_whose_making_was_cut_off_opens() {
    let mut driven = Driven::new();
    let ended = driven.run(&Run { plan: "load=1", ..Run::default() });
    assert!(ended.status.success(), "{}", ended.log);
    // Its last steps, in every way; the steps before leave what is cleared.
    let report = images_at::<Told>(&driven, &ended.steps, "format", 200);
    eprintln!("{report}");
    report.assert_clean(driven);
}

#[test]
fn a_failed_sync_of_the_journal_ends_the_process_and_answers_nobody() {
    let mut driven = Driven::new();
    let inject = "fdatasync:error=EIO:when=60";
    let ended = driven.run(&Run { plan: "load=1000", inject: Some(inject), ..Run::default() });
    assert_eq!(ended.status.code(), Some(HOME_FAILED), "{}: {}", ended.status, ended.log);
    let report = images_at_end::<Told>(&driven, &ended.steps, 30);
    eprintln!("{report}");
    // And what the operating system still has in memory, as the next process finds it.
    check::check(&driven.directory(), &told_in(&driven.told()))
        .expect("the directory as it was left");
    report.assert_clean(driven);
}

/// The operating system takes for synced what it could not sync. The next process, which finds it
/// in memory only, must not rely on that: on the disk it is no more than before.
#[test]
fn what_a_sync_failed_on_is_not_shown_until_it_is_written_again() {
    let mut driven = Driven::new();
    let inject = "fdatasync:error=EIO:when=60";
    let ended = driven.run(&Run { plan: "load=1000", inject: Some(inject), ..Run::default() });
    assert_eq!(ended.status.code(), Some(HOME_FAILED), "{}: {}", ended.status, ended.log);
    let next = driven.run(&Run { plan: "load=1,load=1", ..Run::default() });
    assert!(next.status.success(), "{}", next.log);
    let mut steps = ended.steps;
    steps.extend(next.steps);
    let report = images::<Told>(&driven, &steps, 60);
    eprintln!("{report}");
    report.assert_clean(driven);
}

#[test]
fn a_failed_sync_of_a_flush_ends_the_process_and_loses_nothing() {
    let mut driven = Driven::new();
    let made = driven.run(&Run { plan: "load=2", ..Run::default() });
    assert!(made.status.success(), "{}", made.log);
    let inject = "fsync:error=EIO:when=5";
    let ended = driven.run(&Run { plan: "fill=1", inject: Some(inject), ..Run::default() });
    assert_eq!(ended.status.code(), Some(HOME_FAILED), "{}: {}", ended.status, ended.log);
    let mut steps = made.steps;
    steps.extend(ended.steps);
    let report = images_at_end::<Told>(&driven, &steps, 6);
    eprintln!("{report}");
    check::check(&driven.directory(), &told_in(&driven.told()))
        .expect("the directory as it was left");
    report.assert_clean(driven);
}

#[test]
fn a_disk_that_gets_full_refuses_what_is_not_there_and_goes_on_when_it_has_room() {
    let disk = SmallDisk::mount("96m");
    let directory = disk.path().join("data");
    let told_file = tempfile::NamedTempFile::new().expect("there is room for a file");
    // While the process runs: wait for a refusal, then give it room.
    let (status, log) = std::thread::scope(|scope| {
        scope.spawn(|| {
            full::wait_for_refusal(told_file.path());
            disk.grow("400m");
        });
        run_untraced(&directory, told_file.path(), "space=20")
    });
    assert!(status.success(), "{status}: {log}");
    let told = told_in(told_file.path());
    let accepted = told.places.len();
    assert!(!told.refused.is_empty() && accepted > 80, "{accepted}: {:?}", told.refused);
    check::check(&directory, &told).expect("all that was accepted, nothing that was refused");
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_write_ends_the_process_and_loses_nothing() {
    let disk = SmallDisk::mount("6m");
    let directory = disk.path().join("data");
    let told_file = tempfile::NamedTempFile::new().expect("there is room for a file");
    let (status, log) = run_untraced(&directory, told_file.path(), "append=20");
    assert_eq!(status.code(), Some(HOME_FAILED), "{status}: {log}");
    disk.grow("400m");
    let told = told_in(told_file.path());
    assert!(told.shown.contains_key(&APPENDER) && told.refused.is_empty(), "{:?}", told.shown);
    check::check(&directory, &told).expect("all that was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_ends_the_server_and_loses_nothing_answered() {
    let mut driven = Driven::new();
    let (sent, steps) = serve_until(&mut driven, End::FailedSync).await;
    let report = images_at_end::<Answers>(&driven, &steps, 20);
    eprintln!("{report}");
    assert_same_answers(&driven.directory(), &sent).await;
    report.assert_clean(driven);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_full_disk_refuses_only_what_is_never_there() {
    fill_and_grow(&SmallDisk::mount("12m")).await;
}

/// The next process goes by what it finds told and does again what it does not find.
#[test]
fn what_counts_as_told_is_what_the_next_process_finds() {
    let mut cut_off = 0;
    for at in 30..38 {
        let mut driven = Driven::new();
        let made = driven.run(&Run { plan: "load=1", ..Run::default() });
        assert!(made.status.success(), "{}", made.log);
        // The writes of a home that is there are for the most part told.
        let inject = format!("write:signal=SIGKILL:when={at}");
        let killed =
            driven.run(&Run { plan: "load=1000", inject: Some(&inject), ..Run::default() });
        assert!(was_killed(killed.status, KILL), "{}: {}", killed.status, killed.log);
        let mut heard = Told::default();
        for step in made.steps.iter().chain(&killed.steps) {
            Facts::hear(&mut heard, step);
            if let Step::Call(call) = step {
                let line =
                    telling(call, &driven.told()).and_then(|line| std::str::from_utf8(line).ok());
                cut_off += u32::from(line.is_some_and(|line| line.starts_with("shown")));
            }
        }
        assert_eq!(heard, told_in(&driven.told()));
    }
    assert!(cut_off > 0, "nothing was cut off while it was told");
}

fn told_in(file: &Path) -> Told {
    Told::of(&std::fs::read_to_string(file).expect("it is told what happens"))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_power_cut_of_a_server_nothing_answered_is_missing() {
    let count = number_from("ORDAIN_TEST_POWER_CUT_IMAGES", IMAGES as u64) / 5;
    let mut driven = Driven::new();
    let (sent, steps) = serve_until(&mut driven, End::Killed).await;
    let mut answers = Answers::default();
    steps.iter().for_each(|step| answers.hear(step));
    assert!(answers.are_of_all_kinds(), "nothing was seen answered");
    assert!(answers.outcomes.len() >= sent.len(), "not all was seen that was answered");
    let count = usize::try_from(count).unwrap_or(IMAGES);
    let report = images::<Answers>(&driven, &steps, count);
    eprintln!("{report}");
    let image = image_directory().expect("there is room for an image");
    write(&certain_in_the_end(&steps, &driven.directory()), image.path()).expect("it is written");
    assert_same_answers(image.path(), &sent).await;
    report.assert_clean(driven);
}
