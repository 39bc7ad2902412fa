//! Feeds and lanes that break a promise.

use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordain_model::Command;
use ordain_ports::{Content, Error, Feed, Input, Lane};

use crate::broken::{Breakage, Forgets};

super::caught! {
    a_feed_that_begins_at_the_end: BeginsAtTheEnd,
        feed::a_lane_begins_at_the_beginning<Requests>, "waited";
    a_feed_that_begins_at_the_beginning: ForgetsProgress,
        feed::a_lane_begins_at_the_saved_progress<Requests>, "the progress of";
    a_feed_that_forgets: Forgets,
        feed::saved_progress_never_goes_back<Requests>, "saved progress was lost";
    a_feed_that_forgets_old_partitions: Forgets,
        feed::new_partitions_are_read_from_the_beginning, "the progress of partition";
    a_lane_that_ignores_the_limit_of_records: IgnoresLimits,
        feed::next_keeps_to_its_limit_of_records, "more records than";
    a_lane_that_ignores_the_limit_of_bytes: IgnoresLimits,
        feed::next_keeps_to_its_limit_of_bytes, "records of";
    a_lane_that_gives_nothing_instead_of_waiting: GivesNothing,
        feed::an_empty_lane_waits_for_records<Requests>, "there was nothing to read";
    a_lane_that_gives_nothing_at_the_end: GivesNothing,
        feed::a_lane_begins_at_a_progress_at_the_end, "there was nothing to read";
    a_lane_that_does_one_thing_at_a_time: OneThingAtATime,
        feed::a_waiting_lane_can_be_saved_through<Requests>, "waited";
    a_member_that_lacks_a_partition: HidesALane,
        feed::a_member_alone_has_every_partition<Requests>, "waited";
    a_partition_that_is_given_once_only: GivesLanesOnce,
        feed::a_member_without_partition_takes_over, "waited";
    a_partition_that_nobody_reads_on: GivesLanesOnce,
        feed::a_partition_is_read_on_by_its_next_member, "waited";
    a_lane_that_loses_what_is_abandoned: LosesWhatIsAbandoned,
        feed::an_abandoned_next_loses_nothing<Requests>, "waited";
    a_feed_that_loses_a_lane_that_is_not_waited_for: LosesWhatIsAbandoned,
        feed::an_abandoned_wait_for_a_lane_loses_none<Requests>, "waited";
    a_lane_that_passes_over_damaged_records: PassesOverDamaged,
        feed::a_damaged_record_is_given_in_its_place, "waited";
    a_lane_that_does_not_tell_that_it_is_revoked: IsNeverRevoked,
        feed::a_revoked_lane_reads_revoked<Requests>, "waited";
    a_lane_that_stays_beside_its_successor: IsNeverRevoked,
        feed::a_dropped_feed_is_a_crash<Requests>, "two lanes that are not revoked";
    a_lane_that_stays_beside_its_successor_in_the_flow: IsNeverRevoked,
        feed::members_come_and_go_while_records_flow<Requests>, "two lanes of";
    a_lane_that_cannot_save_once_revoked: CannotSaveOnceRevoked,
        feed::a_revoked_lane_may_save_until_it_is_dropped<Requests>, "may still save";
    a_lane_that_saves_though_fenced: SavesThroughAll,
        feed::a_lane_that_is_not_dropped_is_fenced<Requests>, "saved through a fenced lane";
    a_lane_that_saves_though_its_feed_crashed: SavesThroughAll,
        feed::a_dropped_feed_is_a_crash<Requests>, "saved through a fenced lane";
    a_lane_that_reports_what_it_has_not_saved: SavesThroughAll,
        feed::a_new_lane_begins_at_or_above_every_reported_save, "waited";
    a_partition_that_moves_before_its_lane_is_dropped: CrashesInsteadOfLeaving,
        feed::leaving_revokes_all_lanes<Requests>, "a revoked lane may still save";
    a_lane_that_is_given_once_only: GivesLanesOnce,
        feed::a_dropped_lane_is_given_out_again<Requests>, "waited";
    a_second_member_that_gets_nothing: GivesLanesOnce,
        feed::two_members_share_the_partitions<Requests>, "waited";
}

/// A way to break lanes: what it leaves alone goes through.
#[async_trait]
trait BrokenLanes: Send + Sync + 'static {
    async fn lane(
        &self,
        feed: &mut Box<dyn Feed<Command>>,
    ) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
        feed.lane().await
    }

    fn leave(&self, feed: &mut Box<dyn Feed<Command>>) {
        feed.leave();
    }

    async fn next(
        &self,
        lane: &dyn Lane<Command>,
        limits: (usize, usize),
    ) -> Result<Input<Command>, Error> {
        lane.next(limits.0, limits.1).await
    }

    async fn save(&self, lane: &dyn Lane<Command>, progress: u64) -> Result<(), Error> {
        lane.save(progress).await
    }

    fn progress(&self, progress: Option<u64>) -> Option<u64> {
        progress
    }

    fn is_revoked(&self, is_revoked: bool) -> bool {
        is_revoked
    }
}

struct WrappedFeed<B> {
    feed: Box<dyn Feed<Command>>,
    how: Arc<B>,
}

#[async_trait]
impl<B: BrokenLanes> Feed<Command> for WrappedFeed<B> {
    async fn lane(&mut self) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
        let how = Arc::clone(&self.how);
        let lane = self.how.lane(&mut self.feed).await?;
        Ok(lane.map(|lane| Box::new(WrappedLane { lane, how }) as _))
    }

    fn leave(&mut self) {
        self.how.leave(&mut self.feed);
    }
}

struct WrappedLane<B> {
    lane: Box<dyn Lane<Command>>,
    how: Arc<B>,
}

#[async_trait]
impl<B: BrokenLanes> Lane<Command> for WrappedLane<B> {
    fn partition(&self) -> u32 {
        self.lane.partition()
    }

    fn progress(&self) -> Option<u64> {
        self.how.progress(self.lane.progress())
    }

    async fn next(&self, records: usize, bytes: usize) -> Result<Input<Command>, Error> {
        self.how.next(&*self.lane, (records, bytes)).await
    }

    async fn save(&self, progress: u64) -> Result<(), Error> {
        self.how.save(&*self.lane, progress).await
    }

    fn is_revoked(&self) -> bool {
        self.how.is_revoked(self.lane.is_revoked())
    }
}

macro_rules! broken_lanes {
    ($($name:ident)*) => {$(
        impl Breakage for $name {
            fn requests(self: &Arc<Self>, feed: Box<dyn Feed<Command>>) -> Box<dyn Feed<Command>> {
                Box::new(WrappedFeed { feed, how: Arc::clone(self) })
            }
        }
    )*};
}

broken_lanes! {
    BeginsAtTheEnd ForgetsProgress IgnoresLimits GivesNothing LosesWhatIsAbandoned
    PassesOverDamaged IsNeverRevoked SavesThroughAll CannotSaveOnceRevoked
    CrashesInsteadOfLeaving GivesLanesOnce
    OneThingAtATime HidesALane
}

#[derive(Default)]
struct BeginsAtTheEnd;

#[async_trait]
impl BrokenLanes for BeginsAtTheEnd {
    async fn lane(
        &self,
        feed: &mut Box<dyn Feed<Command>>,
    ) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
        let lane = feed.lane().await?;
        if let Some(lane) = &lane {
            // Whatever is there before the lane was given out is passed over.
            let all = Duration::from_millis(100);
            while let Ok(Ok(_)) = tokio::time::timeout(all, lane.next(1_000, 1 << 30)).await {}
        }
        Ok(lane)
    }
}

#[derive(Default)]
struct ForgetsProgress;

impl BrokenLanes for ForgetsProgress {
    fn progress(&self, _: Option<u64>) -> Option<u64> {
        None
    }
}

#[derive(Default)]
struct IgnoresLimits;

#[async_trait]
impl BrokenLanes for IgnoresLimits {
    async fn next(
        &self,
        lane: &dyn Lane<Command>,
        _: (usize, usize),
    ) -> Result<Input<Command>, Error> {
        lane.next(1 << 30, 1 << 30).await
    }
}

#[derive(Default)]
struct GivesNothing;

#[async_trait]
impl BrokenLanes for GivesNothing {
    async fn next(
        &self,
        lane: &dyn Lane<Command>,
        limits: (usize, usize),
    ) -> Result<Input<Command>, Error> {
        let moment = Duration::from_millis(1);
        let read = tokio::time::timeout(moment, lane.next(limits.0, limits.1)).await;
        read.unwrap_or(Ok(Input::Records(vec![])))
    }
}

#[derive(Default)]
struct LosesWhatIsAbandoned;

#[async_trait]
impl BrokenLanes for LosesWhatIsAbandoned {
    async fn lane(
        &self,
        feed: &mut Box<dyn Feed<Command>>,
    ) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
        // A lane in this holder is not given back when the waiting is abandoned.
        let lane = feed.lane().await?.map(ManuallyDrop::new);
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(lane.map(ManuallyDrop::into_inner))
    }

    async fn next(
        &self,
        lane: &dyn Lane<Command>,
        limits: (usize, usize),
    ) -> Result<Input<Command>, Error> {
        let input = lane.next(limits.0, limits.1).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        input
    }
}

#[derive(Default)]
struct PassesOverDamaged;

#[async_trait]
impl BrokenLanes for PassesOverDamaged {
    async fn next(
        &self,
        lane: &dyn Lane<Command>,
        limits: (usize, usize),
    ) -> Result<Input<Command>, Error> {
        let mut input = lane.next(limits.0, limits.1).await;
        if let Ok(Input::Records(records)) = &mut input {
            records.retain(|record| matches!(record.content, Content::Whole(_)));
        }
        input
    }
}

#[derive(Default)]
struct IsNeverRevoked;

impl BrokenLanes for IsNeverRevoked {
    fn is_revoked(&self, _: bool) -> bool {
        false
    }
}

#[derive(Default)]
struct SavesThroughAll;

#[async_trait]
impl BrokenLanes for SavesThroughAll {
    async fn save(&self, lane: &dyn Lane<Command>, progress: u64) -> Result<(), Error> {
        drop(lane.save(progress).await);
        Ok(())
    }
}

#[derive(Default)]
struct CannotSaveOnceRevoked;

#[async_trait]
impl BrokenLanes for CannotSaveOnceRevoked {
    async fn save(&self, lane: &dyn Lane<Command>, progress: u64) -> Result<(), Error> {
        if lane.is_revoked() {
            return Err(Error::new(ordain_ports::Action::Stop, "revoked"));
        }
        lane.save(progress).await
    }
}

#[derive(Default)]
struct CrashesInsteadOfLeaving;

impl BrokenLanes for CrashesInsteadOfLeaving {
    fn leave(&self, feed: &mut Box<dyn Feed<Command>>) {
        struct Left;
        #[async_trait]
        impl Feed<Command> for Left {
            async fn lane(&mut self) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
                Ok(None)
            }
            fn leave(&mut self) {}
        }
        *feed = Box::new(Left);
    }
}

/// Gives the lanes of the first member as they come, and none that is given out later.
#[derive(Default)]
struct GivesLanesOnce(Mutex<HashSet<u32>>);

#[async_trait]
impl BrokenLanes for GivesLanesOnce {
    async fn lane(
        &self,
        feed: &mut Box<dyn Feed<Command>>,
    ) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
        loop {
            let lane = feed.lane().await?;
            let Some(lane) = lane else { return Ok(None) };
            if self.0.lock().expect("lock").insert(lane.partition()) {
                return Ok(Some(lane));
            }
            std::mem::forget(lane);
        }
    }
}

/// A save waits for the reading that is under way.
#[derive(Default)]
struct OneThingAtATime(tokio::sync::Mutex<()>);

#[async_trait]
impl BrokenLanes for OneThingAtATime {
    async fn next(
        &self,
        lane: &dyn Lane<Command>,
        limits: (usize, usize),
    ) -> Result<Input<Command>, Error> {
        let _alone = self.0.lock().await;
        lane.next(limits.0, limits.1).await
    }

    async fn save(&self, lane: &dyn Lane<Command>, progress: u64) -> Result<(), Error> {
        let _alone = self.0.lock().await;
        lane.save(progress).await
    }
}

#[derive(Default)]
struct HidesALane;

#[async_trait]
impl BrokenLanes for HidesALane {
    async fn lane(
        &self,
        feed: &mut Box<dyn Feed<Command>>,
    ) -> Result<Option<Box<dyn Lane<Command>>>, Error> {
        loop {
            let lane = feed.lane().await?;
            match lane {
                Some(lane) if lane.partition() == 0 => std::mem::forget(lane),
                lane => return Ok(lane),
            }
        }
    }
}
