//! The fence: a write that stands behind everything that was acknowledged before it, so that a
//! read which is not older than it shows all of that.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use bson::raw::RawArrayBuf;
use bson::{Timestamp, rawdoc};
use tokio::sync::Mutex;

use crate::fault::Fault;
use crate::reply::Reply;
use crate::server::{Server, Writes};
use crate::setup::FENCES;

/// Processes write in different documents, most of the time, so as not to wait for one another.
const DOCUMENTS: u64 = 64;

/// The fences of one process, one at a time.
#[derive(Default)]
pub(crate) struct Fence {
    /// How many were begun.
    begun: AtomicU64,
    /// The last one that ended: which it was, and its point in the store's time.
    last: Mutex<Option<(u64, Result<Timestamp, Fault>)>>,
    /// Makes the choice of a document.
    chance: RandomState,
}

impl Server {
    /// A point in the store's time behind everything that was acknowledged before the call.
    pub(crate) async fn fenced(&self) -> Result<Timestamp, Fault> {
        let Fence { begun, last, .. } = &self.fence;
        let before = begun.load(Ordering::SeqCst);
        let mut last = last.lock().await;
        // One that began while this waited for its turn will do; one that was under way will not.
        if let Some((nth, fenced)) = &*last
            && *nth > before
        {
            return fenced.clone();
        }
        let nth = begun.fetch_add(1, Ordering::SeqCst) + 1;
        let fenced = self.fence().await;
        *last = Some((nth, fenced.clone()));
        fenced
    }

    async fn fence(&self) -> Result<Timestamp, Fault> {
        let document = i64::try_from(self.fence.chance.hash_one(()) % DOCUMENTS).unwrap_or(0);
        let mut updates = RawArrayBuf::new();
        // A write that changes nothing would not have to be taken by anyone.
        let change = rawdoc! { "$inc": { "n": 1_i64 } };
        updates.push(rawdoc! { "q": { "_id": document }, "u": change, "upsert": true });
        let command = self.writing((Writes::Update, FENCES), updates);
        let answer = self.command("fence", command).await?;
        let time = answer.get_timestamp("operationTime");
        let time = time.map_err(|_| Fault::unfit("the server does not tell its time"))?;
        match Reply::read(answer)?.refused.first_key_value() {
            Some((_, refusal)) => Err(refusal.into()),
            None => Ok(time),
        }
    }
}
