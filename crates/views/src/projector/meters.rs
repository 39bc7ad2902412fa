//! What is measured of a view.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The meters of a view. They are looked up once a lane, not once a record.
pub(super) struct Meters {
    /// How many records a batch has.
    pub(super) batch_records: Histogram,
    /// How old the newest event of a round is once its rows are written.
    pub(super) lag_ms: Histogram,
    pub(super) applied_events: Counter,
    /// Events that were folded already.
    pub(super) repeated_events: Counter,
    /// Events that were missing and came from the commits.
    pub(super) filled_events: Counter,
    /// Writes whose condition did not hold.
    pub(super) refused_writes: Counter,
    pub(super) damaged_records: Counter,
    pub(super) stopped_aggregates: Counter,
    pub(super) stopped_lanes: Gauge,
}

impl Meters {
    /// Those of this view, of the recorder that is installed now.
    pub(super) fn of(view: &'static str) -> Self {
        Self {
            batch_records: histogram!("ordain_views_batch_records", "view" => view),
            lag_ms: histogram!("ordain_views_lag_ms", "view" => view),
            applied_events: counter!("ordain_views_applied_events", "view" => view),
            repeated_events: counter!("ordain_views_repeated_events", "view" => view),
            filled_events: counter!("ordain_views_filled_events", "view" => view),
            refused_writes: counter!("ordain_views_refused_writes", "view" => view),
            damaged_records: counter!("ordain_views_damaged_records", "view" => view),
            stopped_aggregates: counter!("ordain_views_stopped_aggregates", "view" => view),
            stopped_lanes: gauge!("ordain_views_stopped_lanes", "view" => view),
        }
    }
}
