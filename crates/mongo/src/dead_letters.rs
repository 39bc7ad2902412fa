//! The store of dead letters.

use async_trait::async_trait;
use bson::raw::RawDocumentBuf;
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc, rawdoc};
use ordain_model::{Code, RequestId, Timestamp};
use ordain_ports::{DeadLetter, DeadLetters, Error, LetterId};
use serde::{Deserialize, Serialize};

use crate::Mongo;
use crate::fault::Fault;
use crate::read::{Query, Shows};
use crate::record::{self, Wrong, bounded};
use crate::server::Writes;
use crate::setup::DEAD_LETTERS;

/// A letter as it is written down. Its `_id` orders letters as their ids are ordered.
#[derive(Serialize, Deserialize)]
struct LetterRecord {
    #[serde(rename = "_id")]
    id: LetterId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aggregate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    code: String,
    why: String,
    data: Binary,
    time: i64,
    retries: Vec<String>,
}

impl LetterRecord {
    fn of(letter: DeadLetter) -> Self {
        let (aggregate, request) = letter.named.map(|(of, id)| (of.into(), id.into())).unzip();
        Self {
            id: letter.id,
            aggregate,
            request,
            command: letter.command,
            code: letter.code.as_str().to_owned(),
            why: letter.why,
            data: Binary { subtype: BinarySubtype::Generic, bytes: letter.data },
            time: letter.time.nanoseconds(),
            retries: letter.retries.into_iter().map(String::from).collect(),
        }
    }

    fn letter(self) -> Result<DeadLetter, Wrong> {
        let named = match (self.aggregate, self.request) {
            (Some(aggregate), Some(request)) => {
                Some((record::parsed(&aggregate)?, record::parsed(&request)?))
            }
            _ => None,
        };
        let retries = self.retries.iter().map(|retry| record::parsed(retry));
        Ok(DeadLetter {
            id: self.id,
            named,
            command: self.command,
            code: Code::from(self.code),
            why: self.why,
            data: self.data.bytes,
            time: Timestamp::from_nanoseconds(self.time),
            retries: retries.collect::<Result<_, _>>()?,
        })
    }
}

fn stored_id(id: &LetterId) -> Document {
    let LetterId { topic, partition, offset } = id;
    doc! { "topic": topic, "partition": i64::from(*partition), "offset": bounded(*offset) }
}

fn letter(document: &RawDocumentBuf) -> Result<DeadLetter, Fault> {
    let letter = record::read(document).and_then(LetterRecord::letter);
    letter.map_err(|why| Fault::unreadable("a dead letter", why))
}

#[async_trait]
impl DeadLetters for Mongo {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let encode = |letter| bson::serialize_to_raw_document_buf(&LetterRecord::of(letter));
        let documents: Result<Vec<_>, _> = letters.into_iter().map(encode).collect();
        let documents = documents.map_err(|error| Fault::NotStorable {
            what: "a dead letter",
            why: error.to_string(),
        })?;
        // A letter that is there already refuses the second.
        self.server.send_each("put_letters", (Writes::Insert, DEAD_LETTERS), &documents).await?;
        Ok(())
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let filter = after.map(|after| doc! { "_id": { "$gt": stored_id(after) } });
        let mut query = Query::new(DEAD_LETTERS, filter.unwrap_or_default(), Shows::Everything);
        query.sort = Some(doc! { "_id": 1 });
        query.limit = Some(limit);
        let found = self.server.find("list_letters", query).await?;
        let letters: Result<Vec<_>, Fault> = found.iter().map(letter).collect();
        Ok(letters?)
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        let filter = doc! { "_id": stored_id(id) };
        let query = Query::new(DEAD_LETTERS, filter, Shows::Everything);
        let found = self.server.find("get_letter", query).await?;
        Ok(found.first().map(letter).transpose()?)
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        let change = rawdoc! { "$addToSet": { "retries": request.as_str() } };
        let id = bson::serialize_to_raw_document_buf(&stored_id(id))
            .map_err(|error| Fault::NotStorable { what: "a retry", why: error.to_string() })?;
        let mut updates = bson::raw::RawArrayBuf::new();
        updates.push(rawdoc! { "q": { "_id": id }, "u": change });
        let reply =
            self.server.send("retried_letter", (Writes::Update, DEAD_LETTERS), updates).await?;
        match reply.refused.values().next() {
            Some(refusal) => Err(Fault::from(refusal).into()),
            None => Ok(reply.done > 0),
        }
    }
}
