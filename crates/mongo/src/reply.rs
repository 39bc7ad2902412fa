//! The store's answer to a command that writes: what became of each write in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::fault::Fault;

/// A unique key, `_id` or another, has the value already.
const DUPLICATE_KEYS: [i32; 3] = [11000, 11001, 12582];
/// Changing `_id`: what the conditional writes of views provoke where their condition fails.
const IMMUTABLE_FIELD: i32 = 66;
/// Errors that speak of one document: too large, breaking the collection's rules, no BSON.
const NOT_STORABLE: [i32; 6] = [22, 121, 10334, 17280, 17419, 17420];
/// The server was about to end, or was no longer the primary: what it did before may be undone.
const LEFT_OFFICE: [i32; 10] = [91, 189, 10058, 10107, 11600, 11601, 11602, 13435, 13436, 262];

/// What became of the writes of a command, all of them acknowledged by a majority.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// How many were done.
    pub(crate) done: u64,
    /// The writes that were not done, by their place in the command.
    pub(crate) refused: BTreeMap<usize, Refusal>,
    /// The updates that made a new document, by their place in the command.
    pub(crate) made: BTreeSet<usize>,
}

/// What became of one write of many that do not depend on one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was done to what was there, if anything was.
    Changed,
    /// It made a new document.
    Made,
    /// Its condition did not hold.
    Refused,
}

impl Done {
    pub(crate) const fn is_done(self) -> bool {
        !matches!(self, Self::Refused)
    }
}

/// Why a write was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) why: String,
}

impl Refusal {
    pub(crate) fn is_duplicate(&self) -> bool {
        DUPLICATE_KEYS.contains(&self.code)
    }

    /// The condition of a write did not hold.
    pub(crate) fn is_condition(&self) -> bool {
        self.is_duplicate() || self.code == IMMUTABLE_FIELD
    }

    pub(crate) fn is_of_the_document(&self) -> bool {
        NOT_STORABLE.contains(&self.code)
    }
}

impl From<&Refusal> for Fault {
    fn from(refusal: &Refusal) -> Self {
        let why = refusal.why.clone();
        if refusal.is_of_the_document() {
            return Self::NotStorable { what: "a document", why };
        }
        Self::told(refusal.code, why)
    }
}

/// The answer as it comes; the server leaves out what is empty.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    n: u64,
    #[serde(default)]
    upserted: Vec<Upserted>,
    #[serde(default)]
    write_errors: Vec<WriteError>,
    write_concern_error: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Upserted {
    index: usize,
}

#[derive(Debug, Deserialize)]
struct WriteError {
    index: usize,
    #[serde(flatten)]
    failure: Failure,
}

#[derive(Debug, Deserialize)]
struct Failure {
    code: i32,
    #[serde(rename = "errmsg", default)]
    message: String,
}

impl Reply {
    /// Reads an answer.
    ///
    /// # Errors
    /// Nothing that the answer says of single writes can be relied on: a majority has not
    /// acknowledged them, or the server was leaving office.
    pub(crate) fn read(answer: bson::Document) -> Result<Self, Fault> {
        let answer: Answer = bson::deserialize_from_document(answer)
            .map_err(|error| Fault::unknown(format!("an answer that cannot be read: {error}")))?;
        if let Some(Failure { code, message }) = answer.write_concern_error {
            return Err(Fault::told(code, message));
        }
        let mut reply = Self { done: answer.n, ..Self::default() };
        for WriteError { index, failure: Failure { code, message: why } } in answer.write_errors {
            if LEFT_OFFICE.contains(&code) {
                return Err(Fault::unknown(why));
            }
            reply.refused.insert(index, Refusal { code, why });
        }
        reply.made = answer.upserted.into_iter().map(|upserted| upserted.index).collect();
        Ok(reply)
    }

    /// What became of each of so many writes that do not depend on one another.
    ///
    /// # Errors
    /// One was refused for another reason than its condition.
    pub(crate) fn each(&self, count: usize) -> Result<Vec<Done>, Fault> {
        let one = |place| match self.refused.get(&place) {
            Some(refusal) if refusal.is_condition() => Ok(Done::Refused),
            Some(refusal) => Err(refusal.into()),
            None if self.made.contains(&place) => Ok(Done::Made),
            None => Ok(Done::Changed),
        };
        (0..count).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::{Fault, Reply};

    #[test]
    fn what_no_majority_has_acknowledged_is_unknown() {
        let duplicate = doc! { "index": 1, "code": 11000, "errmsg": "E11000" };
        let late = doc! { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "timed out" };
        let mut answer = doc! { "n": 1, "ok": 1.0, "writeErrors": [duplicate] };
        let reply = Reply::read(answer.clone()).expect("an answer");
        assert_eq!(reply.done, 1);
        assert!(reply.refused[&1].is_duplicate());
        answer.insert("writeConcernError", late);
        assert!(matches!(Reply::read(answer), Err(Fault::Unknown { .. })));
    }

    #[test]
    fn what_a_leaving_primary_says_is_unknown() {
        for code in [189, 10107, 11602] {
            let left = doc! { "index": 0, "code": code, "errmsg": "not primary" };
            let answer = doc! { "n": 0, "ok": 1.0, "writeErrors": [left] };
            assert!(matches!(Reply::read(answer), Err(Fault::Unknown { .. })), "{code}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_unknown() {
        assert!(matches!(Reply::read(doc! { "ok": 1.0 }), Err(Fault::Unknown { .. })));
    }
}
