//! A real `ordain dev` process: started on a directory, killed, paused, ended, started again.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::{Client, WAIT_MAX, broken_binary};

/// How to start a server.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Crash points and breakages, as the variable `FAILPOINTS` reads them.
    pub failpoints: String,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
    /// Further arguments of `ordain dev`.
    pub arguments: Vec<String>,
    /// A program and its arguments that runs the server, such as a tracer.
    pub wrapper: Vec<String>,
}

/// A running `ordain dev`.
#[derive(Debug)]
pub struct Server {
    child: Child,
    process: i32,
    /// Where clients are served, `http://127.0.0.1:port`.
    pub address: String,
    /// Where operators are served, `http://127.0.0.1:port`.
    pub metrics: String,
    /// What it has written to standard error.
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server on a directory and waits until it is ready.
    ///
    /// # Panics
    /// When it ends or is silent before it is ready.
    pub async fn start(data: &Path, options: &ServerOptions) -> Self {
        match Self::try_start(data, options).await {
            Ok(server) => server,
            #[expect(clippy::panic, reason = "a test whose server does not start has failed")]
            Err(log) => panic!("the server did not start:\n{log}"),
        }
    }

    /// Starts a server on a directory; what it wrote, when it ended before it was ready.
    ///
    /// # Errors
    /// All that it wrote to standard error.
    pub async fn try_start(data: &Path, options: &ServerOptions) -> Result<Self, String> {
        let mut child = spawn(data, options).map_err(|error| error.to_string())?;
        let log = Arc::new(Mutex::new(Vec::new()));
        keep_log(&mut child, &log);
        let ready = tokio::time::timeout(WAIT_MAX, addresses(&mut child)).await;
        let Ok(Some((address, metrics, process))) = ready else {
            drop(child.kill().await);
            return Err(text(&log));
        };
        Ok(Self { child, process, address, metrics, log })
    }

    /// A client of this server.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Sends a signal to the server process itself, also when a tracer runs it.
    pub fn signal(&self, signal: &str) {
        let process = self.process.to_string();
        drop(std::process::Command::new("kill").args([signal, &process]).status());
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
        #[expect(clippy::expect_used, reason = "a test whose server hangs has failed")]
        ended.expect("the server did not end").expect("a child can be waited for")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to drain, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.ended().await
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

fn spawn(data: &Path, options: &ServerOptions) -> std::io::Result<Child> {
    let binary: PathBuf = broken_binary().to_path_buf();
    let mut words = options.wrapper.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
    words.push(binary.into());
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).arg("dev").arg("--data").arg(data);
    command.args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--json"]);
    command.args(&options.arguments).env("FAILPOINTS", &options.failpoints);
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn()
}

/// Reads the line that says where the server is.
async fn addresses(child: &mut Child) -> Option<(String, String, i32)> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.next_line().await.ok()??;
    let ready: serde_json::Value = serde_json::from_str(&line).ok()?;
    let text = |member: &str| ready.get(member)?.as_str().map(str::to_owned);
    let process = i32::try_from(ready.get("process")?.as_i64()?).ok()?;
    // Whatever else it writes must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((text("address")?, text("metrics")?, process))
}

fn keep_log(child: &mut Child, log: &Arc<Mutex<Vec<String>>>) {
    let Some(stderr) = child.stderr.take() else { return };
    let log = Arc::clone(log);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}
