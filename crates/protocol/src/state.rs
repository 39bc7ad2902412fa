//! The whole world at one moment: the logs, the store, the lanes, the projectors, the answers
//! given.

use crate::command::{Aggregate, Body, Offset, Outcome, Request, Revision, Sequence, Worker};
use crate::configuration::{Configuration, Faults, Start};
use crate::follower::{Projector, View};
use crate::lane::{Lane, LaneName};
use crate::store::{Commit, Store, events_between, last_of};

/// How many worker processes there are: one that owns a partition and one that takes it over.
pub const WORKERS: Worker = 2;

/// An event on the event log; the log keeps one list per aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// The aggregate it is of.
    pub aggregate: Aggregate,
    /// Its number in the line of its aggregate.
    pub sequence: Sequence,
    /// The request whose commit holds it.
    pub request: Request,
}

/// What a client was told of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Answer {
    /// The aggregate the command was for.
    pub aggregate: Aggregate,
    /// The request id the command came with.
    pub request: Request,
    /// What the command asked for.
    pub body: Body,
    /// What was said.
    pub verdict: Verdict,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The stored outcome and the revision it is stored under.
    Decided(Outcome, Revision),
    /// Another command has this request id.
    KeyReused,
}

/// A state of the model.
///
/// The command log itself never changes: every command counts as accepted from the start, and which
/// of them a lane has seen is told by the progress and the batch of the lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Commits, and inserts whose sender no longer waits.
    pub store: Store,
    /// Per partition of the command log: the saved progress.
    pub progress: Vec<Offset>,
    /// Only for the properties: the highest progress that was ever saved.
    pub progress_shown: Vec<Offset>,
    /// Per partition of the command log: the worker it is assigned to.
    pub owners: Vec<Worker>,
    /// What each worker does and remembers for each partition, worker by worker.
    pub lanes: Vec<Lane>,
    /// Every distinct answer that anybody was given, sorted.
    pub answers: Vec<Answer>,
    /// Per aggregate: the event log. Where no follower reads, an event that is already there is
    /// not put there again, because no property looks at repeats.
    pub events: Vec<Vec<Event>>,
    /// The rows, marks and progress of the view, which folds aggregate 0.
    pub view: View,
    /// The two projectors of that view.
    pub projectors: Vec<Projector>,
    /// The one deadline that commands may carry has passed.
    pub deadline_passed: bool,
    /// The faults that may still happen.
    pub faults_left: Faults,
}

impl State {
    /// The state in which a configuration starts.
    pub fn start(configuration: &Configuration) -> Self {
        let partitions = configuration.requests.len();
        let aggregates = usize::from(configuration.aggregates());
        let mut state = Self {
            store: Store::empty(aggregates),
            progress: vec![0; partitions],
            progress_shown: vec![0; partitions],
            owners: (0..partitions).map(|partition| partition as Worker % WORKERS).collect(),
            lanes: vec![Lane::cold(aggregates); usize::from(WORKERS) * partitions],
            answers: Vec::new(),
            events: vec![Vec::new(); aggregates],
            view: View::empty(),
            projectors: vec![Projector::cold(0); usize::from(WORKERS)],
            deadline_passed: false,
            faults_left: configuration.faults,
        };
        if let Start::Handled { events } = &configuration.start {
            state.handle_all(configuration, events);
        }
        state
    }

    /// Puts the state behind the workers: all commands stored, durable and saved as progress, and
    /// `events` on the event log of aggregate 0.
    fn handle_all(&mut self, configuration: &Configuration, events: &[Sequence]) {
        for (partition, log) in configuration.requests.iter().enumerate() {
            for (offset, command) in log.iter().enumerate() {
                let source = (partition as u8, offset as Offset);
                let last = last_of(&self.store.commits, command.aggregate);
                let (revision, sequence) = last.map_or((0, 0), |l| (l.revision, l.sequence));
                self.store.commits.push(Commit::on(revision, sequence, *command, source));
            }
            self.progress[partition] = log.len() as Offset;
            self.progress_shown[partition] = log.len() as Offset;
        }
        self.store.durable = self.store.commits.len();
        let line = events_between(self.store.durable(), 0, 0..=Sequence::MAX);
        self.events[0] = events.iter().map(|sequence| line[usize::from(*sequence) - 1]).collect();
    }

    /// The lane of that name.
    pub fn lane(&self, name: LaneName) -> &Lane {
        &self.lanes[name.index(self.progress.len())]
    }

    /// The lane of that name, to be changed.
    pub fn lane_mut(&mut self, name: LaneName) -> &mut Lane {
        let index = name.index(self.progress.len());
        &mut self.lanes[index]
    }

    /// Whether the lane's worker is the one its partition is assigned to; if not and it still
    /// works, it is a zombie.
    pub fn owns(&self, name: LaneName) -> bool {
        self.owners[usize::from(name.partition)] == name.worker
    }

    /// Records that a client was told `answer`.
    pub fn tell(&mut self, answer: Answer) {
        if let Err(place) = self.answers.binary_search(&answer) {
            self.answers.insert(place, answer);
        }
    }

    /// The names of all lanes.
    pub fn lane_names(&self) -> impl Iterator<Item = LaneName> + use<> {
        let partitions = self.progress.len() as u8;
        (0..WORKERS).flat_map(move |worker| {
            (0..partitions).map(move |partition| LaneName { worker, partition })
        })
    }
}
