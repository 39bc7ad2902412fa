//! Journals as a power cut or a failing disk leaves them.

use std::os::unix::fs::FileExt as _;

use tempfile::TempDir;

use super::*;
use crate::home::tests::{append, records, settings};
use crate::run::tests::killed;
use crate::{Home, OpenError, Settings};

/// What a killed home leaves behind that has written so many batches of one record each, and its
/// journal.
async fn written(count: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let one = Settings { partitions: Some(1), ..settings() };
    let home = Home::open(directory.path(), &one).unwrap();
    for number in 0..count {
        append(&home, "a", &format!("r{number}")).await;
    }
    let directory = killed(directory.path());
    let journal = journals(&directory.path().join("ordain.store")).unwrap().remove(0);
    (directory, journal)
}

/// The batches of a journal behind the first, with which the home was opened.
fn batches(path: &Path) -> Vec<Span> {
    let image = fs::read(path).unwrap();
    let mut reader = image.as_slice();
    let mut spans: Vec<Span> = Vec::new();
    while let Found::Whole(bytes) = batch(&mut reader, image.len() as u64).unwrap() {
        spans.push(Span { from: spans.last().map_or(0, |last| last.to()), bytes });
    }
    spans.split_off(1)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// The request ids that are read from a directory.
async fn read(directory: &TempDir) -> Vec<String> {
    let home = Home::open(directory.path(), &settings()).unwrap();
    if home.inner.requests.ends() == [0] {
        return Vec::new();
    }
    let mut feed = home.join_requests();
    let lane = feed.lane().await.unwrap().unwrap();
    let read = records(&*lane, 100).await;
    let id = |record: ordain_ports::Record<ordain_model::Command>| match record.content {
        ordain_ports::Content::Whole(command) => command.request.to_string(),
        ordain_ports::Content::Damaged(damaged) => panic!("{damaged:?}"),
    };
    let read = read.into_iter().map(id).collect();
    home.close().await;
    read
}

#[tokio::test]
async fn our_reading_of_the_journal_is_that_of_the_store() {
    let (_directory, journal) = written(3).await;
    assert_eq!(batches(&journal).len(), 3);
}

#[tokio::test]
async fn a_whole_journal_loses_nothing() {
    let (directory, _) = written(3).await;
    assert_eq!(read(&directory).await, ["r0", "r1", "r2"]);
}

#[tokio::test]
async fn a_last_batch_with_its_end_but_not_its_middle_is_cut_off() {
    let (directory, journal) = written(3).await;
    let last = batches(&journal).pop().unwrap();
    overwrite(&journal, last.from + last.bytes / 2, &[0xaa; 8]);
    assert_eq!(read(&directory).await, ["r0", "r1"]);
}

#[tokio::test]
async fn a_last_batch_is_cut_off_wherever_it_is_torn() {
    let (directory, journal) = written(2).await;
    let last = batches(&journal).pop().unwrap();
    let image = fs::read(&journal).unwrap();
    for kept in (0..last.bytes).step_by(7) {
        fs::write(&journal, &image).unwrap();
        let torn = usize::try_from(last.bytes - kept).unwrap();
        overwrite(&journal, last.from + kept, &vec![0; torn]);
        assert_eq!(read(&directory).await, ["r0"], "torn behind {kept} bytes");
    }
}

#[tokio::test]
async fn damage_before_the_end_is_refused() {
    let (directory, journal) = written(3).await;
    let first = batches(&journal)[0];
    overwrite(&journal, first.to() - 30, &[0xff; 4]);
    let refused = Home::open(directory.path(), &settings());
    assert!(matches!(refused, Err(OpenError::Damaged { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_torn_batch_with_a_whole_one_behind_it_is_refused_and_nothing_is_changed() {
    let (directory, journal) = written(4).await;
    let second = batches(&journal)[1];
    let image = fs::read(&journal).unwrap();
    let (from, to) = (second.from, second.to());
    // Zeros, as a disk leaves them that has lost a sector: at the start, the middle and the end.
    let holes = [(from, 1), (from, second.bytes), (from + 20, 30), (to - 4, 4), (to - 13, 13)];
    for (at, bytes) in holes {
        fs::write(&journal, &image).unwrap();
        overwrite(&journal, at, &vec![0; usize::try_from(bytes).unwrap()]);
        let damaged = fs::read(&journal).unwrap();
        let refused = Home::open(directory.path(), &settings());
        let Err(OpenError::Damaged { why, .. }) = refused else {
            panic!("{at} {bytes}: {refused:?}")
        };
        assert!(why.contains(&format!("byte {from}")), "{why}");
        assert!(why.contains("backup"), "says what to do: {why}");
        assert!(fs::read(&journal).unwrap() == damaged, "nothing was changed");
    }
    fs::write(&journal, &image).unwrap();
    assert_eq!(read(&directory).await, ["r0", "r1", "r2", "r3"]);
}

#[tokio::test]
async fn a_damaged_first_batch_is_refused_when_others_follow() {
    let (directory, journal) = written(2).await;
    overwrite(&journal, 0, &[0; 16]);
    let refused = Home::open(directory.path(), &settings());
    assert!(matches!(refused, Err(OpenError::Damaged { .. })), "{refused:?}");
}

#[tokio::test]
async fn an_older_batch_behind_a_torn_end_proves_nothing() {
    let (directory, journal) = written(3).await;
    let spans = batches(&journal);
    let image = fs::read(&journal).unwrap();
    // The last batch is torn, and its bytes happen to hold a batch of before.
    let (first, last) = (spans[0], spans[2]);
    let old = &image[..usize::try_from(first.bytes).unwrap()];
    let file = OpenOptions::new().write(true).open(&journal).unwrap();
    file.set_len(last.from + 10).unwrap();
    file.write_all_at(old, last.from + 10).unwrap();
    assert_eq!(read(&directory).await, ["r0", "r1"]);
}
