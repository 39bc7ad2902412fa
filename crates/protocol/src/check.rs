//! Explores a configuration to its end and reports what was found.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::thread;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, Model, Property};

use crate::configuration::Configuration;
use crate::cycle::has_cycle;
use crate::model::Protocol;
use crate::way;

/// What exploring a configuration has found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The configuration's name.
    pub name: &'static str,
    /// How many different states there are.
    pub states: usize,
    /// How many states the longest way that was walked has.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Per property: whether it holds, or, of what is to be met, whether it was met.
    pub results: BTreeMap<&'static str, Found>,
}

/// What was found of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It holds in every state.
    Holds,
    /// It does not: a shortest way to a state in which it does not, step by step.
    Broken(Vec<String>),
    /// What is to be met is met.
    Met,
    /// What is to be met never is.
    NeverMet,
}

impl Report {
    /// The promises that are broken.
    pub fn broken(&self) -> Vec<&'static str> {
        self.having(|found| matches!(found, Found::Broken(_)))
    }

    /// What was to be met and never is.
    pub fn never_met(&self) -> Vec<&'static str> {
        self.having(|found| *found == Found::NeverMet)
    }

    fn having(&self, wanted: impl Fn(&Found) -> bool) -> Vec<&'static str> {
        let results = self.results.iter();
        results.filter(|(_, found)| wanted(found)).map(|(name, _)| *name).collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        writeln!(f, "{}: {} states, depth {}, {seconds:.1} s", self.name, self.states, self.depth)?;
        for (name, found) in &self.results {
            match found {
                Found::Holds => writeln!(f, "  holds      {name}")?,
                Found::Met => writeln!(f, "  met        {name}")?,
                Found::NeverMet => writeln!(f, "  NEVER MET  {name}")?,
                Found::Broken(way) => {
                    writeln!(f, "  BROKEN     {name}")?;
                    way.iter().try_for_each(|step| writeln!(f, "               {step}"))?;
                }
            }
        }
        Ok(())
    }
}

/// How an exploration is run.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many threads explore.
    pub threads: usize,
    /// How often `progress` is told the number of states so far.
    pub every: Duration,
}

/// Explores all states of a configuration.
pub fn explore(configuration: Configuration) -> Report {
    let started = Instant::now();
    let checker = Protocol { configuration }.checker().spawn_bfs().join();
    report(&checker, started)
}

/// Whether a run of the configuration can go on for ever.
pub fn can_go_on_for_ever(configuration: Configuration) -> bool {
    has_cycle(&Protocol { configuration })
}

/// Explores all states of a large configuration, depth first, which needs far less memory.
pub fn explore_deep(
    configuration: Configuration,
    effort: Effort,
    mut progress: impl FnMut(usize, Duration),
) -> Report {
    let started = Instant::now();
    let mut checker = Protocol { configuration }.checker().threads(effort.threads).spawn_dfs();
    let handles = checker.handles();
    let mut told = Instant::now();
    while !handles.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(20));
        if told.elapsed() >= effort.every {
            told = Instant::now();
            progress(checker.unique_state_count(), started.elapsed());
        }
    }
    // Joining hands on the panic of a thread instead of reporting what it had not explored.
    for handle in handles {
        if let Err(panic) = handle.join() {
            std::panic::resume_unwind(panic);
        }
    }
    report(&checker, started)
}

fn report(checker: &impl Checker<Protocol>, started: Instant) -> Report {
    let discoveries = checker.discoveries();
    let took = started.elapsed();
    let model = checker.model();
    let results = model.properties().into_iter().map(|property| {
        let discovered = discoveries.contains_key(property.name);
        let found = match (discovered, &property.expectation) {
            (true, Expectation::Sometimes) => Found::Met,
            (false, Expectation::Sometimes) => Found::NeverMet,
            (true, _) => Found::Broken(shortest_way(model, &property)),
            (false, _) => Found::Holds,
        };
        (property.name, found)
    });
    Report {
        name: model.configuration.name,
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        results: results.collect(),
        took,
    }
}

/// The steps of a shortest way to a state in which the property does not hold.
fn shortest_way(model: &Protocol, property: &Property<Protocol>) -> Vec<String> {
    let way = way::shortest(model, |state| !(property.condition)(model, state));
    way.unwrap_or_default().iter().map(|action| format!("{action:?}")).collect()
}
