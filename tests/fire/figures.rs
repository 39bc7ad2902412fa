//! Figures of a run, out of what clients wrote down: how long each command took to its outcome, and
//! what that was like while something failed.

use std::collections::{BTreeMap, HashMap};

use ordain_checker::history::Line;
use ordain_tests::faults::Blow;

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Of a whole run.
pub(crate) struct Figures {
    /// Outcomes in each second.
    pub(crate) per_second: Vec<u64>,
    /// Of all commands.
    pub(crate) all: Waits,
    /// Of the commands that were on their way while something failed, by its kind and name.
    pub(crate) during: BTreeMap<(&'static str, String), During>,
}

/// How long commands took from their first call to their first outcome, sorted, in nanoseconds.
#[derive(Default)]
pub(crate) struct Waits(Vec<u64>);

/// While faults of one name were made.
#[derive(Default)]
pub(crate) struct During {
    pub(crate) count: usize,
    /// How long the faults took, together.
    pub(crate) took: u64,
    pub(crate) waits: Waits,
    /// The longest time in which nobody got an outcome.
    pub(crate) silence: u64,
    /// How many outcomes there were.
    pub(crate) outcomes: usize,
}

impl Waits {
    /// Of these, in nanoseconds.
    pub(crate) fn of(mut waits: Vec<u64>) -> Self {
        waits.sort_unstable();
        Self(waits)
    }

    /// The wait that this share of the commands does not pass, in milliseconds.
    pub(crate) fn milliseconds(&self, share: f64) -> f64 {
        let place = (share * self.0.len() as f64) as usize;
        let wait = self.0.get(place.min(self.0.len().saturating_sub(1)));
        wait.map_or(0.0, |wait| *wait as f64 / 1e6)
    }

    fn sort(&mut self) {
        self.0.sort_unstable();
    }
}

impl Figures {
    /// Reads a history.
    pub(crate) fn of(lines: impl Iterator<Item = Line>, blows: &[Blow]) -> Self {
        let commands = commands(lines);
        let mut outcomes: Vec<u64> = commands.iter().map(|(_, ended)| *ended).collect();
        outcomes.sort_unstable();
        let mut per_second = Vec::new();
        for at in &outcomes {
            let second = (at / SECOND) as usize;
            per_second.resize(per_second.len().max(second + 1), 0);
            per_second[second] += 1;
        }
        let all = Waits::of(commands.iter().map(|(begun, ended)| ended - begun).collect());
        let mut during: BTreeMap<_, During> = BTreeMap::new();
        for blow in blows {
            let of = during.entry((blow.kind, blow.name.clone())).or_default();
            of.add((blow.begun, blow.ended.unwrap_or(blow.begun)), &commands, &outcomes);
        }
        during.values_mut().for_each(|during| during.waits.sort());
        Self { per_second, all, during }
    }
}

impl During {
    fn add(&mut self, (begun, ended): (u64, u64), commands: &[(u64, u64)], outcomes: &[u64]) {
        self.count += 1;
        self.took += ended - begun;
        // Sorted by when they began; who began long before may still be on its way.
        let until = commands.partition_point(|(first, _)| *first < ended);
        let on_their_way = commands[..until].iter().filter(|(_, last)| *last > begun);
        self.waits.0.extend(on_their_way.map(|(first, last)| last - first));
        let (from, to) = (
            outcomes.partition_point(|at| *at < begun),
            outcomes.partition_point(|at| *at < ended),
        );
        self.outcomes += to - from;
        let around = &outcomes[from.saturating_sub(1)..outcomes.len().min(to + 1)];
        let longest = around.windows(2).map(|two| two[1] - two[0]).max();
        self.silence = self.silence.max(longest.unwrap_or_default());
    }
}

/// When each command was first called for and when its first outcome came, by when it began.
fn commands(lines: impl Iterator<Item = Line>) -> Vec<(u64, u64)> {
    let mut numbers = HashMap::new();
    let mut calls: HashMap<u64, usize> = HashMap::new();
    let mut commands: Vec<(u64, Option<u64>)> = Vec::new();
    for line in lines {
        match line {
            Line::Call(call) => {
                let name = (call.operation.aggregate(), call.operation.request);
                let number = *numbers.entry(name).or_insert_with(|| {
                    commands.push((call.at, None));
                    commands.len() - 1
                });
                calls.insert(call.call, number);
            }
            Line::Answer(answer) => {
                let number = calls.remove(&answer.call);
                let command = number.and_then(|number| commands.get_mut(number));
                if let (Some(command), Some(_)) = (command, answer.told) {
                    command.1.get_or_insert(answer.at);
                }
            }
            _ => {}
        }
    }
    let ended = commands.into_iter().filter_map(|(begun, ended)| Some((begun, ended?)));
    let mut commands: Vec<(u64, u64)> = ended.collect();
    commands.sort_unstable();
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_while_something_fails_counts_to_it() {
        // Begun and ended, in seconds.
        let commands: Vec<_> = [(1, 2), (3, 9), (4, 5), (10, 11)]
            .map(|(begun, ended)| (begun * SECOND, ended * SECOND))
            .to_vec();
        let mut outcomes: Vec<u64> = commands.iter().map(|(_, ended)| *ended).collect();
        outcomes.sort_unstable();
        let mut during = During::default();
        during.add((6 * SECOND, 8 * SECOND), &commands, &outcomes);
        during.waits.sort();
        assert_eq!((during.count, during.took, during.outcomes), (1, 2 * SECOND, 0));
        assert_eq!(during.waits.0, [6 * SECOND], "one was on its way");
        assert_eq!(during.silence, 4 * SECOND, "from the outcome before to the one behind");
        during.add((0, 2 * SECOND + 1), &commands, &outcomes);
        assert_eq!((during.count, during.outcomes), (2, 1));
        assert_eq!(during.silence, 4 * SECOND, "the longest");
    }

    #[test]
    fn a_share_of_the_waits_is_read_off_their_order() {
        let waits = Waits((1..=100).map(|wait| wait * 1_000_000).collect());
        let read = [0.0, 0.5, 0.99, 1.0].map(|share| waits.milliseconds(share));
        assert_eq!(read, [1.0, 51.0, 100.0, 100.0]);
        assert_eq!(Waits::default().milliseconds(0.5), 0.0);
    }
}
