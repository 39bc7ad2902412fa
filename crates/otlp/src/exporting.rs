//! The task that sends spans, a batch at a time.

use std::time::Duration;

use metrics::Counter;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use ordain_ports::Span;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::span_data::span_data;

/// The task that sends spans. Dropped without [`Exporting::end`], it goes on with its runtime.
#[derive(Debug)]
pub struct Exporting {
    leave: CancellationToken,
    task: JoinHandle<()>,
    drain: Duration,
}

impl Exporting {
    /// Takes no more spans, and waits until those that were taken are sent, within the limit that
    /// is configured.
    pub async fn end(mut self) {
        self.leave.cancel();
        if timeout(self.drain, &mut self.task).await.is_err() {
            tracing::warn!(limit_ms = self.drain.as_millis(), "spans_lost_at_the_end");
            self.task.abort();
            // Gone is it only behind this, and with it the queue; unless the exporter holds its
            // thread, which must not hold up the end.
            drop(timeout(self.drain, self.task).await);
        }
    }
}

/// Counts the spans that were dropped, and where.
pub(crate) fn lost(at: &'static str) -> Counter {
    metrics::counter!("ordain_otlp_lost_spans", "at" => at)
}

/// Begins to send what comes out of the queue.
pub(crate) fn start(
    exporter: impl SpanExporter + 'static,
    queue: mpsc::Receiver<Span>,
    settings: &Settings,
) -> Exporting {
    let leave = CancellationToken::new();
    let sender = Sender {
        exporter,
        queue,
        leave: leave.clone(),
        scope: InstrumentationScope::builder("ordain").build(),
        batch_max: settings.batch_spans_max,
        every: Duration::from_millis(settings.export_every_ms),
        limit: Duration::from_millis(settings.export_ms_max),
        sent: metrics::counter!("ordain_otlp_sent_spans"),
        lost: lost("collector"),
        is_failing: false,
    };
    let drain = Duration::from_millis(settings.drain_ms_max);
    Exporting { leave, task: tokio::spawn(sender.run()), drain }
}

struct Sender<E> {
    exporter: E,
    queue: mpsc::Receiver<Span>,
    leave: CancellationToken,
    scope: InstrumentationScope,
    batch_max: usize,
    every: Duration,
    limit: Duration,
    sent: Counter,
    lost: Counter,
    /// Whether the last batch was lost: only a change is worth a line in the log.
    is_failing: bool,
}

impl<E: SpanExporter> Sender<E> {
    async fn run(mut self) {
        let mut batch = Vec::new();
        while self.collect(&mut batch).await {
            let spans = batch.drain(..).map(|span| span_data(span, &self.scope)).collect();
            self.send(spans).await;
        }
    }

    /// Takes the next spans, and those that come within a moment. Says whether there may be more.
    async fn collect(&mut self, batch: &mut Vec<Span>) -> bool {
        let mut until = None;
        while batch.len() < self.batch_max {
            let room = self.batch_max - batch.len();
            let may_leave = !self.queue.is_closed();
            tokio::select! {
                taken = self.queue.recv_many(batch, room) => {
                    if taken == 0 {
                        return !batch.is_empty();
                    }
                    until.get_or_insert_with(|| Instant::now() + self.every);
                }
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
                // What is in the queue still comes out of it, and then nothing more.
                () = self.leave.cancelled(), if may_leave => self.queue.close(),
            }
        }
        true
    }

    async fn send(&mut self, spans: Vec<SpanData>) {
        let count = spans.len() as u64;
        let failed = match timeout(self.limit, self.exporter.export(spans)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(late) => Some(late.to_string()),
        };
        match &failed {
            None => self.sent.increment(count),
            Some(_) => self.lost.increment(count),
        }
        let was_failing = std::mem::replace(&mut self.is_failing, failed.is_some());
        match failed {
            Some(why) if !was_failing => tracing::warn!(why, "spans_lost"),
            None if was_failing => tracing::info!("spans_sent_again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
    use ordain_model::Timestamp;
    use ordain_ports::SpanKind;

    use super::*;

    /// Keeps the names of what it is given, a batch a line, and never ends where one is `stuck`.
    #[derive(Debug, Clone, Default)]
    struct Collector(Arc<Mutex<Vec<Vec<String>>>>);

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let names: Vec<String> = batch.iter().map(|span| span.name.to_string()).collect();
            let (is_stuck, is_bad) = (names.contains(&"stuck".into()), names[0] == "bad");
            self.0.lock().unwrap().push(names);
            if is_stuck {
                std::future::pending::<()>().await;
            }
            if is_bad { Err(OTelSdkError::InternalFailure("bad".to_owned())) } else { Ok(()) }
        }
    }

    fn span(name: &str) -> Span {
        Span {
            own: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap(),
            parent: None,
            name: name.to_owned(),
            kind: SpanKind::Server,
            begun: Timestamp::default(),
            ended: Timestamp::default(),
            attributes: Vec::new(),
            failed: false,
        }
    }

    fn settings() -> Settings {
        Settings { batch_spans_max: 2, ..Settings::default() }
    }

    /// Sends all of these through a queue that is full of them, and ends.
    async fn exported(names: &[&str]) -> Vec<Vec<String>> {
        let (queue, spans) = mpsc::channel(names.len());
        for name in names {
            queue.try_send(span(name)).unwrap();
        }
        let collector = Collector::default();
        let exporting = start(collector.clone(), spans, &settings());
        exporting.end().await;
        assert!(queue.try_send(span("late")).is_err(), "nothing is taken behind the end");
        let batches = collector.0.lock().unwrap();
        batches.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_was_taken_is_sent_before_the_end() {
        let sent = exported(&["a", "b", "c", "d", "e"]).await;
        assert_eq!(sent, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_refused_keeps_no_other_back() {
        let sent = exported(&["bad", "b", "c"]).await;
        assert_eq!(sent, [vec!["bad", "b"], vec!["c"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_a_collector_that_does_not_answer() {
        let begun = Instant::now();
        assert_eq!(exported(&["stuck", "b", "c"]).await, [vec!["stuck", "b"]]);
        assert_eq!(begun.elapsed().as_millis(), u128::from(settings().drain_ms_max));
    }

    #[tokio::test(start_paused = true)]
    async fn a_span_is_sent_soon_also_when_it_stays_alone() {
        let (queue, spans) = mpsc::channel(8);
        let collector = Collector::default();
        let _exporting = start(collector.clone(), spans, &settings());
        queue.try_send(span("a")).unwrap();
        let every = Duration::from_millis(settings().export_every_ms);
        tokio::time::sleep(every / 2).await;
        assert!(collector.0.lock().unwrap().is_empty(), "others may come");
        tokio::time::sleep(every).await;
        assert_eq!(*collector.0.lock().unwrap(), [["a"]]);
        queue.try_send(span("stuck")).unwrap();
        tokio::time::sleep(every + Duration::from_millis(settings().export_ms_max)).await;
        queue.try_send(span("b")).unwrap();
        tokio::time::sleep(every * 2).await;
        let sent = collector.0.lock().unwrap().clone();
        assert_eq!(sent, [["a"], ["stuck"], ["b"]], "one that is stuck is given up");
    }
}
