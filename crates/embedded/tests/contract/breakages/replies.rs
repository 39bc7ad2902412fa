//! Reply channels that break a promise.

use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use async_trait::async_trait;
use ordain_ports::{Answer, Error, Replies, Reply, ReplySender, ReplySink};

use crate::broken::Breakage;

super::caught! {
    a_sender_that_waits: Waits, replies::sending_never_waits, "waited";
    a_channel_that_reaches_everyone: ReachesEveryone,
        replies::a_reply_reaches_only_the_process_it_names, "assertion";
    a_channel_that_shortens_replies: Shortens,
        replies::a_reply_arrives_as_it_was_sent, "a reply was changed";
    a_channel_that_loses_the_first_reply: LosesSome,
        replies::a_reply_sent_right_after_subscribing_arrives, "waited";
    a_channel_that_outlives_its_sink: KeepsSinks,
        replies::a_channel_ends_with_its_sink, "waited";
    a_channel_that_is_given_twice: GivesOneChannel,
        replies::no_channel_is_given_twice, "a channel was given twice";
    a_channel_that_loses_in_silence: LosesSome,
        replies::a_flood_arrives_or_is_told_to_be_lost, "waited";
    a_channel_that_does_not_tell_of_an_interruption: LosesSome,
        replies::a_loss_is_told_after_an_interruption, "waited";
}

#[derive(Default)]
struct Waits;

struct Slow(Arc<dyn ReplySender>, Mutex<bool>);

impl Breakage for Waits {
    fn sender(self: &Arc<Self>, port: Arc<dyn ReplySender>) -> Arc<dyn ReplySender> {
        Arc::new(Slow(port, Mutex::new(false)))
    }
}

impl ReplySender for Slow {
    fn send(&self, replies: Vec<Reply>) {
        if !std::mem::replace(&mut *self.1.lock().expect("lock"), true) {
            sleep(Duration::from_secs(6));
        }
        self.0.send(replies);
    }
}

#[derive(Default)]
struct ReachesEveryone(Arc<Mutex<Vec<Arc<dyn ReplySink>>>>);

struct Everyone(Arc<Mutex<Vec<Arc<dyn ReplySink>>>>, Arc<dyn Replies>);

impl Breakage for ReachesEveryone {
    fn sender(self: &Arc<Self>, _: Arc<dyn ReplySender>) -> Arc<dyn ReplySender> {
        struct Sender(Arc<Mutex<Vec<Arc<dyn ReplySink>>>>);
        impl ReplySender for Sender {
            fn send(&self, replies: Vec<Reply>) {
                for sink in self.0.lock().expect("lock").iter() {
                    replies.iter().for_each(|reply| sink.reply(reply.clone()));
                }
            }
        }
        Arc::new(Sender(Arc::clone(&self.0)))
    }

    fn replies(self: &Arc<Self>, port: Arc<dyn Replies>) -> Arc<dyn Replies> {
        Arc::new(Everyone(Arc::clone(&self.0), port))
    }
}

#[async_trait]
impl Replies for Everyone {
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error> {
        self.0.lock().expect("lock").push(Arc::clone(&sink));
        self.1.subscribe(sink).await
    }
}

#[derive(Default)]
struct Shortens;

struct Short(Arc<dyn ReplySender>);

impl Breakage for Shortens {
    fn sender(self: &Arc<Self>, port: Arc<dyn ReplySender>) -> Arc<dyn ReplySender> {
        Arc::new(Short(port))
    }
}

impl ReplySender for Short {
    fn send(&self, mut replies: Vec<Reply>) {
        for reply in &mut replies {
            reply.answer = Answer::LookUp;
        }
        self.0.send(replies);
    }
}

/// Loses the first reply of every hundred.
#[derive(Default)]
struct LosesSome;

struct Lossy(Arc<dyn ReplySender>, Mutex<u64>);

impl Breakage for LosesSome {
    fn sender(self: &Arc<Self>, port: Arc<dyn ReplySender>) -> Arc<dyn ReplySender> {
        Arc::new(Lossy(port, Mutex::new(0)))
    }
}

impl ReplySender for Lossy {
    fn send(&self, mut replies: Vec<Reply>) {
        let mut sent = self.1.lock().expect("lock");
        replies.retain(|_| {
            *sent += 1;
            *sent % 100 != 1
        });
        self.0.send(replies);
    }
}

#[derive(Default)]
struct KeepsSinks(Arc<Mutex<Vec<Arc<dyn ReplySink>>>>);

impl Breakage for KeepsSinks {
    fn replies(self: &Arc<Self>, port: Arc<dyn Replies>) -> Arc<dyn Replies> {
        Arc::new(Everyone(Arc::clone(&self.0), port))
    }
}

#[derive(Default)]
struct GivesOneChannel;

struct One(Arc<dyn Replies>);

impl Breakage for GivesOneChannel {
    fn replies(self: &Arc<Self>, port: Arc<dyn Replies>) -> Arc<dyn Replies> {
        Arc::new(One(port))
    }
}

#[async_trait]
impl Replies for One {
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error> {
        self.0.subscribe(sink).await?;
        Ok(Arc::from("the channel"))
    }
}
