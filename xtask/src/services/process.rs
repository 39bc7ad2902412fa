//! Processes that outlive the command that starts them, and are known again by when they began.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

const END_MAX: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const LINES_SHOWN: usize = 20;

/// A process that was started here. Its number alone would not do: when it has ended, the system
/// may give the number to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) id: u32,
    /// When it began, in the system's ticks since it booted.
    began: u64,
}

impl Process {
    /// Starts it in a process group of its own, where no Ctrl-C of a terminal reaches it.
    pub(crate) fn start(
        command: &mut Command,
        directory: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command.current_dir(directory).process_group(0).stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        let id = command.spawn()?.id();
        let began = began(id).context("it ended at once")?;
        Ok(Self { id, began })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        began(self.id) == Some(self.began)
    }

    /// Asks it to end, and does not wait.
    pub(crate) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it, by force when it takes too long.
    pub(crate) fn stop(&self, name: &str) -> anyhow::Result<()> {
        self.end(&[Signal::TERM, Signal::KILL], name)
    }

    /// Ends it by force.
    pub(crate) fn kill(&self, name: &str) -> anyhow::Result<()> {
        self.end(&[Signal::KILL], name)
    }

    fn end(&self, signals: &[Signal], name: &str) -> anyhow::Result<()> {
        for signal in signals {
            self.signal(*signal);
            let asked = Instant::now();
            while asked.elapsed() < END_MAX {
                if !self.is_alive() {
                    return Ok(());
                }
                std::thread::sleep(BETWEEN_LOOKS);
            }
        }
        bail!("{name}, process {}, does not end", self.id);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| self.is_alive()) {
            // It may have ended just now; whether it has is looked at by who waits for it.
            let _ended = kill_process(id, signal);
        }
    }
}

/// When the process with that number began; none when there is none, or only its exit status.
fn began(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name, which may contain anything but ends with the last
    // bracket; the third is the state, the 22nd the beginning.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(began)
}

/// The end of a log.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_beginning_and_ends_when_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new("sleep");
        command.arg("600");
        let process = Process::start(&mut command, directory.path(), &log).unwrap();
        let another = Process { id: process.id, began: process.began + 1 };
        assert!(process.is_alive());
        assert!(!another.is_alive());
        another.stop("another").unwrap();
        assert!(process.is_alive(), "a process that began at another time was stopped");
        process.stop("sleep").unwrap();
        assert!(!process.is_alive());
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        assert_eq!(last_lines(&log), "");
        let lines: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        fs::write(&log, lines.join("\n")).unwrap();
        assert_eq!(last_lines(&log), lines[80..].join("\n"));
    }
}
