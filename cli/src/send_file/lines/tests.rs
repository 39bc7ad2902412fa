//! Lines are understood alone, numbered as in the file, and read ahead only so far.

use std::io::Cursor;
use std::time::Duration;

use super::*;

fn input(text: impl Into<Vec<u8>>) -> Input {
    Input { reader: Box::new(Cursor::new(text.into())), bytes: None }
}

async fn all(text: impl Into<Vec<u8>>) -> Vec<Read> {
    let mut lines = input(text).read("batch");
    let mut all = Vec::new();
    while let Some(read) = lines.recv().await {
        // What is held here would stop the reader in a longer text.
        all.push(read);
    }
    all
}

fn summary(read: &Read) -> (u64, u64, &str) {
    match read {
        Read::Line(line) => (line.place.index, line.place.number, &line.command.command),
        Read::Bad(place, why) => (place.index, place.number, why.split([';', ',']).next().unwrap()),
        Read::Failed(_) => (0, 0, "failed"),
    }
}

const GOOD: &str = r#"{"type":"account","id":"a","command":"open","data":{}}"#;

#[tokio::test]
async fn a_bad_line_is_named_and_the_others_go_on() {
    let text = format!(
        "{GOOD}\r\n\n  \nnot json\n{}\n{}\n{GOOD}",
        r#"{"type":"account","id":"a","command":"open","data":{},"extra":1}"#,
        r#"{"type":"account","command":"open"}"#,
    );
    let mut bytes = text.into_bytes();
    bytes.extend(b"\n\xff\xfe\n");
    let all = all(bytes).await;
    let found: Vec<_> = all.iter().map(summary).collect();
    assert_eq!(
        found,
        [
            (0, 1, "open"),
            (1, 4, "expected ident"),
            (2, 5, "unknown field `extra`"),
            (3, 6, "missing field `data`"),
            (4, 7, "open"),
            (5, 8, "the line is not UTF-8"),
        ]
    );
}

#[tokio::test]
async fn a_line_that_is_too_long_is_skipped_whole() {
    let long = "x".repeat(LINE_BYTES_MAX as usize * 2);
    let all = all(format!("{long}\n{GOOD}\n")).await;
    assert!(matches!(&all[0], Read::Bad(place, _) if place.bytes == long.len() as u64 + 1));
    assert_eq!(summary(&all[1]), (1, 2, "open"));
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn line_ends_change_no_request_id() {
    let ids = |all: Vec<Read>| -> Vec<String> {
        let id = |read| match read {
            Read::Line(line) => line.command.request_id,
            other => panic!("{other:?}"),
        };
        all.into_iter().map(id).collect()
    };
    let unix = ids(all(format!("{GOOD}\n{GOOD}\n")).await);
    let dos = ids(all(format!("{GOOD}\r\n{GOOD}")).await);
    assert_eq!(unix, dos);
    assert_ne!(unix[0], unix[1]);
}

/// A file without end: only what is taken and let go makes room for more.
#[tokio::test]
async fn reading_stops_when_too_much_is_held() {
    struct Endless(Vec<u8>);
    impl io::Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len().min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0.rotate_left(count);
            Ok(count)
        }
    }
    let body = "x".repeat(1024 * 1024);
    let line = format!(r#"{{"type":"t","id":"a","command":"c","data":"{body}"}}"#) + "\n";
    let reader = BufReader::new(Endless(line.into_bytes()));
    let mut lines = Input { reader: Box::new(reader), bytes: None }.read("batch");
    let mut held = Vec::new();
    let limit = Duration::from_secs(2);
    while let Ok(Some(line)) = tokio::time::timeout(limit, lines.recv()).await {
        held.push(line);
        assert!(held.len() <= 32, "more is read than there is room for");
    }
    assert_eq!(held.len(), 31);
    held.clear();
    assert!(lines.recv().await.is_some(), "room that is free again is used");
}
