//! What is measured, and the bar that each case is held against: a ratio to what the machine, the
//! disk or the services do by themselves.

/// A workload, and what is expected of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) workload: &'static str,
    pub(super) connections: u32,
    pub(super) load: Load,
    pub(super) bars: &'static [Bar],
}

/// When requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// When those before them were answered.
    Closed,
    /// At half the most that even deposits came to in a closed loop.
    HalfOfPeak,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bar {
    /// Commands a second: at least this part of the requests that an HTTP server answers which does
    /// nothing else.
    RateOfHttp(f64),
    /// Commands a second: at least so many times that of [`BASE`].
    RateOfBase(f64),
    /// 99 of 100 take at most so many milliseconds.
    P99Ms(f64),
    /// The median: at most so many syncs of the disk, or so many milliseconds if that is more.
    MedianOfSyncs(f64, f64),
    /// The median: at most so many times one record to Kafka and one document to MongoDB.
    MedianOfSingles(f64),
    /// The median: at most so many times that of [`BASE`].
    MedianOfBase(f64),
}

pub(super) const UNIFORM: &str = "deposit-uniform";
/// The case that others are compared with.
pub(super) const BASE: &str = "deposit-uniform, 64";

const fn closed(
    name: &'static str,
    workload: &'static str,
    connections: u32,
    bars: &'static [Bar],
) -> Case {
    Case { name, workload, connections, load: Load::Closed, bars }
}

/// In one process on one directory.
pub(super) const EMBEDDED: &[Case] = &[
    closed(BASE, UNIFORM, 64, &[Bar::RateOfHttp(0.37), Bar::P99Ms(12.0)]),
    closed("deposit-uniform, 1", UNIFORM, 1, &[Bar::MedianOfSyncs(4.0, 0.4)]),
    closed("hot-key, 64", "hot-key", 64, &[Bar::RateOfHttp(0.24)]),
    closed("deposit-zipf, 64", "deposit-zipf", 64, &[]),
    closed("retries, 64", "retries", 64, &[Bar::RateOfBase(1.0)]),
    closed("batch, 8 of 100", "batch", 8, &[Bar::RateOfBase(2.0)]),
    closed("async, 64", "async", 64, &[Bar::MedianOfBase(1.0)]),
];

/// On Kafka, MongoDB and Redis.
pub(super) const FLEET: &[Case] = &[
    closed(BASE, UNIFORM, 64, &[Bar::RateOfHttp(0.12), Bar::P99Ms(25.0)]),
    closed("deposit-uniform, 256", UNIFORM, 256, &[Bar::RateOfHttp(0.18)]),
    closed("deposit-uniform, 1", UNIFORM, 1, &[Bar::MedianOfSingles(1.4)]),
    closed("hot-key, 64", "hot-key", 64, &[Bar::RateOfHttp(0.06)]),
    closed("deposit-zipf, 64", "deposit-zipf", 64, &[]),
    closed("retries, 64", "retries", 64, &[Bar::RateOfBase(1.0)]),
    closed("batch, 8 of 100", "batch", 8, &[Bar::RateOfBase(2.0)]),
    closed("async, 64", "async", 64, &[Bar::MedianOfBase(0.5)]),
    Case {
        name: "deposit-uniform, half of the peak, open loop",
        workload: UNIFORM,
        connections: 256,
        load: Load::HalfOfPeak,
        bars: &[Bar::P99Ms(15.0)],
    },
];
