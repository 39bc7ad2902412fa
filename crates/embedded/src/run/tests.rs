//! Which run hands over early: one that follows on a run that ended in order, and no other.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;
use tokio::time::timeout;

use crate::home::tests::{append, settings};
use crate::{Home, Settings};

/// What a process leaves of a directory that is killed at this moment.
pub(crate) fn killed(directory: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
            if entry.is_dir() {
                copy(&entry, &to)?;
            } else {
                fs::copy(entry, to)?;
            }
        }
        Ok(())
    }
    let left = tempfile::tempdir().unwrap();
    copy(directory, left.path()).unwrap();
    left
}

/// Opens a directory and uses it; says whether its run hands over early.
async fn run(directory: &Path, settings: &Settings) -> (Home, bool) {
    let home = Home::open(directory, settings).unwrap();
    let is_early = home.inner.write(0, |batch| Ok(batch.hands_over_early())).await.unwrap();
    (home, is_early)
}

#[tokio::test]
async fn after_a_run_that_did_not_end_in_order_only_what_is_durable_is_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    let (home, is_early) = run(directory.path(), &settings()).await;
    assert!(is_early, "a new directory");
    append(&home, "a", "r").await;
    let once = killed(directory.path());
    home.close().await;
    assert!(run(directory.path(), &settings()).await.1, "closed in order");

    let (home, is_early) = run(once.path(), &settings()).await;
    assert!(!is_early, "killed");
    let twice = killed(once.path());
    home.close().await;
    assert!(!run(twice.path(), &settings()).await.1, "killed once more");
    assert!(run(once.path(), &settings()).await.1, "closed in order since");
}

/// As a process does whose start fails behind the opening.
#[tokio::test]
async fn a_home_that_was_dropped_did_not_end_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (home, is_early) = run(directory.path(), &settings()).await;
    assert!(is_early, "a new directory");
    drop(home);
    let (home, is_early) = run(directory.path(), &settings()).await;
    assert!(!is_early, "dropped");
    home.close().await;
    assert!(run(directory.path(), &settings()).await.1, "closed in order since");
}

#[tokio::test]
async fn a_run_that_failed_did_not_end_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (home, _) = run(directory.path(), &settings()).await;
    let failing = home.clone();
    tokio::spawn(async move {
        let fails = |_: &mut crate::batch::Batch| Err::<(), _>(fjall::Error::Poisoned);
        failing.inner.write(0, fails).await
    });
    timeout(Duration::from_secs(5), home.failed()).await.unwrap();
    home.close().await;
    // The failed home still holds it.
    let left = killed(directory.path());
    assert!(!run(left.path(), &settings()).await.1);
}

#[tokio::test]
async fn without_room_for_the_note_only_what_is_durable_is_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &settings()).await.0.close().await;
    let short = Settings { free_bytes_min_commands: u64::MAX, ..settings() };
    let (home, is_early) = run(directory.path(), &short).await;
    assert!(!is_early);
    home.close().await;
    assert!(run(directory.path(), &settings()).await.1, "there is room again");
}
