//! The workers' end: a queue that is never waited for, and one task that empties it.

use std::sync::Arc;
use std::time::Duration;

use ordain_ports::{Error, Reply, ReplySender};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;
use crate::client::{Client, Connection, Failure, ping};
use crate::frame;
use crate::queue::{Batch, Message, Queue};

/// The handle that workers send through. When it is dropped, what waits is still sent.
pub(crate) struct Sender {
    queue: Arc<Queue>,
    /// Every reply channel begins with this; others are not ours to send to.
    begins: String,
}

impl Sender {
    pub(crate) fn start(client: Arc<Client>, begins: String, runtime: &Handle) -> Self {
        let settings = client.settings();
        let queue = Arc::new(Queue::new(settings.queue_replies_max, settings.queue_bytes_max));
        runtime.spawn(run(client, Arc::clone(&queue)));
        Self { queue, begins }
    }

    fn message(&self, reply: &Reply) -> Option<Message> {
        let channel = &reply.to.channel;
        if !channel.starts_with(&self.begins) {
            count_dropped("foreign", 1);
            return None;
        }
        match frame::reply(reply) {
            Ok(payload) => Some(Message { channel: Arc::clone(channel), payload }),
            Err(error) => {
                count_dropped("unwritable", 1);
                tracing::warn!(%error, "a reply cannot be written");
                None
            }
        }
    }
}

impl ReplySender for Sender {
    fn send(&self, replies: Vec<Reply>) {
        let messages: Vec<Message> =
            replies.iter().filter_map(|reply| self.message(reply)).collect();
        if !messages.is_empty() {
            count_dropped("full", self.queue.put(messages));
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn count_dropped(why: &'static str, count: usize) {
    metrics::counter!("ordain_redis_dropped_replies", "why" => why).increment(count as u64);
}

/// Sends what is put into the queue until that is closed; connects again whenever it has to.
async fn run(client: Arc<Client>, queue: Arc<Queue>) {
    let mut backoff = Backoff::new(client.settings().backoff_ms_max);
    let mut is_known_down = false;
    let name = format!("{}.sender", client.settings().prefix);
    loop {
        let failure = match client.connect(&name, None).await {
            Ok(mut connection) => {
                if is_known_down {
                    tracing::info!("replies are sent again");
                }
                is_known_down = false;
                backoff = Backoff::new(client.settings().backoff_ms_max);
                match send(&mut connection, &queue, client.settings().ping_ms).await {
                    Ok(()) => return,
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        };
        if queue.is_closed() {
            return;
        }
        if !is_known_down {
            let error = Error::from(failure);
            tracing::warn!(%error, "replies cannot be sent");
        }
        is_known_down = true;
        metrics::counter!("ordain_redis_retries", "what" => "send").increment(1);
        sleep(backoff.pause()).await;
    }
}

/// Sends until the queue is closed and empty, or the connection breaks.
async fn send(connection: &mut Connection, queue: &Queue, ping_ms: u64) -> Result<(), Failure> {
    let ping_ms = Duration::from_millis(ping_ms);
    loop {
        match timeout(ping_ms, queue.take()).await {
            Ok(Some(batch)) => {
                if let Err(failure) = publish(connection, &batch).await {
                    // Some may have gone through; who waits for the others has to be told.
                    count_dropped("broken", batch.messages.len());
                    let channels = batch.messages.into_iter().map(|message| message.channel);
                    queue.put_lost(channels.chain(batch.lost));
                    return Err(failure);
                }
            }
            Ok(None) => return Ok(()),
            // Asked while idle, so that a dead connection is found before it is needed.
            Err(_) => ping(connection).await?,
        }
    }
}

/// Sends all of it in one pipeline.
async fn publish(connection: &mut Connection, batch: &Batch) -> Result<(), Failure> {
    let mut pipeline = redis::Pipeline::with_capacity(batch.messages.len() + batch.lost.len());
    let mut add = |channel: &str, payload: &[u8]| {
        pipeline.cmd("PUBLISH").arg(channel).arg(payload).ignore();
    };
    for message in &batch.messages {
        add(&message.channel, &message.payload);
    }
    if let Ok(lost) = frame::lost() {
        batch.lost.iter().for_each(|channel| add(channel, &lost));
    }
    pipeline.exec_async(connection).await?;
    metrics::histogram!("ordain_redis_pipeline_replies").record(batch.messages.len() as f64);
    Ok(())
}
