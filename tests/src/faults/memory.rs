//! The history as clients write it: a line before each call, and one behind its answer.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ordain_checker::history::{Answer, Call, Line, Operation, Reader, Way, Writer};
use ordain_checker::{Outcome, Told as Document};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Told;

/// How long clients may take to get on: servers may be killed, and start slowly on a machine that
/// has much else to do.
const PROGRESS_MAX: Duration = Duration::from_secs(180);

/// What clients saw, written down as they see it.
#[derive(Debug)]
pub struct Memory {
    began: Instant,
    path: PathBuf,
    lines: Mutex<Writer<BufWriter<File>>>,
    calls: AtomicU64,
    outcomes: AtomicU64,
}

#[expect(clippy::expect_used, reason = "a test that cannot write down what it saw has failed")]
impl Memory {
    /// One that is kept in this file.
    ///
    /// # Panics
    /// When the file cannot be made.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let file = File::create(path).expect("a file for the history");
        Self {
            began: Instant::now(),
            path: path.to_owned(),
            lines: Mutex::new(Writer::new(BufWriter::new(file))),
            calls: AtomicU64::new(0),
            outcomes: AtomicU64::new(0),
        }
    }

    /// The time on the clock of this history, in nanoseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How many answers with an outcome are written down.
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        self.outcomes.load(Ordering::Relaxed)
    }

    /// Waits until so many more answers with an outcome are written down.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn progress(&self, answers: u64) {
        let wanted = self.outcomes() + answers;
        let is_reached = || async { (self.outcomes() >= wanted).then_some(()) };
        crate::until_within(PROGRESS_MAX, "answers", is_reached).await;
    }

    /// Writes a line down.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, line: &Line) {
        self.lines().write(line).expect("a history that can be written");
    }

    /// Writes down that a client is about to call; gives the number of the call.
    pub(super) fn call(
        &self,
        client: u32,
        (way, attempt): (Way, u32),
        operation: &Operation,
    ) -> u64 {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let operation = operation.clone();
        self.write(&Line::Call(Call { call, at: self.now(), client, way, attempt, operation }));
        call
    }

    /// Writes down how a call ended; nothing came back where `told` is none. Gives the outcome.
    pub(super) fn answer(&self, call: u64, told: Option<&Told>) -> Option<Document> {
        let at = self.now();
        let document = told.and_then(document);
        let status = told.map(|told| told.status);
        let problem = told.filter(|_| document.is_none()).and_then(code);
        let answer = Answer { call, at, status, told: document.clone(), problem };
        self.write(&Line::Answer(answer));
        self.outcomes.fetch_add(u64::from(document.is_some()), Ordering::Relaxed);
        document
    }

    /// Reads what was written down, line by line.
    ///
    /// # Panics
    /// When it cannot be read back.
    pub fn lines_written(&self) -> impl Iterator<Item = Line> {
        let mut lines = self.lines();
        let path = self.path.clone();
        lines.flush().expect("a history that can be written");
        let file = File::open(path).expect("the history");
        Reader::new(BufReader::new(file)).map(|line| line.expect("a line that was just written"))
    }

    /// Every operation that was called for: aggregate and request id.
    #[must_use]
    pub fn operations(&self) -> BTreeSet<(String, String)> {
        let named = |line| match line {
            Line::Call(Call { operation, .. }) => Some((operation.aggregate(), operation.request)),
            _ => None,
        };
        self.lines_written().filter_map(named).collect()
    }

    fn lines(&self) -> MutexGuard<'_, Writer<BufWriter<File>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome document in an answer, as far as it is compared: the whole body, or what a problem
/// says of the result.
pub(super) fn document(told: &Told) -> Option<Document> {
    #[derive(Deserialize)]
    struct Problem<'a> {
        #[serde(borrow)]
        result: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Read {
        outcome: Outcome,
        code: Option<String>,
        revision: u64,
        sequence: u64,
    }
    let text = match told.status {
        200 | 201 => told.body.as_str(),
        _ => serde_json::from_str::<Problem<'_>>(&told.body).ok()?.result.get(),
    };
    let Read { outcome, code, revision, sequence } = serde_json::from_str(text).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    let replayed = told.header("idempotency-replayed") == "true";
    Some(Document { outcome, code, revision, sequence, body: hasher.finish(), replayed })
}

fn code(told: &Told) -> Option<String> {
    told.at("/code").as_str().map(str::to_owned)
}
