//! Journals as a power cut or a failing disk leaves them.

use std::os::unix::fs::FileExt as _;

use tempfile::TempDir;

use super::*;
use crate::home::tests::{append, records, settings};
use crate::{Home, OpenError, Settings};

/// A closed home with so many batches of one record each, and its journal.
async fn written(count: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let one = Settings { partitions: Some(1), ..settings() };
    let home = Home::open(directory.path(), &one).unwrap();
    for number in 0..count {
        append(&home, "a", &format!("r{number}")).await;
    }
    home.close().await;
    let journal = journals(&directory.path().join("ordain.store")).unwrap().remove(0);
    (directory, journal)
}

/// All batches of a journal.
fn batches(path: &Path) -> Vec<Span> {
    let mut reader = BufReader::new(File::open(path).unwrap());
    let mut spans: Vec<Span> = Vec::new();
    while let Found::Whole(bytes) = batch(&mut reader).unwrap() {
        spans.push(Span { from: spans.last().map_or(0, |last| last.to()), bytes });
    }
    spans
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
