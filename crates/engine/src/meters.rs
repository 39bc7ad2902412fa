//! What is measured of the commands of a lane.

use std::sync::Arc;

use metrics::{Counter, Histogram, counter, histogram};
use ordain_model::{Code, Commit, Outcome};

/// The meters of the commands of a lane. They are looked up once a lane, not once a command.
pub(crate) struct Meters {
    /// How many commands a batch has.
    pub(crate) batch_commands: Histogram,
    success: Counter,
    fail: Counter,
    expired: Counter,
    rejected: Counter,
}

impl Meters {
    /// Those of the recorder that is installed now.
    pub(crate) fn new() -> Self {
        let commits =
            |outcome: &Outcome| counter!("ordain_engine_commits", "outcome" => outcome.name());
        let code = || Code::new("ANY");
        Self {
            batch_commands: histogram!("ordain_engine_batch_commands"),
            success: commits(&Outcome::Success),
            fail: commits(&Outcome::Fail(code())),
            expired: commits(&Outcome::Expired),
            rejected: commits(&Outcome::Rejected(code())),
        }
    }

    /// These commits were stored.
    pub(crate) fn stored(&self, commits: &[Arc<Commit>]) {
        for commit in commits {
            let counter = match commit.outcome {
                Outcome::Success => &self.success,
                Outcome::Fail(_) => &self.fail,
                Outcome::Expired => &self.expired,
                Outcome::Rejected(_) => &self.rejected,
            };
            counter.increment(1);
        }
    }
}
