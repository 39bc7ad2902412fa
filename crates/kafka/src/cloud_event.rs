//! CloudEvents 1.0 in Kafka's binary mode: the value is the bare data, all else are headers.

use std::fmt::Display;

use ordain_model::{AggregateKey, RequestId, Timestamp, TraceContext};
use rdkafka::message::{BorrowedHeaders, Header, Headers as _, OwnedHeaders};

/// The header of W3C Trace Context. Not one of CloudEvents, so it has no prefix.
const TRACE_PARENT: &str = "traceparent";

/// The headers of a record that is being written.
pub(crate) struct Writer(OwnedHeaders);

impl Writer {
    /// What every record has.
    pub(crate) fn new(id: &str, source: &str, kind: &str, time: Timestamp) -> Self {
        let headers = OwnedHeaders::new_with_capacity(16);
        Self(headers)
            .with("ce_specversion", "1.0")
            .with("ce_id", id)
            .with("ce_source", source)
            .with("ce_type", kind)
            .with_shown("ce_time", &time)
            .with("content-type", "application/json")
    }

    /// What every record about a request to an aggregate has. Its id ends with `last`.
    pub(crate) fn about(
        aggregate: &AggregateKey,
        request: &RequestId,
        [last, name]: [&str; 2],
        time: Timestamp,
    ) -> Self {
        let (kind, id) = (aggregate.aggregate_type(), aggregate.id());
        let source = format!("/ordain/{}", aggregate.tenant());
        Self::new(&format!("{kind}/{id}/{last}"), &source, &format!("{kind}.{name}"), time)
            .with("ce_subject", &format!("{kind}/{id}"))
            .with("ce_requestid", request.as_str())
    }

    /// One header more.
    pub(crate) fn with(self, key: &str, value: &str) -> Self {
        Self(self.0.insert(Header { key, value: Some(value) }))
    }

    /// One header more, as its value shows itself.
    pub(crate) fn with_shown(self, key: &str, value: &impl Display) -> Self {
        self.with(key, &value.to_string())
    }

    /// One header more, if there is a value.
    pub(crate) fn with_some(self, key: &str, value: Option<&impl Display>) -> Self {
        match value {
            Some(value) => self.with_shown(key, value),
            None => self,
        }
    }

    /// The trace that the record belongs to, if it belongs to one.
    pub(crate) fn of_trace(self, trace: Option<TraceContext>) -> Self {
        self.with_some(TRACE_PARENT, trace.as_ref())
    }

    pub(crate) fn finish(self) -> OwnedHeaders {
        self.0
    }
}

/// The headers of a record that is being read.
pub(crate) struct Reader<'a> {
    headers: Vec<(&'a str, &'a [u8])>,
}

/// Why a record cannot be read.
pub(crate) type Unreadable = String;

impl<'a> Reader<'a> {
    pub(crate) fn new(headers: Option<&'a BorrowedHeaders>) -> Self {
        let read = |header: Header<'a, &'a [u8]>| (header.key, header.value.unwrap_or_default());
        Self { headers: headers.map(|all| all.iter().map(read).collect()).unwrap_or_default() }
    }

    /// How many bytes they are.
    pub(crate) fn bytes(&self) -> usize {
        self.headers.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    fn find(&self, key: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// The text of a header that must be there.
    pub(crate) fn text(&self, key: &str) -> Result<&'a str, Unreadable> {
        let value = self.find(key).ok_or_else(|| format!("there is no header {key}"))?;
        std::str::from_utf8(value).map_err(|_| format!("the header {key} is not UTF-8"))
    }

    /// What the header means, which must be there.
    pub(crate) fn parse<T>(&self, key: &str) -> Result<T, Unreadable>
    where
        T: std::str::FromStr<Err: Display>,
    {
        self.text(key)?.parse().map_err(|error| format!("the header {key}: {error}"))
    }

    /// What the header means, if it is there.
    pub(crate) fn parse_some<T>(&self, key: &str) -> Result<Option<T>, Unreadable>
    where
        T: std::str::FromStr<Err: Display>,
    {
        self.find(key).map(|_| self.parse(key)).transpose()
    }

    /// The trace that the record belongs to. One that cannot be read is none.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.parse_some(TRACE_PARENT).ok().flatten()
    }

    /// The last part of the type, behind that of the aggregate.
    pub(crate) fn name(&self, aggregate: &AggregateKey) -> Result<&'a str, Unreadable> {
        let kind = self.text("ce_type")?;
        kind.strip_prefix(aggregate.aggregate_type())
            .and_then(|rest| rest.strip_prefix('.'))
            .ok_or_else(|| format!("the type {kind} is not one of {aggregate}"))
    }
}
