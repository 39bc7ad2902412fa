//! The collections and indexes, and whether the servers can keep the promises.

use bson::raw::RawDocumentBuf;
use bson::{Document, rawdoc};

use crate::fault::Fault;
use crate::server::Server;

/// The commits: one document each, never changed. `_id` is `aggregate/request`, which is
/// unambiguous because no id holds a slash.
pub(crate) const COMMITS: &str = "commits";
/// What is derived of aggregates: under `aggregate` up to where it is published, under
/// `aggregate/fold version` a snapshot.
pub(crate) const AGGREGATES: &str = "aggregates";
/// The rows of all views, under (view, key).
pub(crate) const ROWS: &str = "rows";
/// Up to where each view has come, under (view, aggregate).
pub(crate) const MARKS: &str = "marks";
/// The dead letters, under (topic, partition, offset).
pub(crate) const DEAD_LETTERS: &str = "deadletters";
/// Where lanes began, under (partition), and the records marked, under (partition, offset).
pub(crate) const CRASH_MARKS: &str = "crashmarks";
/// The commands ever announced, under (type, command, schema).
pub(crate) const ANNOUNCEMENTS: &str = "announcements";
/// The last heartbeat of each member, under its name.
pub(crate) const HEARTBEATS: &str = "heartbeats";

/// Counters that are written to so that something is.
pub(crate) const FENCES: &str = "fences";

const COLLECTIONS: [&str; 9] = [
    COMMITS,
    AGGREGATES,
    ROWS,
    MARKS,
    DEAD_LETTERS,
    CRASH_MARKS,
    ANNOUNCEMENTS,
    HEARTBEATS,
    FENCES,
];

/// So long a heartbeat is kept that stands still.
const HEARTBEAT_SECONDS: i32 = 300;

const NAMESPACE_EXISTS: i32 = 48;
/// There is another index in the place of ours, or commits that contradict it.
const CONTRADICTIONS: [i32; 4] = [67, 85, 86, 11000];
const NAMESPACE_NOT_FOUND: i32 = 26;

/// Sets up what is missing.
pub(crate) async fn ensure(server: &Server) -> Result<(), Fault> {
    check_promises(server).await?;
    for collection in COLLECTIONS {
        create(server, collection).await?;
    }
    // With it one revision of an aggregate is stored once; it also gives tails in order.
    let index = rawdoc! { "key": { "a": 1, "r": 1 }, "name": "aggregate_revision", "unique": true };
    index_of(server, COMMITS, index).await?;
    forget_the_dead(server).await
}

/// Makes sure that heartbeats go that stand still. Each process sees to it, for a database may be
/// older than this.
pub(crate) async fn forget_the_dead(server: &Server) -> Result<(), Fault> {
    let index = rawdoc! {
        "key": { "at": 1 },
        "name": "heartbeat_age",
        "expireAfterSeconds": HEARTBEAT_SECONDS,
    };
    index_of(server, HEARTBEATS, index).await
}

async fn index_of(server: &Server, collection: &str, index: RawDocumentBuf) -> Result<(), Fault> {
    let command = rawdoc! {
        "createIndexes": collection,
        "indexes": [index],
        "writeConcern": server.durably(),
    };
    match server.command("ensure", command).await {
        Err(Fault::Unknown { code: Some(code), why, .. }) if CONTRADICTIONS.contains(&code) => {
            Err(Fault::unfit(why))
        }
        indexed => acknowledged(&indexed?),
    }
}

async fn create(server: &Server, collection: &str) -> Result<(), Fault> {
    let command = rawdoc! { "create": collection, "writeConcern": server.durably() };
    match server.command("ensure", command).await {
        Err(Fault::Unknown { code: Some(NAMESPACE_EXISTS), .. }) => Ok(()),
        created => acknowledged(&created?),
    }
}

fn acknowledged(answer: &Document) -> Result<(), Fault> {
    match answer.get_document("writeConcernError") {
        Ok(error) => Err(Fault::unknown(error.get_str("errmsg").unwrap_or("no majority"))),
        Err(_) => Ok(()),
    }
}

async fn check_promises(server: &Server) -> Result<(), Fault> {
    let hello = server.command("ensure", rawdoc! { "hello": 1 }).await?;
    if keeps_promises(&hello) {
        return Ok(());
    }
    Err(Fault::unfit("the server is neither a member of a replica set nor a router"))
}

/// A server on its own acknowledges what it may lose.
fn keeps_promises(hello: &Document) -> bool {
    hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid")
}

impl Server {
    /// Makes sure, once, that revisions are unique: without the index, two commits of one
    /// revision would both become true.
    pub(crate) async fn guarded(&self) -> Result<(), Fault> {
        self.guarded.get_or_try_init(|| check_index(self)).await.copied()
    }
}

async fn check_index(server: &Server) -> Result<(), Fault> {
    let missing =
        || Fault::unfit("the database is not set up: set it up with `ordain topics ensure`");
    let listed = match server.command("guard", rawdoc! { "listIndexes": COMMITS }).await {
        Err(Fault::Unknown { code: Some(NAMESPACE_NOT_FOUND), .. }) => return Err(missing()),
        listed => listed?,
    };
    let cursor = listed.get_document("cursor").map_err(|_| missing())?;
    let indexes = cursor.get_array("firstBatch").map_err(|_| missing())?;
    let guards = |index: &Document| {
        let fields = index.get_document("key").map(|key| key.keys().cloned().collect::<Vec<_>>());
        fields.is_ok_and(|fields| fields == ["a", "r"]) && index.get_bool("unique").unwrap_or(false)
    };
    if indexes.iter().filter_map(bson::Bson::as_document).any(guards) {
        return Ok(());
    }
    Err(missing())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::keeps_promises;

    #[test]
    fn a_server_on_its_own_does_not_keep_the_promises() {
        assert!(keeps_promises(&doc! { "setName": "rs0", "isWritablePrimary": true }));
        assert!(keeps_promises(&doc! { "msg": "isdbgrid" }));
        assert!(!keeps_promises(&doc! { "isWritablePrimary": true }));
    }
}
