//! Builds that break one promise each, and the load and the faults under which each is caught. One
//! that is not caught shows a hole in the proof.

mod ending;
mod short_lives;
mod steps;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use steps::Step;

use ordain_testkit::services;

use super::{Load, Run};
use crate::{Fleet, OwnServices};

/// A build that breaks one promise.
#[derive(Debug)]
pub struct Mutant {
    /// Its name: that of its crash point, without `broken-`.
    pub name: &'static str,
    /// What it does wrong.
    pub breaks: &'static str,
    /// Further crash points that its fleet runs with: what fails around it.
    with: &'static str,
    /// What its fleet goes through, one after the other.
    steps: &'static [Step],
    /// It is caught by an anomaly of one of these kinds.
    kinds: &'static [&'static str],
}

/// What became of a mutant.
#[derive(Debug)]
pub struct Caught {
    /// For how long its fleet was under load, its start included.
    pub load: Duration,
    /// Which of the kinds that may catch it were found, and how often; none when it got away.
    pub by: Vec<(String, u64)>,
    /// Every kind that was found.
    pub found: Vec<(String, u64)>,
    /// Whether its fleet came to rest. One that did not is judged by its logs and commits alone.
    pub rests: bool,
}

impl Mutant {
    /// Every mutant.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        table::ALL
    }

    /// Those that are none: they go through most of what the others go through, and nothing may be
    /// found.
    #[must_use]
    pub const fn controls() -> &'static [Self] {
        table::CONTROLS
    }

    /// The crash points of wrong variants that a test of its own catches, each with that.
    #[must_use]
    pub const fn elsewhere() -> &'static [(&'static str, &'static str)] {
        table::ELSEWHERE
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|mutant| mutant.name == name)
    }

    /// Runs it under load until it has gone through what it is to be caught by.
    ///
    /// # Panics
    /// When its fleet does not start, or a crash point is not met.
    pub async fn catch(&self, seed: u64) -> Caught {
        // Building it is no load.
        let _built = crate::broken_binary();
        let own = if let Some(server) = self.steps.iter().find_map(Step::hits) {
            let own = OwnServices::of(&[server]).await;
            let is_cut_off = self.steps.iter().any(Step::cuts_mongodb_off);
            Some(if is_cut_off { own.with_secondaries().await } else { own })
        } else {
            None
        };
        let shared = own.as_ref().map_or_else(services, |own| own.services().clone());
        let begun = Instant::now();
        let failpoints = format!("broken-{}=return;{}", self.name, self.with);
        let failpoints = failpoints.trim_end_matches(';');
        let mut run =
            Run::start(Arc::new(Fleet::on(&shared)), (None, Load::small(seed)), failpoints).await;
        let mut seen = Vec::new();
        if run.gets_on(run.first_answers()).await {
            for step in self.steps {
                seen.extend(step.take(&mut run, own.as_ref()).await);
            }
        }
        let load = begun.elapsed();
        let judged = run.judged().await;
        let mut found = judged.found;
        found.extend(seen.into_iter().map(|kind| (kind.to_owned(), 1)));
        let is_of = |(kind, _): &&(String, u64)| self.kinds.contains(&kind.as_str());
        let by = found.iter().filter(is_of).cloned().collect();
        Caught { load, by, found, rests: judged.rests }
    }
}
