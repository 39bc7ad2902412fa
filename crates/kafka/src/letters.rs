//! The topic of dead letters, for tools that follow it. Where they are kept and looked up is
//! another port's.

use ordain_model::TENANT_DEFAULT;
use ordain_ports::{DeadLetter, Error};
use rdkafka::message::OwnedHeaders;
use tokio::sync::oneshot;

use crate::cloud_event::Writer;
use crate::fault::Fault;
use crate::producer::{Listener, Outgoing, Replaceable, Told};
use crate::topics::Topics;
use crate::{Settings, broker};

/// So much of why a letter is one goes into its record.
const WHY_BYTES_MAX: usize = 2_048;

/// The topic of dead letters.
pub struct DeadLetterTopic {
    topic: String,
    producer: Replaceable<Awaited>,
}

/// Waits for one letter's acknowledgement.
struct Awaited(oneshot::Sender<Told>);

impl Listener for Awaited {
    fn tell(self, told: Told) {
        // Whoever put the letter may have gone; then nobody wants to know.
        drop(self.0.send(told));
    }
}

impl std::fmt::Debug for DeadLetterTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetterTopic").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl DeadLetterTopic {
    pub(crate) fn new(settings: &Settings, topics: &Topics) -> Result<Self, Fault> {
        let mut config = broker::producer_config(settings)?;
        config.set("message.timeout.ms", settings.publish_ms_max.to_string());
        Ok(Self { topic: topics.deadletters.clone(), producer: Replaceable::new(config)? })
    }

    /// Appends these letters, each under its id, and waits until all are acknowledged. A letter
    /// that is put again is appended again.
    ///
    /// # Errors
    /// Some letters may not be in the topic: put all of them again.
    pub async fn put(&self, letters: &[DeadLetter]) -> Result<(), Error> {
        let mut waiting = Vec::new();
        for letter in letters {
            let (sender, receiver) = oneshot::channel();
            let id = letter.id.to_string();
            let record = || Outgoing {
                topic: &self.topic,
                partition: None,
                key: &id,
                value: &letter.data,
                headers: headers(letter, &id),
            };
            let sent = self.producer.send(record, Awaited(sender));
            sent.map_err(|(error, _)| Fault::of("putting a dead letter")(error))?;
            waiting.push(receiver);
        }
        for told in waiting {
            let told = told.await.map_err(|_| Fault::BrokenOff)?;
            told.map_err(Fault::of("putting a dead letter"))?;
        }
        Ok(())
    }
}

fn headers(letter: &DeadLetter, id: &str) -> OwnedHeaders {
    let tenant = letter.named.as_ref().map_or(TENANT_DEFAULT, |(aggregate, _)| aggregate.tenant());
    let source = format!("/ordain/{tenant}");
    let named = letter.named.as_ref();
    let subject = named.map(|(about, _)| format!("{}/{}", about.aggregate_type(), about.id()));
    Writer::new(id, &source, "ordain.dead-letter", letter.time)
        .with_some("ce_subject", subject.as_ref())
        .with_some("ce_requestid", named.map(|(_, request)| request))
        .with_some("ce_command", letter.command.as_ref())
        .with("ce_code", letter.code.as_str())
        .with("ce_why", cut(&letter.why))
        .finish()
}

/// As much of a text as goes into a header.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WHY_BYTES_MAX)).unwrap_or(text)
}
