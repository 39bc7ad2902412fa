//! Spans: what was done for a command, and when, for those who look at traces.

use std::num::NonZeroU64;

use ordain_model::{Timestamp, TraceContext};

/// Where spans go. A trace is a help for people: nothing that is promised rests on it.
///
/// # Contract
/// 1. Nothing here waits or fails. What cannot be taken is dropped and counted.
/// 2. A place in a trace is given only where it is recorded: a child where its parent is sampled,
///    a root as often as is configured. No two places have the same span.
pub trait Spans: Send + Sync {
    /// A new place under this one; none where nothing is recorded.
    fn child(&self, parent: TraceContext) -> Option<TraceContext>;

    /// The first place of a new trace; none where nothing is recorded.
    fn root(&self) -> Option<TraceContext>;

    /// Takes a span that is over.
    fn record(&self, span: Span);
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its place, which [`Spans`] has given.
    pub own: TraceContext,
    /// The span that it was done for; none at the beginning of a trace.
    pub parent: Option<NonZeroU64>,
    /// What was done, in words that say nothing of this one command.
    pub name: String,
    /// What it is to its parent.
    pub kind: SpanKind,
    /// When it began.
    pub begun: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// What is to be known of it, by name.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it failed, as those see it who keep ordain running.
    pub failed: bool,
}

/// What a span is to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// It answers a caller.
    Server,
    /// It takes from a log.
    Consumer,
    /// It appends to a log.
    Producer,
}

/// Records nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoSpans;

impl Spans for NoSpans {
    fn child(&self, _parent: TraceContext) -> Option<TraceContext> {
        None
    }

    fn root(&self) -> Option<TraceContext> {
        None
    }

    fn record(&self, _span: Span) {}
}
