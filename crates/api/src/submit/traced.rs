//! Commands that belong to a trace: the span from when a caller submits one until it is answered.

use ordain_model::Timestamp;
use ordain_ports::{Span, SpanKind};

use super::{Answered, Request, SubmitPorts};

/// The span of a command that a caller waits for. It is over when this is dropped: answered, or
/// left by the caller.
pub(super) struct Traced<'a> {
    ports: &'a SubmitPorts,
    span: Option<Span>,
}

impl<'a> Traced<'a> {
    /// Begins the span, if it is to be recorded; then it becomes the parent of what the command
    /// leads to. A command that belongs to no trace may begin one.
    pub(super) fn begin(ports: &'a SubmitPorts, request: &mut Request) -> Option<Self> {
        let own = match request.trace {
            Some(caller) => ports.spans.child(caller)?,
            None => ports.spans.root()?,
        };
        let caller = request.trace.replace(own);
        let begun = ports.clock.now();
        let span = Span {
            own,
            parent: caller.map(|caller| caller.span()),
            name: format!("submit {}.{}", request.aggregate.aggregate_type(), request.command),
            kind: SpanKind::Server,
            begun,
            ended: begun,
            attributes: vec![
                ("ordain.aggregate", request.aggregate.to_string()),
                ("ordain.request_id", request.request.to_string()),
            ],
            failed: false,
        };
        Some(Self { ports, span: Some(span) })
    }

    /// What the caller is told.
    pub(super) fn answered(&mut self, answered: &Answered) {
        let Some(span) = &mut self.span else { return };
        let (outcome, failed) = match answered {
            Answered::Decided { commit, .. } => (commit.outcome.name(), false),
            Answered::Accepted => ("ACCEPTED", false),
            Answered::KeyReused => ("KEY_REUSED", false),
            Answered::TimedOut { .. } => ("TIMEOUT", true),
            Answered::NotAccepted { .. } => ("NOT_ACCEPTED", true),
            Answered::Invalid(_) => ("INVALID", false),
        };
        span.attributes.push(("ordain.outcome", outcome.to_owned()));
        span.failed = failed;
    }
}

impl Drop for Traced<'_> {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            let ended: Timestamp = self.ports.clock.now();
            self.ports.spans.record(Span { ended, ..span });
        }
    }
}
