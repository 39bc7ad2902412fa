//! The insert: commits in order, in as few commands as the server allows, one behind the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::doc;
use bson::raw::RawDocumentBuf;
use ordain_model::Commit;
use ordain_ports::{Inserted, Stop};

use crate::fault::Fault;
use crate::read::{Query, Shows};
use crate::record;
use crate::reply::Refusal;
use crate::server::{DOCUMENT_BYTES_MAX, Server};
use crate::setup::COMMITS;

type Documents = Vec<RawDocumentBuf>;

/// What goes into one command.
struct Part {
    documents: Documents,
    /// Why the commit behind it can never be stored.
    refused: Option<String>,
}

pub(crate) async fn insert(server: &Arc<Server>, commits: &[Arc<Commit>]) -> Inserted {
    if commits.is_empty() {
        return Inserted::all(0);
    }
    // Whoever called has looked at the deadlines just now.
    let most = Duration::from_millis(server.settings.send_ms_max);
    let by = Instant::now() + most;
    if let Err(fault) = server.guarded().await {
        return Inserted::until(0, Stop::Unavailable(fault.into()));
    }
    // A test may have inserts come to nothing.
    fail::fail_point!("mongo-insert", |_| {
        let fault = Fault::not_sent("a crash point");
        Inserted::until(0, Stop::Unavailable(fault.into()))
    });
    let mut stored = 0;
    while let Some(rest) = commits.get(stored..).filter(|rest| !rest.is_empty()) {
        if Instant::now() >= by {
            let late = Fault::not_sent(format!("the rest was not sent within {most:?}"));
            return Inserted::until(stored, Stop::Unavailable(late.into()));
        }
        let Part { documents, refused } = part(server, rest);
        if !documents.is_empty() {
            let inserted = send(server, rest, (documents, by)).await;
            stored += inserted.stored;
            if let Some(stop) = inserted.stop {
                return Inserted::until(stored, stop);
            }
        }
        if let Some(why) = refused {
            return Inserted::until(stored, Stop::NotStorable(why));
        }
    }
    Inserted::all(stored)
}

/// As many commits as one command takes.
fn part(server: &Server, commits: &[Arc<Commit>]) -> Part {
    let mut part = Part { documents: Vec::new(), refused: None };
    let mut bytes = 0;
    for commit in commits.iter().take(server.settings.command_documents_max.max(1)) {
        match encode(commit) {
            Ok(document) => {
                bytes += document.as_bytes().len();
                if !part.documents.is_empty() && bytes > server.settings.command_bytes_max {
                    break;
                }
                part.documents.push(document);
            }
            Err(why) => {
                part.refused = Some(why);
                break;
            }
        }
    }
    part
}

fn encode(commit: &Commit) -> Result<RawDocumentBuf, String> {
    let document = record::encode_commit(commit)?;
    let bytes = document.as_bytes().len();
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(format!("the commit is {bytes} bytes; {DOCUMENT_BYTES_MAX} can be stored"));
    }
    Ok(document)
}

async fn send(
    server: &Arc<Server>,
    commits: &[Arc<Commit>],
    (documents, by): (Documents, Instant),
) -> Inserted {
    let count = documents.len();
    let again = sends_again().then(|| documents.clone());
    let mut sent = server.commits.send(server, documents, by).await;
    while let (Err(_), Some(documents)) = (&sent, &again) {
        let much_later = Instant::now() + Duration::from_secs(3_600);
        sent = server.commits.send(server, documents.clone(), much_later).await;
    }
    let reply = match sent {
        Ok(reply) => reply,
        Err(fault) if fault.is_certain() => {
            return Inserted::until(0, Stop::Unavailable(fault.into()));
        }
        Err(fault) => return Inserted::until(0, Stop::Unknown(fault.into())),
    };
    match reply.refused.first_key_value() {
        Some((at, refusal)) => match commits.get(*at) {
            Some(commit) if *at < count => {
                Inserted::until(*at, stop(server, commit, refusal).await)
            }
            _ => Inserted::until(0, Stop::Unknown(Fault::unknown("a refusal of none").into())),
        },
        None => Inserted::all(count),
    }
}

/// The wrong variant does as the driver would: it sends again what may have come to nothing, and
/// nobody looks at the deadlines.
fn sends_again() -> bool {
    fail::fail_point!("broken-insert-sent-again", |_| true);
    false
}

/// What the refusal of one commit means. The server ends an insert at the first.
async fn stop(server: &Server, commit: &Commit, refusal: &Refusal) -> Stop {
    if refusal.is_duplicate() {
        return match is_stored(server, commit).await {
            Ok(true) => Stop::Repeat,
            Ok(false) => Stop::Conflict,
            Err(fault) => Stop::Unknown(fault.into()),
        };
    }
    if refusal.is_of_the_document() {
        return Stop::NotStorable(refusal.why.clone());
    }
    Stop::Unknown(Fault::from(refusal).into())
}

/// Whether there is a commit under the same request id. Nothing says which of its unique keys the
/// server tries first; so the refusal alone does not tell a repeat from a conflict. What the
/// insert has met need not be durable yet, hence this looks at all that there is.
async fn is_stored(server: &Server, commit: &Commit) -> Result<bool, Fault> {
    let id = record::commit_id(&commit.aggregate, commit.request.as_str());
    // The aggregate tells a router which shard to ask.
    let filter = doc! { "_id": id, "a": commit.aggregate.as_str() };
    let mut query = Query::new(COMMITS, filter, Shows::Local);
    query.index = Some(doc! { "_id": 1 });
    query.projection = Some(doc! { "_id": 1 });
    Ok(!server.find("insert", query).await?.is_empty())
}
