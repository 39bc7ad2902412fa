//! What the suites write: commands, commits and rows, with contents that a careless adapter would
//! change.

use std::sync::Arc;

use ordain_model::{
    AggregateKey, Code, Command, Commit, Event, Fingerprint, Json, Name, Outcome, ReplyAddress,
    RequestId, SchemaHash, Source, Timestamp, TraceContext,
};

/// White space, escapes, order of members and digits that reading and writing again would change.
pub const ODD_JSON: &str = "{ \"b\":\t1.0, \"a\": [1e2, -0, 0.10, null], \"\\u0061b\": \
     \"\\/\\u00e9 ü \\ud83d\\ude00\", \"$oid\": {\"$date\": \"x.y\"}, \"big\": \
     9223372036854775807, \"small\": -9223372036854775808 }";

/// A JSON text as it stands.
#[must_use]
pub fn json(text: &str) -> Json {
    Json::try_from(text.to_owned()).expect("the suite's own texts are JSON")
}

/// An aggregate of the suites.
#[must_use]
pub fn aggregate(id: &str) -> AggregateKey {
    AggregateKey::new("default", "account", id).expect("the suite's own ids are ids")
}

/// A request id of the suites.
#[must_use]
pub fn request(id: &str) -> RequestId {
    id.parse().expect("the suite's own ids are ids")
}

/// A name of the suites.
#[must_use]
pub fn name(text: &str) -> Name {
    text.parse().expect("the suite's own names are names")
}

/// A time of the suites: so many nanoseconds after a fixed one.
#[must_use]
pub fn time(nanoseconds: u64) -> Timestamp {
    let after = i64::try_from(nanoseconds).expect("a small number");
    Timestamp::from_nanoseconds(1_777_777_777_000_000_001).plus_nanoseconds(after)
}

/// The hash of some schema; another number, another schema.
#[must_use]
pub fn schema(number: u32) -> SchemaHash {
    format!("{number:032x}").parse().expect("32 digits")
}

/// A place in some trace; another number, another span.
#[must_use]
pub fn trace(span: u64) -> TraceContext {
    let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span:016x}-01");
    text.parse().expect("the suite's own traces are traces")
}

/// A command of `to` under this request id.
#[must_use]
pub fn command(to: &AggregateKey, id: &RequestId) -> Command {
    Command {
        aggregate: to.clone(),
        request: id.clone(),
        name: name("deposit"),
        schema: schema(7),
        data: json(ODD_JSON),
        fingerprint: Fingerprint::of_unreadable(id.as_str().as_bytes()),
        expected_sequence: Some(u64::from(u32::MAX) + 1),
        deadline: Some(time(1)),
        reply_to: ReplyAddress { channel: Arc::from("api-7/ü"), nonce: u64::MAX },
        time: time(2),
        trace: Some(trace(7)),
    }
}

/// A command with a body of about so many bytes.
#[must_use]
pub fn large_command(to: &AggregateKey, id: &RequestId, bytes: usize) -> Command {
    Command { data: json(&format!("\"{}\"", "x".repeat(bytes))), ..command(to, id) }
}

/// The line of commits of one aggregate, as the engine would write them.
#[derive(Debug, Clone)]
pub struct Line {
    aggregate: AggregateKey,
    revision: u64,
    sequence: u64,
}

impl Line {
    /// The line of an aggregate that nothing has happened to.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self { aggregate: aggregate(id), revision: 0, sequence: 0 }
    }

    /// Whose line it is.
    #[must_use]
    pub const fn aggregate(&self) -> &AggregateKey {
        &self.aggregate
    }

    /// The next commit, a success with so many events, under a request id that names its revision.
    pub fn success(&mut self, events: u64) -> Arc<Commit> {
        let id = request(&format!("r{}", self.revision + 1));
        self.success_of(&id, events)
    }

    /// The next commit, a success with so many events.
    pub fn success_of(&mut self, id: &RequestId, events: u64) -> Arc<Commit> {
        self.commit(id, Outcome::Success, events)
    }

    /// The next commit, a refusal, under a request id that names its revision.
    pub fn refusal(&mut self) -> Arc<Commit> {
        let id = request(&format!("r{}", self.revision + 1));
        self.commit(&id, Outcome::Fail(Code::new("INSUFFICIENT_FUNDS")), 0)
    }

    /// The next commit.
    pub fn commit(&mut self, id: &RequestId, outcome: Outcome, events: u64) -> Arc<Commit> {
        self.revision += 1;
        let events: Vec<Event> = (1..=events).map(|nth| self.event(nth)).collect();
        self.sequence += events.len() as u64;
        Arc::new(Commit {
            aggregate: self.aggregate.clone(),
            request: id.clone(),
            command: name("deposit"),
            fingerprint: Fingerprint::of_unreadable(id.as_str().as_bytes()),
            revision: self.revision,
            sequence: self.sequence,
            outcome,
            events,
            time: time(self.revision * 1_000),
            source: Source { partition: 1, offset: self.revision + 10, nonce: u64::MAX },
            // Every other command belongs to a trace.
            trace: (self.revision % 2 == 1).then(|| trace(self.revision)),
        })
    }

    fn event(&self, nth: u64) -> Event {
        let sequence = self.sequence + nth;
        Event {
            sequence,
            name: name("deposited"),
            version: 3,
            data: json(&format!("[{sequence}, {ODD_JSON}]")),
            time: time(self.revision * 1_000 + nth),
        }
    }
}
