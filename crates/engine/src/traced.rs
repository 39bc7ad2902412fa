//! Commands that belong to a trace: the spans of their decisions, and of publishing their events.
//! Where nothing is recorded, a command's trace goes on as it came.

use std::num::NonZeroU64;
use std::sync::Arc;

use ordain_model::{Commit, Outcome, Timestamp};
use ordain_ports::{Span, SpanKind};

use crate::Ports;
use crate::receive::Item;

/// The span of a decision that has begun. Its place is the trace of the item.
#[derive(Debug)]
pub(crate) struct Begun {
    parent: NonZeroU64,
    at: Timestamp,
}

/// Begins the spans of those items that belong to a trace.
pub(crate) fn begin(items: &mut [Item], ports: &Ports) {
    for item in items {
        let Some(parent) = item.trace else { continue };
        if let Some(own) = ports.spans.child(parent) {
            item.trace = Some(own);
            item.begun = Some(Box::new(Begun { parent: parent.span(), at: ports.clock.now() }));
        }
    }
}

/// The span of an item that is settled by this commit, which may be that of an earlier sending.
/// It ends when it is recorded.
pub(crate) fn decided(item: &Item, commit: &Commit) -> Option<Span> {
    let (own, begun) = (item.trace?, item.begun.as_ref()?);
    let source = (commit.source.partition, commit.source.offset);
    let is_replayed = source != (item.position.partition, item.position.offset);
    let mut attributes = vec![
        ("ordain.aggregate", item.aggregate.to_string()),
        ("ordain.request_id", item.request.to_string()),
        ("ordain.partition", item.position.partition.to_string()),
        ("ordain.offset", item.position.offset.to_string()),
        ("ordain.outcome", commit.outcome.name().to_owned()),
        ("ordain.revision", commit.revision.to_string()),
        ("ordain.replayed", is_replayed.to_string()),
    ];
    attributes.extend(commit.outcome.code().map(|code| ("ordain.code", code.to_string())));
    Some(Span {
        own,
        parent: Some(begun.parent),
        name: format!("decide {}.{}", item.aggregate.aggregate_type(), item.command()),
        kind: SpanKind::Consumer,
        begun: begun.at,
        ended: begun.at,
        attributes,
        failed: matches!(commit.outcome, Outcome::Rejected(_)),
    })
}

/// Records these spans, which are over now.
pub(crate) fn record(spans: Vec<Span>, ports: &Ports) {
    for span in spans {
        ports.spans.record(Span { ended: ports.clock.now(), ..span });
    }
}

/// When publishing begins, if any of these commits belongs to a trace.
pub(crate) fn publishing(commits: &[Arc<Commit>], ports: &Ports) -> Option<Timestamp> {
    let is_traced = |commit: &Arc<Commit>| commit.trace.is_some() && !commit.events.is_empty();
    commits.iter().any(is_traced).then(|| ports.clock.now())
}

/// Records that the events of these commits are published, now.
pub(crate) fn published(commits: &[Arc<Commit>], ports: &Ports, begun: Timestamp) {
    let ended = ports.clock.now();
    for commit in commits.iter().filter(|commit| !commit.events.is_empty()) {
        let Some(parent) = commit.trace else { continue };
        let Some(own) = ports.spans.child(parent) else { continue };
        ports.spans.record(Span {
            own,
            parent: Some(parent.span()),
            name: format!("publish {}", commit.aggregate.aggregate_type()),
            kind: SpanKind::Producer,
            begun,
            ended,
            attributes: vec![
                ("ordain.aggregate", commit.aggregate.to_string()),
                ("ordain.sequence", commit.sequence.to_string()),
                ("ordain.events", commit.events.len().to_string()),
            ],
            failed: false,
        });
    }
}
