//! Replies that get lost at either end.

use std::sync::{Arc, Mutex};

use ordain_model::ReplyAddress;
use ordain_ports::contract::samples::{aggregate, request};
use ordain_ports::{Answer, Replies as _, Reply, ReplySender as _, ReplySink};
use ordain_testkit::World;
use ordain_testkit::faulty::{Replies, ReplySender};

#[derive(Default)]
struct Inbox(Mutex<(Vec<u64>, usize)>);

impl ReplySink for Inbox {
    fn reply(&self, reply: Reply) {
        self.0.lock().unwrap().0.push(reply.to.nonce);
    }

    fn lost(&self) {
        self.0.lock().unwrap().1 += 1;
    }
}

#[tokio::test]
async fn the_next_replies_get_lost_at_either_end() {
    let world = World::new(1);
    let sender = ReplySender::new(world.home.reply_sender());
    let replies = Replies::new(world.home.replies());
    let inbox = Arc::new(Inbox::default());
    let channel = replies.subscribe(inbox.clone()).await.unwrap();
    let send = |nonces: std::ops::Range<u64>| {
        let reply = |nonce| Reply {
            to: ReplyAddress { channel: channel.clone(), nonce },
            aggregate: aggregate("a"),
            request: request("r1"),
            answer: Answer::LookUp,
        };
        sender.send(nonces.map(reply).collect());
    };
    send(0..2);
    sender.lose(1);
    send(2..4);
    replies.lose(2);
    send(4..8);
    sender.lose(usize::MAX);
    send(8..10);
    sender.lose(0);
    send(10..11);
    assert_eq!(inbox.0.lock().unwrap().0, [0, 1, 3, 6, 7, 10]);
    assert_eq!(sender.asked().len(), 11);
    replies.tell_lost();
    assert_eq!(inbox.0.lock().unwrap().1, 1);
    let gone = Arc::downgrade(&inbox);
    drop(inbox);
    assert!(gone.upgrade().is_none(), "the wrapper keeps a sink alive");
}
