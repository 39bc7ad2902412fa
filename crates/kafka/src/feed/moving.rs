//! Partitions that come and go. The driver waits for each step until it is carried out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;

use super::clerk::{Question, from};
use super::handover::{Move, carry_out};
use super::lane::is_kept_for_ever;
use super::session::{AGAIN, End, Session};
use super::slot::{Seat, Slot};
use crate::fault::Fault;
use crate::record::Recorded;

/// A step that is being carried out.
pub(crate) struct Moving {
    step: Move,
    partitions: Vec<u32>,
    stage: Stage,
}

enum Stage {
    /// The progress of those that come is being asked for.
    Asking,
    /// It is to be asked for again then.
    Ask(Instant),
    /// The lanes of those that go may go on until then.
    LettingGo(Instant),
}

impl Moving {
    /// Whether this partition is going.
    pub(crate) fn takes(&self, partition: u32) -> bool {
        matches!(self.step, Move::Go(_)) && self.partitions.contains(&partition)
    }

    pub(crate) fn into_step(self) -> Move {
        self.step
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<u32> {
    list.elements().iter().filter_map(|one| u32::try_from(one.partition()).ok()).collect()
}

impl<R: Recorded> Session<'_, R> {
    /// Goes on with what is moving, as far as it can.
    pub(super) fn advance_moves(&mut self) -> Result<(), End> {
        loop {
            if self.moving.is_none() {
                let Some(step) = self.consumer.context().take() else { return Ok(()) };
                self.begin(step);
            }
            let is_over = match self.moving.as_ref().map(|moving| &moving.stage) {
                Some(Stage::LettingGo(until)) => self.let_go(*until)?,
                Some(Stage::Ask(when)) if Instant::now() >= *when => self.ask()?,
                Some(Stage::Ask(_) | Stage::Asking) | None => false,
            };
            if !is_over {
                return Ok(());
            }
        }
    }

    fn begin(&mut self, step: Move) {
        let (list, stage) = match &step {
            Move::Come(list) => (list, Stage::Ask(Instant::now())),
            Move::Go(list) => {
                let longest = Duration::from_millis(self.run.settings.revoke_ms_max);
                (list, Stage::LettingGo(Instant::now() + longest))
            }
        };
        let partitions = partitions(list);
        if matches!(step, Move::Go(_)) && !is_kept_for_ever() {
            for slot in partitions.iter().filter_map(|partition| self.slots.get(partition)) {
                if let Some(hold) = slot.hold() {
                    hold.revoke();
                }
            }
            self.take_back_untaken(|partition| partitions.contains(&partition));
        }
        let coming = matches!(step, Move::Come(_));
        tracing::info!(topic = self.run.topic, ?partitions, coming, "kafka_partitions_moving");
        self.moving = Some(Moving { step, partitions, stage });
    }

    /// Asks for the progress of those that come; says whether there was nothing to ask.
    fn ask(&mut self) -> Result<bool, End> {
        let Some(moving) = &mut self.moving else { return Ok(false) };
        if moving.partitions.is_empty() {
            self.come(&BTreeMap::new())?;
            return Ok(true);
        }
        if let Move::Come(list) = &moving.step {
            moving.stage = Stage::Asking;
            self.clerk.ask(Question::Saved(list.clone()));
        }
        Ok(false)
    }

    /// The progress of those that come is known, or could not be learned.
    pub(super) fn hear_saved(
        &mut self,
        saved: KafkaResult<BTreeMap<u32, Option<u64>>>,
    ) -> Result<(), End> {
        match saved {
            Ok(saved) => self.come(&saved),
            Err(error) => {
                tracing::warn!(%error, "kafka_progress_not_read");
                if let Some(moving) = &mut self.moving {
                    moving.stage = Stage::Ask(Instant::now() + AGAIN);
                }
                Ok(())
            }
        }
    }

    /// Takes partitions over, and gives their lanes out.
    fn come(&mut self, saved: &BTreeMap<u32, Option<u64>>) -> Result<(), End> {
        let Some(moving) = self.moving.take() else { return Ok(()) };
        let mut list = TopicPartitionList::with_capacity(moving.partitions.len());
        for partition in &moving.partitions {
            let progress = saved.get(partition).copied().flatten();
            let number = i32::try_from(*partition).unwrap_or(i32::MAX);
            let added = list.add_partition_offset(&self.run.topic, number, from(progress));
            added.map_err(failed("naming a partition"))?;
            // Before the driver begins to fetch, or records leak into the main queue.
            let queue = self.consumer.split_partition_queue(&self.run.topic, number);
            let Some(mut queue) = queue else {
                let topic = self.run.topic.clone();
                return Err(End::Failed(Fault::NoTopic(topic)));
            };
            let desk = Arc::clone(&self.run.desk);
            queue.set_nonempty_callback(move || desk.wake());
            let lane = Seat::Free(Instant::now() + AGAIN);
            self.slots.insert(*partition, Slot::new(queue, progress, lane));
        }
        let carried = carry_out(&self.consumer, &Move::Come(list));
        carried.map_err(failed("taking partitions over"))?;
        self.run.standing.accepted();
        if self.leaving.is_none() {
            for partition in &moving.partitions {
                if let Some(slot) = self.slots.get_mut(partition) {
                    slot.give(*partition, self.run);
                }
            }
        }
        self.count_lanes();
        Ok(())
    }

    /// Lets partitions go once their lanes are dropped or have had their time; says whether they
    /// are gone.
    fn let_go(&mut self, until: Instant) -> Result<bool, End> {
        let is_over = Instant::now() >= until || self.consumer.assignment_lost();
        let Some(moving) = &self.moving else { return Ok(false) };
        let mut all_gone = true;
        let kept = |_: &&u32| !is_kept_for_ever();
        for partition in moving.partitions.iter().filter(kept) {
            let Some(slot) = self.slots.get(partition) else { continue };
            if let Some(hold) = slot.hold()
                && is_over
            {
                hold.fence();
                self.saves.fence(*partition);
            }
            // What is under way must have ended before another begins where it ends.
            all_gone &= slot.is_let_go() && !self.saves.has(*partition);
        }
        if !all_gone {
            return Ok(false);
        }
        let Some(moving) = self.moving.take() else { return Ok(false) };
        for partition in &moving.partitions {
            if let Some(slot) = self.slots.remove(partition)
                && let Some(hold) = slot.hold()
                && !is_kept_for_ever()
            {
                hold.fence();
            }
        }
        carry_out(&self.consumer, &moving.step).map_err(failed("letting partitions go"))?;
        self.count_lanes();
        Ok(true)
    }

    fn count_lanes(&self) {
        let lanes = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let topic = self.run.topic.clone();
        metrics::gauge!("ordain_kafka_lanes", "topic" => topic).set(f64::from(lanes));
    }
}

fn failed(what: &'static str) -> impl FnOnce(rdkafka::error::KafkaError) -> End {
    move |error| End::Failed(Fault::of(what)(error))
}
