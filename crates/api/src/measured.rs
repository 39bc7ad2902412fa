//! How long requests took, by what was asked and how it was answered.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use foldhash::HashMap;
use http::StatusCode;
use metrics::Histogram;

/// A request that was answered, as the labels say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'r> {
    /// The pattern of the path that it matched.
    pub(crate) route: &'r str,
    /// One of few names.
    pub(crate) method: &'static str,
    /// The status of the answer.
    pub(crate) status: StatusCode,
}

/// The meters of requests. There are few, and each is looked up in the recorder only once.
#[derive(Default)]
pub(crate) struct Requests(RwLock<HashMap<String, Answers>>);

/// The meters of one route, by method and status.
type Answers = HashMap<(&'static str, StatusCode), Histogram>;

impl Requests {
    /// A request was answered after this time.
    pub(crate) fn record(&self, answered: &Answered<'_>, after: Duration) {
        if !self.record_known(answered, after) {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let answers = known.entry(answered.route.to_owned()).or_default();
            let meter = answers.entry((answered.method, answered.status));
            meter.or_insert_with(|| answered.meter()).record(after);
        }
    }

    fn record_known(&self, answered: &Answered<'_>, after: Duration) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let meter = known
            .get(answered.route)
            .and_then(|answers| answers.get(&(answered.method, answered.status)));
        meter.inspect(|meter| meter.record(after)).is_some()
    }
}

impl Answered<'_> {
    fn meter(&self) -> Histogram {
        let labels = [
            ("route", self.route.to_owned()),
            ("method", self.method.to_owned()),
            ("status", self.status.as_str().to_owned()),
        ];
        metrics::histogram!("ordain_api_request_seconds", &labels)
    }
}
