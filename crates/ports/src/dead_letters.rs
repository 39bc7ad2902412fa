//! Dead letters: records that could not be processed, kept for people to look at.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Code, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, Position};

/// The name of a dead letter: where the record stood. As text `topic:partition:offset`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LetterId {
    /// The topic, `requests` or `finalevents`.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
}

impl LetterId {
    /// The letter of the record at that place.
    #[must_use]
    pub fn new(topic: &str, position: Position) -> Self {
        Self { topic: topic.to_owned(), partition: position.partition, offset: position.offset }
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.splitn(3, ':');
            Some(Self {
                topic: parts.next().filter(|topic| !topic.is_empty())?.to_owned(),
                partition: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
            })
        };
        read().ok_or("a dead letter's id is topic:partition:offset")
    }
}

/// A record that could not be processed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where the record stood.
    pub id: LetterId,
    /// For whom it was and under which request id, when that could be read.
    pub named: Option<(AggregateKey, RequestId)>,
    /// The command's name, when that could be read.
    pub command: Option<String>,
    /// The code of the outcome REJECTED.
    pub code: Code,
    /// What was wrong; for operators.
    pub why: String,
    /// The command's body where it could be read, else the whole record.
    pub data: Vec<u8>,
    /// When it was given up.
    pub time: Timestamp,
    /// The request ids under which it was sent again, in order.
    pub retries: Vec<RequestId>,
}

/// Keeps dead letters.
///
/// # Contract
/// 1. Once `put` returned `Ok`, the letters are durable.
/// 2. A letter put again under the same id leaves the first as it is.
/// 3. `list` gives all letters in the order of their ids, page by page.
/// 4. `retried` adds a request id to a letter, once, in order.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Keeps these letters.
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error>;

    /// The letters behind `after`, at most `limit`.
    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// One letter.
    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error>;

    /// Notes that the letter's command is sent again under `request`. Says whether there is such
    /// a letter.
    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error>;
}
