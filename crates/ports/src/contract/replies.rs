//! The contract of both ends of the reply channel.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use ordain_model::ReplyAddress;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::samples::{Line, aggregate, request};
use super::world::{never, until, within};
use super::{Channels, Setup};
use crate::{Answer, Reply, ReplySink};

/// Keeps what arrives.
#[derive(Debug, Default)]
struct Inbox(watch::Sender<Arrived>);

#[derive(Debug, Default)]
struct Arrived {
    replies: Vec<Reply>,
    losses: usize,
}

impl ReplySink for Inbox {
    fn reply(&self, reply: Reply) {
        self.0.send_modify(|arrived| arrived.replies.push(reply));
    }

    fn lost(&self) {
        self.0.send_modify(|arrived| arrived.losses += 1);
    }
}

impl Inbox {
    /// Waits until so many replies have arrived; gives all that have.
    async fn replies<W: Channels>(&self, count: usize) -> Vec<Reply> {
        let mut arrived = self.0.subscribe();
        let enough = arrived.wait_for(|arrived| arrived.replies.len() >= count);
        let arrived = within::<W, _>(&format!("{count} replies"), enough).await.expect("open");
        arrived.replies.clone()
    }
}

/// A waiting process: its channel and what arrives there.
struct Process {
    channel: Arc<str>,
    inbox: Arc<Inbox>,
}

async fn process<W: Channels>(world: &W) -> Process {
    let inbox = Arc::new(Inbox::default());
    let channel = world.replies().await.subscribe(inbox.clone()).await.expect("subscribes");
    Process { channel, inbox }
}

fn to(channel: &Arc<str>, nonce: u64) -> Reply {
    Reply {
        to: ReplyAddress { channel: channel.clone(), nonce },
        aggregate: aggregate("a"),
        request: request("r1"),
        answer: Answer::LookUp,
    }
}

fn nonces(replies: &[Reply]) -> Vec<u64> {
    replies.iter().map(|reply| reply.to.nonce).collect()
}

/// Promise 1: sending returns at once, to whomever, however much: it is called where nothing may
/// wait, and nobody needs to receive.
pub async fn sending_never_waits<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (one, sender) = (process(&world).await, world.sender().await);
    let gone: Arc<str> = {
        let gone = process(&world).await;
        gone.channel
    };
    let nobody = Arc::from("nobody");
    // In a blocking thread, because a send that waits would otherwise stop the test's own clock.
    let sending = tokio::task::spawn_blocking(move || {
        for round in 0..200 {
            let channels = [&one.channel, &gone, &nobody];
            let many = (0..100).flat_map(|_| channels).map(|channel| to(channel, round));
            sender.send(many.collect());
        }
        sender.send(vec![]);
    });
    within::<W, _>("sending without anyone to receive", sending).await.expect("sends");
}

/// Promise 2: a reply arrives at the process whose channel it names and at no other; one to a
/// channel that nobody has arrives nowhere and does no harm.
pub async fn a_reply_reaches_only_the_process_it_names<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (one, other) = (process(&world).await, process(&world).await);
    let sender = world.sender().await;
    let mut unlike = one.channel.to_string();
    unlike.push('0');
    let strange = [Arc::from(""), Arc::from("*"), Arc::from(unlike)];
    for nonce in 0..50 {
        let mut replies: Vec<Reply> = strange.iter().map(|channel| to(channel, 999)).collect();
        replies.push(to(&one.channel, nonce));
        replies.push(to(&other.channel, 100 + nonce));
        sender.send(replies);
    }
    let (own, others) = (one.inbox.replies::<W>(50).await, other.inbox.replies::<W>(50).await);
    assert_eq!(nonces(&own).into_iter().collect::<BTreeSet<_>>(), (0..50).collect());
    assert_eq!(nonces(&others).into_iter().collect::<BTreeSet<_>>(), (100..150).collect());
    let more =
        async { one.inbox.0.subscribe().wait_for(|all| all.replies.len() > 50).await.is_ok() };
    never::<W, _>("a reply to another process arrived", more).await;
}

/// Promise 3: a reply arrives as it was sent, with the whole commit, event data byte for byte.
pub async fn a_reply_arrives_as_it_was_sent<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let process = process(&world).await;
    let mut line = Line::of("a");
    let commits = [line.success(3), line.refusal(), line.success(0)];
    let mut sent: Vec<Reply> = commits
        .iter()
        .map(|commit| Reply {
            to: ReplyAddress { channel: process.channel.clone(), nonce: u64::MAX },
            aggregate: commit.aggregate.clone(),
            request: commit.request.clone(),
            answer: Answer::Commit(commit.clone()),
        })
        .collect();
    sent.push(to(&process.channel, 0));
    world.sender().await.send(sent.clone());
    let mut arrived = process.inbox.replies::<W>(4).await;
    let place = |reply: &Reply| sent.iter().position(|one| one == reply);
    arrived.sort_by_key(place);
    assert_eq!(arrived, sent, "a reply was changed on its way");
}

/// Promise 4: what is sent as soon as `subscribe` has returned arrives, though nobody waits.
pub async fn a_reply_sent_right_after_subscribing_arrives<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let sender = world.sender().await;
    for nonce in 0..20 {
        let process = process(&world).await;
        sender.send(vec![to(&process.channel, nonce)]);
        let arrived = process.inbox.replies::<W>(1).await;
        assert_eq!(nonces(&arrived), [nonce]);
    }
}

/// Promise 4: the channel lives as long as its sink: when who made it has dropped it, it is gone,
/// and so is the sink.
pub async fn a_channel_ends_with_its_sink<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (one, other) = (process(&world).await, process(&world).await);
    let (sender, gone): (_, Weak<Inbox>) = (world.sender().await, Arc::downgrade(&one.inbox));
    let channel = one.channel.clone();
    drop(one);
    until::<W, _, _>("the end of a sink that its owner has dropped", || {
        sender.send(vec![to(&channel, 1)]);
        let is_gone = gone.upgrade().is_none();
        async move { is_gone.then_some(()) }
    })
    .await;
    sender.send(vec![to(&channel, 2), to(&other.channel, 3)]);
    assert_eq!(nonces(&other.inbox.replies::<W>(1).await), [3], "the other channel suffered");
}

/// Promise 5: no two subscriptions have the same channel, at once, in turn or after a restart.
pub async fn no_channel_is_given_twice<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut running = JoinSet::new();
    for _ in 0..30 {
        let replies = world.replies().await;
        running.spawn(async move {
            replies.subscribe(Arc::new(Inbox::default())).await.expect("subscribes")
        });
    }
    let mut channels: Vec<Arc<str>> = running.join_all().await;
    let world = world.restart(Setup::DEFAULT).await;
    for _ in 0..30 {
        channels.push(process(&world).await.channel);
    }
    let different: BTreeSet<_> = channels.iter().cloned().collect();
    assert_eq!(different.len(), channels.len(), "a channel was given twice");
}

/// Promise 6: of a flood, all replies arrive, or the sink is told that some may be lost.
pub async fn a_flood_arrives_or_is_told_to_be_lost<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (process, sender) = (process(&world).await, world.sender().await);
    let count = 100_000;
    for nonce in 0..count {
        sender.send(vec![to(&process.channel, nonce)]);
    }
    let mut arrived = process.inbox.0.subscribe();
    let complete = |all: &Arrived| all.losses > 0 || all.replies.len() as u64 == count;
    let waiting = arrived.wait_for(complete);
    drop(within::<W, _>("all replies, or to be told of a loss", waiting).await);
}

/// Promise 6: after an interruption the channel carries replies again, and where any of those sent
/// meanwhile got lost, the sink has been told.
pub async fn a_loss_is_told_after_an_interruption<W: Channels>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (process, sender) = (process(&world).await, world.sender().await);
    let sending = async {
        for nonce in 0..100 {
            sender.send(vec![to(&process.channel, nonce)]);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(sending, world.interrupt());
    until::<W, _, _>("a reply after the interruption", || {
        sender.send(vec![to(&process.channel, 1_000)]);
        let arrived = process.inbox.0.borrow().replies.iter().any(|r| r.to.nonce == 1_000);
        async move { arrived.then_some(()) }
    })
    .await;
    let told = |all: &Arrived| {
        let early = all.replies.iter().filter(|reply| reply.to.nonce < 100).count();
        all.losses > 0 || early == 100
    };
    let mut arrived = process.inbox.0.subscribe();
    let waiting = arrived.wait_for(told);
    drop(within::<W, _>("all replies, or to be told of a loss", waiting).await);
}
