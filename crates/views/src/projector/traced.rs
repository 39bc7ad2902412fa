//! Events that belong to a trace: the spans of folding them.

use ordain_model::{AggregateKey, Timestamp};
use ordain_ports::{Span, SpanKind};

use super::Ports;
use super::batch::Step;

/// Records that the rows and the mark of this step are written, now. Work on them began at `begun`.
pub(super) fn folded(
    step: &Step,
    (view, aggregate): (&str, &AggregateKey),
    ports: &Ports,
    begun: Timestamp,
) {
    for parent in &step.traces {
        let Some(own) = ports.spans.child(*parent) else { continue };
        ports.spans.record(Span {
            own,
            parent: Some(parent.span()),
            name: format!("fold {view}"),
            kind: SpanKind::Consumer,
            begun,
            ended: ports.clock.now(),
            attributes: vec![
                ("ordain.view", view.to_owned()),
                ("ordain.aggregate", aggregate.to_string()),
                ("ordain.sequence", step.sequence.to_string()),
            ],
            failed: false,
        });
    }
}
