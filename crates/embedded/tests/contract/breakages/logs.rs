//! Command logs and event logs that break a promise.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{Command, Commit, Timestamp};
use ordain_ports::{CommandLog, Delivered, Delivery, Error, EventLog, NotAccepted, Position};

use crate::broken::{Breakage, Forgets};

super::caught! {
    a_log_that_forgets: Forgets,
        command_log::an_acknowledged_command_survives_a_restart, "not what was acknowledged";
    a_log_that_forgets_what_was_read: Forgets,
        command_log::what_was_read_survives_a_restart, "waited";
    a_log_that_forgets_ends: Forgets,
        command_log::ends_are_above_what_was_acknowledged, "after a restart";
    a_log_that_forgets_progress: Forgets,
        command_log::progress_is_above_what_was_saved, "saved progress was lost";
    a_log_that_appends_twice: AppendsTwice,
        command_log::an_acknowledged_command_survives_a_restart, "assertion";
    a_log_that_names_wrong_places: NamesWrongPlaces,
        command_log::commands_appended_at_once_are_all_read, "assertion";
    a_log_that_spreads_an_aggregate: SpreadsAggregates,
        command_log::commands_of_one_aggregate_stand_in_order, "an aggregate has moved";
    a_log_that_spreads_an_aggregate_in_a_hurry: SpreadsAggregates,
        command_log::an_aggregate_keeps_its_partition, "an aggregate has moved";
    a_log_that_keeps_what_it_refused: KeepsWhatItRefused,
        command_log::a_refused_command_is_never_in_the_log, "a refused command is in the log";
    a_log_that_refuses_nothing: RefusesNothing,
        command_log::a_refused_command_is_never_in_the_log, "has refused nothing";
    a_log_whose_ends_lag: EndsLag,
        command_log::ends_are_above_what_was_acknowledged, "an end is below";
    a_log_whose_progress_lags: EndsLag,
        command_log::progress_is_above_what_was_saved, "a saved progress is not shown";
    a_log_that_prunes_what_is_young: PrunesAll,
        command_log::pruning_leaves_what_is_young, "waited";
    a_log_that_forgets_what_it_should_not_prune: Forgets,
        command_log::pruning_leaves_what_is_not_done, "pruning took what is not done";
    a_log_that_begins_anew: Forgets,
        command_log::commands_are_read_once_between_two_saved_progresses, "each command once";
    a_log_that_loses_what_nobody_waits_for: AppendsNothing,
        command_log::a_command_whose_delivery_is_dropped_is_read, "waited";

    a_topic_that_forgets: Forgets,
        event_log::published_events_survive_a_restart, "waited";
    a_topic_that_is_turned_round: TurnsRound,
        event_log::events_of_one_aggregate_stand_in_order, "are not in the order given";
    a_topic_that_turns_each_commit_round: TurnsEventsRound,
        event_log::order_holds_beside_other_publishers, "events of";
    a_topic_that_loses_the_last_commit: LosesTheLast,
        event_log::a_large_call_is_published_whole, "waited";
    a_topic_that_drops_repeats_of_a_first_event: DropsRepeats,
        event_log::publishing_again_appends_again, "waited";
    a_topic_that_forgets_request_ids: ForgetsRequests,
        event_log::every_group_reads_events_as_they_were, "group view-a";
    a_topic_that_makes_up_events: MakesUpEvents,
        event_log::commits_without_events_are_passed_over, "assertion";
}

/// A way to break a command log: what it leaves alone goes through.
#[async_trait]
trait BrokenLog: Send + Sync + 'static {
    fn append(
        &self,
        port: &Arc<dyn CommandLog>,
        command: Command,
    ) -> Result<Delivery, NotAccepted> {
        port.append(command)
    }

    /// What it makes of the ends, and of the progress.
    fn number(&self, number: u64) -> u64 {
        number
    }

    fn before(&self, before: Timestamp) -> Timestamp {
        before
    }
}

struct Wrapped<B> {
    port: Arc<dyn CommandLog>,
    how: Arc<B>,
}

#[async_trait]
impl<B: BrokenLog> CommandLog for Wrapped<B> {
    fn append(&self, command: Command) -> Result<Delivery, NotAccepted> {
        self.how.append(&self.port, command)
    }

    async fn ends(&self) -> Result<Vec<u64>, Error> {
        let ends = self.port.ends().await?;
        Ok(ends.into_iter().map(|end| self.how.number(end)).collect())
    }

    async fn progress(&self) -> Result<Vec<Option<u64>>, Error> {
        let all = self.port.progress().await?;
        Ok(all.into_iter().map(|one| one.map(|progress| self.how.number(progress))).collect())
    }

    async fn prune(&self, before: Timestamp) -> Result<(), Error> {
        self.port.prune(self.how.before(before)).await
    }
}

macro_rules! broken_logs {
    ($($name:ident)*) => {$(
        #[derive(Default)]
        struct $name;

        impl Breakage for $name {
            fn command_log(self: &Arc<Self>, port: Arc<dyn CommandLog>) -> Arc<dyn CommandLog> {
                Arc::new(Wrapped { port, how: Arc::clone(self) })
            }
        }
    )*};
}

broken_logs! {
    AppendsTwice NamesWrongPlaces SpreadsAggregates KeepsWhatItRefused RefusesNothing EndsLag
    PrunesAll AppendsNothing
}

impl BrokenLog for AppendsTwice {
    fn append(
        &self,
        port: &Arc<dyn CommandLog>,
        command: Command,
    ) -> Result<Delivery, NotAccepted> {
        drop(port.append(command.clone())?);
        port.append(command)
    }
}

/// Passes a delivery on, changed.
fn changed(
    delivery: Delivery,
    change: impl FnOnce(Position) -> Position + Send + 'static,
) -> Delivery {
    let (promise, changed) = Delivery::new();
    tokio::spawn(async move {
        promise.fulfil(match delivery.await {
            Delivered::At(position) => Delivered::At(change(position)),
            other => other,
        });
    });
    changed
}

impl BrokenLog for NamesWrongPlaces {
    fn append(
        &self,
        port: &Arc<dyn CommandLog>,
        command: Command,
    ) -> Result<Delivery, NotAccepted> {
        let delivery = port.append(command)?;
        Ok(changed(delivery, |at| Position { offset: at.offset + 1, ..at }))
    }
}

impl BrokenLog for SpreadsAggregates {
    fn append(
        &self,
        port: &Arc<dyn CommandLog>,
        command: Command,
    ) -> Result<Delivery, NotAccepted> {
        let delivery = port.append(command)?;
        Ok(changed(delivery, |at| {
            let offset = u32::try_from(at.offset).expect("not that many");
            Position { partition: (at.partition + offset) % 2, ..at }
        }))
    }
}

impl BrokenLog for KeepsWhatItRefused {
    fn append(
        &self,
        port: &Arc<dyn CommandLog>,
        command: Command,
    ) -> Result<Delivery, NotAccepted> {
        let refused = port.append(command.clone());
        if refused.is_err() {
            let port = Arc::clone(port);
            tokio::spawn(async move {
                while port.append(command.clone()).is_err() {
                    tokio::task::yield_now().await;
                }
            });
        }
        refused
    }
}

impl BrokenLog for AppendsNothing {
    fn append(&self, _: &Arc<dyn CommandLog>, _: Command) -> Result<Delivery, NotAccepted> {
        Ok(Delivery::new().1)
    }
}

impl BrokenLog for RefusesNothing {
    fn append(
        &self,
        port: &Arc<dyn CommandLog>,
        command: Command,
    ) -> Result<Delivery, NotAccepted> {
        port.append(command).or_else(|_| {
            let (promise, delivery) = Delivery::new();
            promise.fulfil(Delivered::Unknown);
            Ok(delivery)
        })
    }
}

impl BrokenLog for EndsLag {
    fn number(&self, number: u64) -> u64 {
        number.saturating_sub(1)
    }
}

impl BrokenLog for PrunesAll {
    fn before(&self, _: Timestamp) -> Timestamp {
        Timestamp::from_nanoseconds(i64::MAX)
    }
}

/// A way to break an event log: what it makes of the commits of a call.
trait BrokenTopic: Send + Sync + 'static {
    fn commits(&self, commits: &[Arc<Commit>]) -> Vec<Arc<Commit>>;
}

struct WrappedTopic<B> {
    port: Arc<dyn EventLog>,
    how: Arc<B>,
}

#[async_trait]
impl<B: BrokenTopic> EventLog for WrappedTopic<B> {
    async fn publish(&self, commits: &[Arc<Commit>]) -> Result<(), Error> {
        self.port.publish(&self.how.commits(commits)).await
    }
}

macro_rules! broken_topics {
    ($($name:ident: |$commits:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $name;

        impl Breakage for $name {
            fn event_log(self: &Arc<Self>, port: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
                Arc::new(WrappedTopic { port, how: Arc::clone(self) })
            }
        }

        impl BrokenTopic for $name {
            fn commits(&self, commits: &[Arc<Commit>]) -> Vec<Arc<Commit>> {
                let $commits = commits.iter().map(|commit| Commit::clone(commit));
                let changed: Vec<Commit> = $change;
                changed.into_iter().map(Arc::new).collect()
            }
        }
    )*};
}

broken_topics! {
    TurnsRound: |commits| commits.rev().collect();
    TurnsEventsRound: |commits| commits.map(|mut commit| {
        commit.events.reverse();
        commit
    }).collect();
    LosesTheLast: |commits| {
        let mut all: Vec<Commit> = commits.collect();
        all.pop();
        all
    };
    DropsRepeats: |commits| {
        let all: Vec<Commit> = commits.collect();
        let first = usize::from(all.len() > 1);
        all[first..].to_vec()
    };
    ForgetsRequests: |commits| commits.map(|commit| Commit {
        request: "forgotten".parse().expect("an id"),
        ..commit
    }).collect();
    MakesUpEvents: |commits| {
        let mut all: Vec<Commit> = commits.collect();
        let events = all.iter().flat_map(|commit| commit.events.clone()).next();
        for commit in &mut all {
            if commit.events.is_empty() {
                commit.events.extend(events.clone());
            }
        }
        all
    };
}
