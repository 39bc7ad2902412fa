//! What a run came to, for a person.

use std::fmt::Write as _;
use std::process::Command;

use ordain_checker::Report;
use ordain_tests::faults::Blow;

use crate::figures::{Figures, SECOND};

/// What was run.
pub(crate) struct Summary<'a> {
    pub(crate) seed: u64,
    pub(crate) rounds: u32,
    pub(crate) only: &'a [String],
    /// The commit that was run.
    pub(crate) commit: String,
    /// How long clients were at work while something could fail, in nanoseconds.
    pub(crate) loaded: u64,
    pub(crate) blows: &'a [Blow],
    /// Why the run ended before its time, if it did.
    pub(crate) broke_off: Option<String>,
}

/// The commit that the checkout stands at, and whether there is more in it.
pub(crate) fn commit() -> String {
    said("git", &["describe", "--always", "--dirty"])
}

/// Where and when this commit was run.
pub(crate) fn machine(commit: &str) -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let day = said("date", &["-u", "+%Y-%m-%d"]);
    format!("All on one machine of {processors} processors, {day}, commit {commit}.")
}

impl Summary<'_> {
    /// The report, in Markdown.
    pub(crate) fn text(&self, found: &Report, figures: &Figures) -> String {
        let mut text = String::from("# The fleet under fire: a recorded run\n\n");
        let again = self.again();
        let machine = machine(&self.commit);
        let is_three = self.only.iter().any(|kind| kind == "three");
        let three = if is_three { ": three brokers, three members of MongoDB" } else { "" };
        let _ = writeln!(
            text,
            "Two APIs, three workers and two views on Kafka, MongoDB and Redis of their \
             own{three}. {machine} Again: `{again}`.\n",
        );
        let totals = &found.totals;
        let _ = writeln!(
            text,
            "| commands | calls | outcomes told | SUCCESS | FAIL | REJECTED | events | faults \
             | anomalies |\n|---|---|---|---|---|---|---|---|---|\n\
             | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            totals.commands,
            totals.calls,
            totals.told,
            totals.successes,
            totals.fails,
            totals.rejected,
            totals.events,
            self.blows.len(),
            found.counts.values().sum::<u64>(),
        );
        if let Some(why) = &self.broke_off {
            let why = why.lines().next().unwrap_or_default();
            let _ = writeln!(text, "**The run broke off: {why}**\n");
        }
        self.describe_blows(&mut text);
        describe_waits(&mut text, figures);
        text.push_str("![what failed when](timeline.svg)\n\n");
        self.describe_anomalies(&mut text, found);
        text
    }

    fn again(&self) -> String {
        let only = self.only.join(",");
        let only = if only.is_empty() { only } else { format!(" --only {only}") };
        format!("cargo xtask faults --rounds {} --seed {}{only}", self.rounds, self.seed)
    }

    fn describe_blows(&self, text: &mut String) {
        let count = |is: &dyn Fn(&Blow) -> bool| self.blows.iter().filter(|blow| is(blow)).count();
        let at_point =
            |what: &str| count(&|blow| blow.kind == "point" && blow.name.ends_with(what));
        let _ = writeln!(
            text,
            "In {} seconds: {} processes killed by `kill -9` and {} at crash points, {} paused for \
             longer than a session and {} at crash points, {} links harmed, {} times a server. \
             {} processes ended by a rule.\n",
            self.loaded / SECOND,
            count(&|blow| blow.kind == "kill"),
            at_point("killed"),
            count(&|blow| blow.kind == "pause"),
            at_point("paused"),
            count(&|blow| blow.kind == "link"),
            count(&|blow| matches!(blow.kind, "kafka" | "mongodb" | "redis")),
            count(&|blow| blow.kind == "crash"),
        );
    }

    fn describe_anomalies(&self, text: &mut String, found: &Report) {
        if found.is_clean() {
            text.push_str("No anomaly.\n");
            return;
        }
        let _ = writeln!(text, "## Anomalies\n\nReproduce them with `{}`.\n", self.again());
        for (kind, count) in &found.counts {
            let _ = writeln!(text, "- {kind}: {count}");
        }
        text.push('\n');
        for anomaly in &found.anomalies {
            let _ = writeln!(text, "- `{anomaly:?}`");
        }
    }
}

/// What those waited who were on their way while something failed.
fn describe_waits(text: &mut String, figures: &Figures) {
    text.push_str(
        "From a command's first call to its outcome, of those on their way meanwhile (other faults \
         may coincide), in milliseconds; silence is the longest time in which nobody got one.\n\n\
         | fault | times | outcomes/s | median | p99 | longest | silence |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let all = &figures.all;
    let seconds = figures.per_second.len().max(1) as f64;
    let per_second = figures.per_second.iter().sum::<u64>() as f64 / seconds;
    let _ = writeln!(
        text,
        "| the whole run | | {per_second:.0} | {:.1} | {:.0} | {:.0} | |",
        all.milliseconds(0.5),
        all.milliseconds(0.99),
        all.milliseconds(1.0),
    );
    for ((kind, name), during) in &figures.during {
        let seconds = during.took as f64 / SECOND as f64;
        let _ = writeln!(
            text,
            "| {kind}: {name} | {} | {:.0} | {:.1} | {:.0} | {:.0} | {:.0} |",
            during.count,
            during.outcomes as f64 / seconds.max(0.001),
            during.waits.milliseconds(0.5),
            during.waits.milliseconds(0.99),
            during.waits.milliseconds(1.0),
            during.silence as f64 / 1e6,
        );
    }
    text.push('\n');
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
