//! One membership of a group, from joining to leaving. Everything in it happens on one thread, one
//! turn after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::clerk::{Answer, Clerk, Question};
use super::handover::{Handover, Move, carry_out_or_log};
use super::lane::is_kept_for_ever;
use super::moving::Moving;
use super::saves::{Remedy, Saves, remedy};
use super::slot::{Seat, Slot};
use super::thread::Run;
use super::{Order, config};
use crate::broker;
use crate::fault::Fault;
use crate::record::Recorded;

/// So long the thread sleeps at most when nobody wakes it.
const IDLE: Duration = Duration::from_millis(50);
/// The same while it waits for a time to come.
const BUSY: Duration = Duration::from_millis(5);
/// So often the driver is asked in one turn for what it has to tell.
const TELLS: usize = 16;
/// So long until something is tried again that the driver did not do.
pub(super) const AGAIN: Duration = Duration::from_millis(100);

/// So long until a broker is asked again where a partition begins: others wait for the answer.
const BEGIN_AGAIN: Duration = Duration::from_secs(5);

/// One membership.
pub(crate) struct Session<'a, R> {
    pub(super) run: &'a Run<R>,
    pub(super) consumer: Arc<BaseConsumer<Handover>>,
    pub(super) clerk: Clerk,
    pub(super) slots: BTreeMap<u32, Slot<R>>,
    pub(super) moving: Option<Moving>,
    pub(super) saves: Saves,
    /// Until when the lanes of a member that leaves may go on.
    pub(super) leaving: Option<Instant>,
    /// When the last turn began.
    seen: Instant,
}

/// How a membership ends.
pub(crate) enum End {
    /// As it was told to.
    Left,
    /// By itself: another may follow.
    Failed(Fault),
}

impl<'a, R: Recorded> Session<'a, R> {
    /// Joins.
    pub(crate) fn start(run: &'a Run<R>) -> Result<Self, Fault> {
        fail::fail_point!("kafka-feed-start");
        let config = config::config(&run.settings, &run.group)?;
        let made = config.create_with_context(Handover::default());
        let mut consumer: BaseConsumer<Handover> = made.map_err(Fault::of("making a consumer"))?;
        let desk = Arc::clone(&run.desk);
        consumer.set_nonempty_callback(move || desk.wake());
        let consumer = Arc::new(consumer);
        let patience = broker::patience(&run.settings);
        let clerk = Clerk::start(&consumer, &run.topic, patience, &run.desk)?;
        consumer.subscribe(&[&run.topic]).map_err(Fault::of("subscribing to a topic"))?;
        Ok(Self {
            run,
            consumer,
            clerk,
            slots: BTreeMap::new(),
            moving: None,
            saves: Saves::new(Duration::from_millis(run.settings.save_pause_ms)),
            leaving: None,
            seen: Instant::now(),
        })
    }

    /// Is a member until told to be none, or until that fails.
    pub(crate) fn run(mut self) -> End {
        loop {
            match self.turn() {
                Ok(pause) => thread::park_timeout(pause),
                Err(end) => {
                    self.close();
                    return end;
                }
            }
        }
    }

    /// Does all that can be done now; says for how long there is nothing more to do.
    fn turn(&mut self) -> Result<Duration, End> {
        self.watch_clock()?;
        fail::fail_point!("kafka-feed-turn");
        self.listen()?;
        for order in self.run.desk.take_orders() {
            self.obey(order)?;
        }
        self.advance_moves()?;
        self.save();
        if self.is_done_leaving() {
            return Err(End::Left);
        }
        self.give_out_again();
        self.ask_begins();
        if self.fill_lanes() {
            return Ok(Duration::ZERO);
        }
        let waits = self.moving.is_some() || self.leaving.is_some() || !self.saves.is_empty();
        Ok(if waits { BUSY } else { IDLE })
    }

    /// A process that stood still for longer than its session has lost everything, though it may
    /// not have been told yet.
    fn watch_clock(&mut self) -> Result<(), End> {
        let stood_still = self.seen.elapsed();
        self.seen = Instant::now();
        let ms = self.run.settings.session_ms;
        if stood_still > Duration::from_millis(ms) && !is_kept_for_ever() {
            return Err(End::Failed(Fault::Late { what: "a turn of a feed", ms }));
        }
        Ok(())
    }

    /// Lets the driver tell what it has to tell. Nothing may mean that it has told something.
    fn listen(&self) -> Result<(), End> {
        for _ in 0..TELLS {
            let told = self.consumer.poll(Duration::ZERO);
            // Before an error that came behind it is heard.
            if self.consumer.context().was_member() {
                self.run.standing.is_member();
            }
            if self.consumer.context().was_away() {
                self.run.standing.is_away();
            }
            match told {
                None => {}
                // Every partition has a queue of its own, so this lane would have a gap.
                Some(Ok(message)) => {
                    let partition = message.partition();
                    tracing::warn!(partition, offset = message.offset(), "kafka_record_astray");
                    return Err(End::Failed(Fault::Astray));
                }
                Some(Err(error)) => self.hear(error)?,
            }
        }
        Ok(())
    }

    fn hear(&self, error: KafkaError) -> Result<(), End> {
        let code = error.rdkafka_error_code();
        let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_))
            || self.consumer.client().fatal_error().is_some();
        if is_fatal {
            let why = self.consumer.client().fatal_error().map(|(code, _)| code).or(code);
            return Err(End::Failed(match why {
                Some(RDKafkaErrorCode::FencedInstanceId) => Fault::SameInstance,
                _ => Fault::of("being a member of a group")(error),
            }));
        }
        if code == Some(RDKafkaErrorCode::PollExceeded) {
            // A driver that says so may never consume again, so it gets no chance to.
            return Err(End::Failed(Fault::of("being a member of a group")(error)));
        }
        let told = Fault::of("being a member of a group")(error);
        if told.needs_person() {
            self.run.standing.refused(&told);
        } else {
            tracing::debug!(told = told.told(), "kafka_consumer_told");
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Save { partition, lane, progress, told } => {
                let slot = self.slots.get(&partition).filter(|slot| slot.counting(lane));
                let answer = match slot {
                    None if is_kept_for_ever() => {
                        self.saves.add(partition, progress, told);
                        return Ok(());
                    }
                    None => Err(Fault::Fenced),
                    Some(slot) if slot.saved >= Some(progress) => Ok(()),
                    Some(_) => {
                        self.saves.add(partition, progress, told);
                        return Ok(());
                    }
                };
                // Who saved may have gone.
                drop(told.send(answer));
            }
            Order::Dropped { partition, lane } => self.dropped(partition, lane),
            Order::Leave => {
                self.run.desk.revoke_all();
                let longest = Duration::from_millis(self.run.settings.revoke_ms_max);
                self.leaving = Some(Instant::now() + longest);
                self.take_back_untaken(|_| true);
            }
            Order::Crash => return Err(End::Left),
            Order::Answer(answer) => self.hear_answer(answer)?,
        }
        Ok(())
    }

    fn dropped(&mut self, partition: u32, lane: u64) {
        self.run.desk.forget(lane);
        if let Some(slot) = self.slots.get_mut(&partition)
            && slot.hold().is_some_and(|hold| hold.id == lane)
        {
            slot.lane = Seat::Free(Instant::now());
        }
    }

    /// Lanes of these partitions that nobody has taken are as good as dropped.
    pub(super) fn take_back_untaken(&mut self, of: impl Fn(u32) -> bool) {
        let lanes = self.slots.values().filter_map(Slot::hold);
        let lanes: Vec<_> = lanes.map(|hold| (hold.partition, hold.id)).collect();
        for (partition, lane) in lanes {
            if of(partition) && self.run.desk.take_back(lane) {
                self.dropped(partition, lane);
            }
        }
    }

    fn hear_answer(&mut self, answer: Answer) -> Result<(), End> {
        match answer {
            Answer::Committed(Ok(())) => {
                self.run.standing.accepted();
                for (partition, progress) in self.saves.saved() {
                    if let Some(slot) = self.slots.get_mut(&partition) {
                        slot.saved = slot.saved.max(Some(progress));
                    }
                }
            }
            Answer::Committed(Err(error)) => {
                metrics::counter!("ordain_kafka_saves_failed").increment(1);
                match remedy(&error) {
                    Remedy::Fence if is_kept_for_ever() => {
                        self.saves.failed(Duration::from_secs(60), &error);
                    }
                    Remedy::Tell => self.saves.refused(&error),
                    Remedy::TryAgain => {
                        let ms = self.run.settings.save_ms_max;
                        self.saves.failed(Duration::from_millis(ms), &error);
                    }
                    Remedy::Fence => {
                        let failed = Fault::of("saving progress")(error.clone());
                        self.run.desk.fence_all();
                        self.saves.failed(Duration::ZERO, &error);
                        return Err(End::Failed(failed));
                    }
                }
            }
            Answer::Saved(saved) => self.hear_saved(saved)?,
            Answer::Begin { partition, lane, begin } => self.hear_begin(partition, lane, begin),
            Answer::Sought { partition, result } => self.sought(partition, result),
        }
        Ok(())
    }

    /// Sends the progress that waits, if none is on its way and the lanes still count.
    fn save(&mut self) {
        for (partition, slot) in &self.slots {
            if slot.hold().is_some_and(|hold| hold.is_fenced()) {
                self.saves.fence(*partition);
            }
        }
        if self.consumer.assignment_lost() && !is_kept_for_ever() {
            return;
        }
        let leaves = self.leaving.is_some() || self.moving.is_some();
        if let Some(progress) = self.saves.depart(&self.run.topic, leaves) {
            self.clerk.ask(Question::Commit(progress));
        }
    }

    /// Whether a member that leaves has nothing more to wait for.
    fn is_done_leaving(&self) -> bool {
        let Some(until) = self.leaving else { return false };
        if Instant::now() >= until {
            self.run.desk.fence_all();
        }
        self.saves.is_empty() && self.slots.values().all(Slot::is_let_go)
    }

    /// A lane that was dropped though nobody asked for it is given out again, once the driver has
    /// gone back to what is saved.
    fn give_out_again(&mut self) {
        if self.leaving.is_some() {
            return;
        }
        let now = Instant::now();
        for (partition, slot) in &mut self.slots {
            let is_free = matches!(slot.lane, Seat::Free(from) if from <= now);
            let goes = self.moving.as_ref().is_some_and(|moving| moving.takes(*partition));
            if is_free && !goes && !self.saves.has(*partition) {
                slot.lane = Seat::Seeking;
                self.clerk.ask(Question::Seek { partition: *partition, to: slot.saved });
            }
        }
    }

    /// Asks where partitions begin whose lanes are to be told.
    fn ask_begins(&mut self) {
        let now = Instant::now();
        for (&partition, slot) in &mut self.slots {
            if slot.ask_begin.take_if(|from| *from <= now).is_some()
                && let Some(hold) = slot.hold()
            {
                self.clerk.ask(Question::Begin { partition, lane: hold.id });
            }
        }
    }

    fn hear_begin(&mut self, partition: u32, lane: u64, begin: Result<u64, KafkaError>) {
        let Some(slot) = self.slots.get_mut(&partition) else { return };
        let Some(hold) = slot.hold().filter(|hold| hold.id == lane) else { return };
        match begin {
            Ok(begin) => hold.begins_at(begin),
            Err(error) => {
                tracing::debug!(%error, partition, "kafka_begin_not_known");
                slot.ask_begin = Some(Instant::now() + BEGIN_AGAIN);
            }
        }
    }

    fn sought(&mut self, partition: u32, result: Result<(), KafkaError>) {
        let goes = self.moving.as_ref().is_some_and(|moving| moving.takes(partition));
        let may_give = self.leaving.is_none() && !goes;
        let Some(slot) = self.slots.get_mut(&partition) else { return };
        match result {
            Ok(()) if may_give => {
                slot.give(partition, self.run);
            }
            Ok(()) => slot.lane = Seat::Free(Instant::now()),
            Err(error) => {
                tracing::debug!(%error, partition, "kafka_seek_failed");
                slot.lane = Seat::Free(Instant::now() + AGAIN);
            }
        }
    }

    /// Leaves the group. Nothing counts any more that a lane of this membership does.
    fn close(mut self) {
        fail::fail_point!("kafka-feed-close");
        self.run.desk.fence_all();
        self.consumer.context().close();
        // Waits for what is under way, so that nothing of it comes after the leaving.
        drop(self.clerk);
        self.slots.clear();
        let pending = self.moving.take().map(Moving::into_step);
        let more = std::iter::from_fn(|| self.consumer.context().take());
        let steps: Vec<Move> = pending.into_iter().chain(more).collect();
        for step in steps {
            carry_out_or_log(&self.consumer, &step);
        }
        // The last owner: closing it leaves the group.
        drop(self.consumer);
    }
}
