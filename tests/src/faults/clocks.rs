//! Clocks that are an hour off, and stepped while their process runs. Only the time of day is: how
//! long something takes, a process goes on seeing as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

use super::Run;
use super::run::options;
use crate::{Client, Process, Role, until};

/// So far is a clock off.
const OFF_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
/// A process looks once a second what its clock is to say. One whose clock steps back cannot be
/// asked whether it has: the date in its answers is not made anew before it has come so far again.
const SEEN: Duration = Duration::from_secs(3);

/// Which way a clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// An hour ahead. Put right, it steps back.
    Ahead,
    /// An hour behind.
    Behind,
}

impl Off {
    const fn seconds(self) -> i64 {
        match self {
            Self::Ahead => OFF_SECONDS,
            Self::Behind => -OFF_SECONDS,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Behind => "behind",
        }
    }
}

impl Run {
    /// Starts a process in that role whose clock is off, and puts it right while it runs. It loads
    /// `preload` for that.
    ///
    /// # Panics
    /// When its clock is not off, it does not start, or the clients do not get on.
    pub async fn clock(&mut self, preload: &str, (role, off): (Role, Off)) {
        let timeline = Arc::clone(&self.timeline);
        let file = self.directory().join(format!("clock-{}", self.memory.now()));
        set(&file, off.seconds());
        let mut options = options(&self.failpoints, None);
        options.environment.extend(shown(preload, &file));
        let replaced = self.replace_by(role, &options);
        timeline.during(("kill", &format!("{role} killed")), replaced).await;
        shows(self.server.youngest(role), off.seconds()).await;
        let name = format!("{role}'s clock an hour {}", off.name());
        timeline.during(("clock", &name), self.goes_on()).await;
        let name = match off {
            Off::Ahead => format!("{role}'s clock steps back"),
            Off::Behind => format!("{role}'s clock steps forward"),
        };
        set(&file, 0);
        let stepped = async {
            match off {
                Off::Ahead => sleep(SEEN).await,
                Off::Behind => shows(self.server.youngest(role), 0).await,
            }
            self.goes_on().await;
        };
        timeline.during(("clock", &name), stepped).await;
    }
}

#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
fn set(file: &Path, seconds: i64) {
    // Whole at once: whoever reads meanwhile must not find nothing.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{seconds:+}\n")).expect("a file for a clock");
    std::fs::rename(new, file).expect("a file for a clock");
}

/// What libfaketime has to be told.
fn shown(preload: &str, file: &Path) -> Vec<(String, String)> {
    let file: PathBuf = file.to_owned();
    let told = [
        ("LD_PRELOAD", preload.to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_string_lossy().into_owned()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_DISABLE_SHM", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ];
    told.map(|(name, value)| (name.to_owned(), value)).into()
}

/// How far the clock of a process is off, in seconds, by the date of an answer.
async fn is_off(process: &Process) -> Option<i64> {
    let told = Client::new(&process.metrics).get("/livez").await.ok()?;
    // As in `Sun, 06 Nov 1994 08:49:37 GMT`.
    let time = told.header("date").split(' ').nth(4)?;
    let parts: Vec<i64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
    let [hours, minutes, seconds] = parts.try_into().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let off = hours * 3_600 + minutes * 60 + seconds - i64::try_from(now.as_secs()).ok()?;
    Some((off + DAY_SECONDS / 2).rem_euclid(DAY_SECONDS) - DAY_SECONDS / 2)
}

/// Waits until the clock of a process is so far off.
async fn shows(process: &Process, seconds: i64) {
    until(&format!("a clock that is off by {seconds} s"), || async {
        let off = is_off(process).await?;
        ((off - seconds).abs() < OFF_SECONDS / 2).then_some(())
    })
    .await;
}
