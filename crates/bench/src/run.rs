//! A whole run: accounts are opened, the load runs, and what was answered is compared with what
//! the accounts hold.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::load::load;
use crate::plan::Plan;
use crate::recorder::Load;
use crate::report::{Checked, Report};

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// Accounts are opened.
    Opening {
        /// So many are.
        done: u32,
        /// So many will be.
        of: u32,
    },
    /// The load runs, warm-up included.
    Loading {
        /// For so long.
        passed: Duration,
        /// Of so long.
        of: Duration,
        /// Commands answered with SUCCESS each second, lately.
        per_second: f64,
    },
    /// Accounts are asked what they hold.
    Checking {
        /// So many have been.
        done: u32,
        /// So many will be.
        of: u32,
    },
    /// It is learned what became of so many commands that were not answered.
    Settling {
        /// So many.
        commands: usize,
    },
    /// The view of accounts is looked at until it shows what was deposited.
    Views,
}

/// Why a run came to no end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for, and why there is no answer.
    #[error("no answer when {0}: {1}")]
    NoAnswer(&'static str, String),
    /// What was asked for, and an answer that is not one to that.
    #[error("when {0}, the server answered {1}")]
    Unlike(&'static str, String),
    /// Of so many commands it could not be learned whether they took effect.
    #[error("of {0} commands it could not be learned within two minutes what became of them")]
    Unsettled(usize),
    /// The system gives no thread.
    #[error("no thread for the load: {0}")]
    Thread(std::io::Error),
    /// A thread of the load ended before its time: a defect of the generator.
    #[error("a thread of the load has failed")]
    Failed,
}

impl Error {
    pub(crate) fn unlike(asked: &'static str, status: u16, body: &[u8]) -> Self {
        let body: String = String::from_utf8_lossy(body).chars().take(500).collect();
        Self::Unlike(asked, format!("{status} {body}"))
    }
}

/// Opens the accounts that are not open, puts the load on the server, learns what became of
/// commands that were not answered, and compares. Blocks for as long as that takes, and tells how
/// far it has come. What cannot be compared is said in the report.
///
/// # Errors
/// The server could not be reached or did not answer as ordain does before the load began, or the
/// load could not be made.
pub fn run(plan: &Plan, tell: &mut dyn FnMut(Stage)) -> Result<Report, Error> {
    let runtime = runtime()?;
    let run = Uuid::now_v7().simple().to_string();
    let accounts = Accounts::new(plan, &run);
    let of = plan.accounts;
    runtime.block_on(accounts.open(|done| tell(Stage::Opening { done, of })))?;
    let before = runtime.block_on(accounts.funds(|done| tell(Stage::Checking { done, of })))?;
    let load = load(plan, &run, tell)?;
    let checked = runtime.block_on(check(plan, &accounts, (&before, &load), tell));
    let checked = checked.unwrap_or_else(|error| Checked::not(&error));
    Ok(Report::new(plan, load, checked))
}

/// What each account of a plan holds, and what the view shows of each.
///
/// # Errors
/// The server could not be reached or did not answer as ordain does.
pub fn funds(plan: &Plan) -> Result<(Vec<u64>, Vec<u64>), Error> {
    let accounts = Accounts::new(plan, "");
    runtime()?.block_on(async { Ok((accounts.funds(|_| {}).await?, accounts.shown().await?)) })
}

/// Compares what the accounts hold with what they held before and were given.
async fn check(
    plan: &Plan,
    accounts: &Accounts,
    (before, load): (&[u64], &Load),
    tell: &mut dyn FnMut(Stage),
) -> Result<Checked, Error> {
    tell(Stage::Settling { commands: load.unsettled.len() });
    let mut wanted = before.to_vec();
    let mut deposited = 0;
    for (account, given) in wanted.iter_mut().zip(&load.deposited) {
        *account += given;
        deposited += given;
    }
    for deposit in accounts.settle(&load.unsettled).await? {
        deposited += 1;
        if let Some(account) = wanted.get_mut(deposit.account as usize) {
            *account += 1;
        }
    }
    tell(Stage::Views);
    let level = accounts.level(&wanted, plan.views_within).await?;
    let of = plan.accounts;
    let holds = accounts.funds(|done| tell(Stage::Checking { done, of })).await?;
    let pairs = holds.iter().zip(&wanted).enumerate();
    let mut wrong = pairs.filter(|(_, (holds, wants))| holds != wants).peekable();
    let first_wrong = wrong.peek().map(|(number, (holds, wants))| {
        format!("account {}-{number} holds {holds}, but should hold {wants}", plan.name)
    });
    Ok(Checked {
        deposited,
        first_wrong,
        wrong: wrong.count(),
        views_level_seconds: level.map(|after| after.as_secs_f64()),
        not_checked: None,
    })
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::Thread)
}
