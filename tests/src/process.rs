//! One real process of ordain: started, signalled, waited for, and all that it says kept.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::own_services::send_signal;
use crate::{WAIT_MAX, until};

/// A running process that has said that it is ready.
#[derive(Debug)]
pub struct Process {
    child: Child,
    id: i32,
    /// Where it serves clients, `http://127.0.0.1:port`; empty where it does not.
    pub address: String,
    /// Where it serves operators, `http://127.0.0.1:port`.
    pub metrics: String,
    /// What it has written to standard error.
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts a process that says in a line of JSON when it is ready.
    ///
    /// # Errors
    /// All that it wrote to standard error, when it ended or was silent before.
    pub async fn start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(|error| error.to_string())?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let logged = keep_log(&mut child, &log);
        let ready = tokio::time::timeout(WAIT_MAX, ready(&mut child)).await;
        let Ok(Some((address, metrics, id))) = ready else {
            drop(child.kill().await);
            // What it said last is still on its way.
            drop(logged.await);
            return Err(text(&log));
        };
        Ok(Self { child, id, address, metrics, log })
    }

    /// Sends a signal to the process itself, also when a tracer runs it.
    pub fn signal(&self, signal: &str) {
        // It may have ended.
        let _got = send_signal(signal, i64::from(self.id));
    }

    /// How many bytes of memory it holds.
    ///
    /// # Panics
    /// When that cannot be read.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id));
        let read = status.ok().and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        });
        #[expect(clippy::expect_used, reason = "a test that cannot measure has failed")]
        let kilobytes = read.expect("the memory of a process that runs");
        kilobytes * 1024
    }

    /// Ends it as a crash does, and waits until it is gone.
    pub async fn kill(mut self) {
        self.signal("-KILL");
        drop(self.child.wait().await);
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(WAIT_MAX, self.child.wait()).await;
        assert!(ended.is_ok(), "the process did not end; it has said:\n{}", self.log());
        #[expect(clippy::unwrap_used, reason = "whoever cannot wait for a child has failed")]
        ended.unwrap().unwrap()
    }

    /// Asks it to drain, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.ended().await
    }

    /// Waits until a signal has stopped it, and lets it go on after this time.
    ///
    /// # Panics
    /// When it does not stop.
    pub(crate) async fn pauses(&self, pause: Duration) {
        until("a stop", || async { self.is_stopped().then_some(()) }).await;
        tokio::time::sleep(pause).await;
        self.signal("-CONT");
    }

    /// Whether a signal has stopped it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.id));
        // Behind the name, which stands in parentheses and may hold any.
        status.is_ok_and(|status| {
            status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// How it has ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// All that it has written to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        text(&self.log)
    }
}

fn text(log: &Mutex<Vec<String>>) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
}

/// Reads the line that says where the process serves.
async fn ready(child: &mut Child) -> Option<(String, String, i32)> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.next_line().await.ok()??;
    let ready: Value = serde_json::from_str(&line).ok()?;
    let text = |member: &str| Some(ready.get(member)?.as_str()?.to_owned());
    let id = i32::try_from(ready.get("process")?.as_i64()?).ok()?;
    // Whatever else it writes must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((text("address").unwrap_or_default(), text("metrics")?, id))
}

fn keep_log(child: &mut Child, log: &Arc<Mutex<Vec<String>>>) -> tokio::task::JoinHandle<()> {
    let (stderr, log) = (child.stderr.take(), Arc::clone(log));
    tokio::spawn(async move {
        let Some(stderr) = stderr else { return };
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}
