//! One command on its way into the log of requests.

use ordain_model::{Command, Timestamp};
use ordain_ports::{
    Clock as _, Content, Delivered, DeliveryPromise, NotAccepted, Position, SystemClock,
};

use crate::batch::Batch;
use crate::log::Entry;
use crate::record;

/// A record to be appended to the log of requests, and whom to tell.
pub(crate) struct Append {
    position: Position,
    value: Vec<u8>,
    entry: Option<Entry<Command>>,
    promise: DeliveryPromise,
}

impl Append {
    /// A record for this partition.
    pub(crate) fn new(
        partition: u32,
        payload: &[u8],
        content: Content<Command>,
        promise: DeliveryPromise,
    ) -> Self {
        let time = now();
        let position = Position { partition, offset: 0 };
        let entry = Entry { offset: 0, time, bytes: payload.len(), content };
        Self { position, value: record::timed(time, payload), entry: Some(entry), promise }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.value.len()
    }

    /// Puts the record behind the last one of its partition.
    pub(crate) fn stage(&mut self, batch: &mut Batch) {
        if let Some(entry) = self.entry.take() {
            let value = std::mem::take(&mut self.value);
            self.position.offset = batch.append_request(self.position.partition, value, entry);
        }
    }

    /// It is durable and shown.
    pub(crate) fn finish(self) {
        self.promise.fulfil(Delivered::At(self.position));
    }

    /// It was not written and never will be.
    pub(crate) fn refuse(self) {
        self.promise.fulfil(Delivered::Not(NotAccepted::NoSpace));
    }
}

/// The time of a record is that of the machine, which is the appender.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
