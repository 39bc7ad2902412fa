//! What is told about a file of commands: a bar or a line now and then, what went wrong, a line
//! of JSON per command, and a summary.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, printable};

const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR_PER_SECOND: u32 = 4;
const TOLD_MAX: u64 = 20;
const ORDER: [(Exit, &str); 5] = [
    (Exit::Success, "SUCCESS"),
    (Exit::Outcome, "other outcome"),
    (Exit::Refused, "refused"),
    (Exit::Unknown, "unknown"),
    (Exit::NotAccepted, "not accepted"),
];

/// Counts what became of the commands, and tells it.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    bar: Option<ProgressBar>,
    started: Instant,
    told: Instant,
    retry_told: Option<Instant>,
    counts: [u64; ORDER.len()],
    failures_told: u64,
    /// What all commands come to together.
    pub(super) exit: Exit,
}

/// What became of one command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    pub(super) index: u64,
    pub(super) line: u64,
    #[serde(serialize_with = "number")]
    pub(super) exit: Exit,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<&'a RawValue>,
    /// For people: what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
    /// How much of the file it is.
    #[serde(skip)]
    pub(super) bytes: u64,
    /// The outcome in a few words, where it is none of success.
    #[serde(skip)]
    pub(super) words: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field by reference")]
fn number<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(exit.number())
}

impl Report {
    /// A report about a file of so many bytes, where that is known.
    pub(super) fn new(json: bool, bytes: Option<u64>) -> Self {
        let drawn = io::stderr().is_terminal() && !(json && io::stdout().is_terminal());
        let now = Instant::now();
        Self {
            json,
            bar: drawn.then(|| bar(bytes)),
            started: now,
            told: now,
            retry_told: None,
            counts: [0; ORDER.len()],
            failures_told: 0,
            exit: Exit::Success,
        }
    }

    /// Takes note of a command that is settled.
    ///
    /// # Errors
    /// Stdout takes no more.
    pub(super) fn settled(&mut self, entry: &Entry<'_>) -> Result<(), Box<Failure>> {
        self.count(entry.exit, 1);
        if self.json {
            output::print(&serde_json::to_string(entry).unwrap_or_default())?;
        } else if entry.exit != Exit::Success {
            self.failed(entry);
        }
        if let Some(bar) = &self.bar {
            bar.inc(entry.bytes);
            bar.set_message(self.line());
        } else if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            output::say(&self.line());
        }
        Ok(())
    }

    /// Takes note of commands that were never sent.
    pub(super) fn not_sent(&mut self, count: u64) {
        self.count(Exit::NotAccepted, count);
    }

    /// What is left of the file was never sent, however much that is.
    pub(super) fn incomplete(&mut self) {
        self.exit = self.exit.together(Exit::NotAccepted);
    }

    fn count(&mut self, exit: Exit, count: u64) {
        if count > 0 {
            self.counts[usize::from(exit.number())] += count;
            self.exit = self.exit.together(exit);
        }
    }

    /// Tells that something is tried again; at most once a second.
    pub(super) fn retried(&mut self, line: u64, why: &str) {
        let lately = |told: Instant| told.elapsed() < Duration::from_secs(1);
        if !self.retry_told.is_some_and(lately) {
            self.retry_told = Some(Instant::now());
            self.say(&format!("line {line} is tried again with the same request id: {why}"));
        }
    }

    /// Tells a line without disturbing the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::say(&printable(text))),
            None => output::say(&printable(text)),
        }
    }

    /// Tells what all came to.
    ///
    /// # Errors
    /// Stdout takes no more.
    pub(super) fn finish(self) -> Result<Exit, Box<Failure>> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.failures_told > TOLD_MAX {
            let more = self.failures_told - TOLD_MAX;
            output::say(&format!("{more} more are not SUCCESS; --json tells of each"));
        }
        let summary = self.summary();
        if self.json {
            output::raw_to_stderr(&summary);
        } else {
            output::print(&summary)?;
        }
        if matches!(self.exit, Exit::Unknown | Exit::NotAccepted) {
            output::say("run it again to go on: what was done is not done twice");
        }
        Ok(self.exit)
    }

    fn failed(&mut self, entry: &Entry<'_>) {
        self.failures_told += 1;
        if self.failures_told <= TOLD_MAX {
            let what = entry.error.unwrap_or(&entry.words);
            let id = entry.request_id.map(|id| format!(" (request id {id})")).unwrap_or_default();
            self.say(&format!("line {}: {what}{id}", entry.line));
        }
    }

    fn done(&self) -> u64 {
        self.counts.iter().sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is only looked at")]
    fn per_second(&self) -> f64 {
        self.done() as f64 / self.started.elapsed().as_secs_f64().max(0.001)
    }

    fn line(&self) -> String {
        let without = self.done() - self.counts[0];
        format!("{} done, {without} not SUCCESS, {:.0}/s", self.done(), self.per_second())
    }

    fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let noun = if self.done() == 1 { "command" } else { "commands" };
        let rate = self.per_second();
        let mut text = format!("{} {noun} in {seconds:.1}s ({rate:.0}/s)", self.done());
        for ((_, name), count) in ORDER.iter().zip(self.counts).filter(|(_, count)| *count > 0) {
            text.push_str(&format!("\n  {name:<14}{count:>8}"));
        }
        text
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:20} {percent:>3}%  {msg}  {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
    };
    bar.set_draw_target(indicatif::ProgressDrawTarget::stderr_with_hz(
        u8::try_from(BAR_PER_SECOND).unwrap_or(1),
    ));
    bar.with_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_names_stand_in_the_order_of_the_exit_codes() {
        for (at, (exit, _)) in ORDER.iter().enumerate() {
            assert_eq!(usize::from(exit.number()), at);
        }
    }
}
