//! What a run found, for people and for programs.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::plan::{Plan, Workload};
use crate::recorder::{Counts, Load};
use crate::run::Error;

/// What a run found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The server.
    pub server: String,
    /// The workload's name.
    pub workload: &'static str,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Requests a second that were planned, in an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How long was measured.
    pub seconds: f64,
    /// How long the load ran before that.
    pub warm_up_seconds: f64,
    /// How many accounts there are.
    pub accounts: u32,
    /// What their ids begin with.
    pub name: String,
    /// Commands in a request, of `batch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Whether all that was answered is right: see [`Report::is_right`].
    pub right: bool,
    /// Commands a second that were answered with SUCCESS, repeats included.
    pub per_second: f64,
    /// How commands were answered.
    pub counts: Counts,
    /// From the planned arrival to the answer; none when nothing was answered.
    pub latency_ms: Option<Latency>,
    /// Of `async`: from the planned arrival until the outcome was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_ms: Option<Latency>,
    /// What the accounts hold.
    pub checked: Checked,
    /// The first answer that no honest server gives to this load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unexpected: Option<String>,
    /// Why there was no connection, the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_reached: Option<String>,
    /// What was measured, whole.
    #[serde(skip)]
    pub load: Load,
}

/// Latencies in milliseconds: so many of a hundred took at most so long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// 9,999 of 10,000.
    pub p9999: f64,
    /// All of them.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// What the accounts hold, compared with what they should.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Deposits that took effect, those of the warm-up and those settled afterwards included.
    pub deposited: u64,
    /// Accounts that hold something else than before and what was deposited.
    pub wrong: usize,
    /// The first of them, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_wrong: Option<String>,
    /// Seconds from when the last command was settled until the view of accounts was seen to show
    /// what they should hold; none when it did not in time.
    pub views_level_seconds: Option<f64>,
    /// Why it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_checked: Option<String>,
}

impl Checked {
    pub(crate) fn not(why: &Error) -> Self {
        Self { not_checked: Some(why.to_string()), ..Self::default() }
    }
}

impl Latency {
    fn of(microseconds: &Histogram<u64>) -> Option<Self> {
        if microseconds.is_empty() {
            return None;
        }
        let at = |quantile| microseconds.value_at_quantile(quantile) as f64 / 1e3;
        Some(Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: microseconds.max() as f64 / 1e3,
            mean: microseconds.mean() / 1e3,
        })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, p999, p9999, max, .. } = self;
        write!(
            f,
            "p50 {p50:.2}   p90 {p90:.2}   p99 {p99:.2}   p99.9 {p999:.2}   \
             p99.99 {p9999:.2}   max {max:.2}"
        )
    }
}

impl Report {
    pub(crate) fn new(plan: &Plan, load: Load, checked: Checked) -> Self {
        let seconds = plan.duration.as_secs_f64();
        let mut report = Self {
            server: plan.address.clone(),
            workload: plan.workload.name(),
            connections: plan.connections,
            rate: plan.rate,
            seconds,
            warm_up_seconds: plan.warm_up.as_secs_f64(),
            accounts: plan.accounts,
            name: plan.name.clone(),
            batch: (plan.workload == Workload::Batch).then_some(plan.batch),
            right: false,
            per_second: load.answered() as f64 / seconds,
            counts: load.counts,
            latency_ms: Latency::of(&load.answers),
            outcome_ms: Latency::of(&load.outcomes),
            checked,
            unexpected: load.unexpected.clone(),
            not_reached: load.not_reached.clone(),
            load,
        };
        report.right = report.is_right();
        report
    }

    /// Whether something was answered with SUCCESS, every answer was one that an honest server
    /// gives, every account holds what it should, and the view showed that in time.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let Counts { success, repeated, refused, wrong, .. } = self.counts;
        let Checked { wrong: wrong_accounts, views_level_seconds, not_checked, .. } = &self.checked;
        success + repeated > 0
            && (refused, wrong, *wrong_accounts) == (0, 0, 0)
            && self.unexpected.is_none()
            && views_level_seconds.is_some()
            && not_checked.is_none()
    }

    fn counted(&self) -> String {
        let Counts { success, repeated, timeout, no_answer, not_accepted, .. } = self.counts;
        let Counts { not_reached, not_sent, refused, wrong, .. } = self.counts;
        let mut text = format!("{success} SUCCESS");
        for (count, what) in [
            (repeated, "repeats, answered as the first time"),
            (timeout, "TIMEOUT"),
            (no_answer, "without an answer"),
            (not_accepted, "not accepted"),
            (not_reached, "without a connection"),
            (not_sent, "never sent, for no connection was free"),
            (refused, "REFUSED, though nothing was wrong with them"),
            (wrong, "REPEATS ANSWERED OTHERWISE than the first time"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    }

    /// What the check found, in lines.
    fn found(&self) -> String {
        let Checked { deposited, wrong, first_wrong, views_level_seconds, not_checked } =
            &self.checked;
        if let Some(why) = not_checked {
            return format!("NOT CHECKED {why}");
        }
        let accounts = match first_wrong {
            Some(first) => {
                format!("WRONG       {wrong} accounts, unless others used them meanwhile; {first}")
            }
            None => format!("checked     every account holds what was deposited: {deposited}"),
        };
        let views = match views_level_seconds {
            Some(seconds) => format!("views       level after {seconds:.2} s"),
            None => "views       WRONG or behind: not level in time".to_owned(),
        };
        format!("{accounts}\n{views}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paced = match self.rate {
            Some(rate) => format!("open loop, {rate} requests/s"),
            None => "closed loop".to_owned(),
        };
        let (connections, seconds) = (self.connections, self.seconds);
        let ones = if connections == 1 { "connection" } else { "connections" };
        writeln!(
            f,
            "{}, {paced}, {connections} {ones}, {seconds} s, {} accounts at {}\n",
            self.workload, self.accounts, self.server
        )?;
        writeln!(f, "commands/s  {:.0}", self.per_second)?;
        writeln!(f, "answers     {}", self.counted())?;
        if let Some(latency) = &self.latency_ms {
            writeln!(f, "latency ms  {latency}")?;
        }
        if let Some(latency) = &self.outcome_ms {
            writeln!(f, "outcome ms  {latency}")?;
        }
        if let Some(unexpected) = &self.unexpected {
            writeln!(f, "UNEXPECTED  {unexpected}")?;
        }
        if let Some(why) = &self.not_reached {
            writeln!(f, "connection  {why}")?;
        }
        f.write_str(&self.found())
    }
}
