//! Keepers of heartbeats that break a promise.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_ports::{Error, Heartbeat, Heartbeats};

use crate::broken::Breakage;

super::caught! {
    heartbeats_of_which_the_earliest_stays: KeepsTheEarliest,
        heartbeats::the_last_heartbeat_of_each_member_is_given, "the last heartbeats";
    heartbeats_that_replace_later_ones: KeepsTheNewcomer,
        heartbeats::an_earlier_heartbeat_never_replaces_a_later_one, "the last heartbeats";
    heartbeats_at_once_that_replace_later_ones: KeepsTheEarliest,
        heartbeats::the_latest_of_many_heartbeats_at_once_stays, "the last heartbeats";
    members_that_come_back: KeepsTheNewcomer,
        heartbeats::who_has_left_is_not_given, "the last heartbeats";
    members_that_never_leave: KeepsTheEarliest,
        heartbeats::who_has_left_is_not_given, "the last heartbeats";
}

/// What is kept, whatever came before and whoever has left.
type Kept = Mutex<Vec<Heartbeat>>;

#[derive(Default)]
struct KeepsTheEarliest(Arc<Earliest>);

#[derive(Default)]
struct Earliest(Kept);

impl Breakage for KeepsTheEarliest {
    fn heartbeats(self: &Arc<Self>, _: Arc<dyn Heartbeats>) -> Arc<dyn Heartbeats> {
        self.0.clone()
    }
}

#[async_trait]
impl Heartbeats for Earliest {
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), Error> {
        let mut kept = self.0.lock().expect("kept");
        match kept.iter_mut().find(|one| one.member == heartbeat.member) {
            Some(one) if heartbeat.beat < one.beat => *one = heartbeat,
            Some(_) => {}
            None => kept.push(heartbeat),
        }
        Ok(())
    }

    async fn leave(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn beats(&self) -> Result<Vec<Heartbeat>, Error> {
        Ok(self.0.lock().expect("kept").clone())
    }
}

#[derive(Default)]
struct KeepsTheNewcomer(Arc<Newcomer>);

#[derive(Default)]
struct Newcomer(Kept);

impl Breakage for KeepsTheNewcomer {
    fn heartbeats(self: &Arc<Self>, _: Arc<dyn Heartbeats>) -> Arc<dyn Heartbeats> {
        self.0.clone()
    }
}

#[async_trait]
impl Heartbeats for Newcomer {
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), Error> {
        self.leave(&heartbeat.member).await?;
        self.0.lock().expect("kept").push(heartbeat);
        Ok(())
    }

    async fn leave(&self, member: &str) -> Result<(), Error> {
        self.0.lock().expect("kept").retain(|one| one.member != member);
        Ok(())
    }

    async fn beats(&self) -> Result<Vec<Heartbeat>, Error> {
        Ok(self.0.lock().expect("kept").clone())
    }
}
