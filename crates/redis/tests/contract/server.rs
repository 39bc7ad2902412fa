//! A server of the test's own, which it may stop, freeze and start again.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use ordain_redis::Settings;
use ordain_testkit::{free_port, until};
use rustix::process::{Pid, Signal, kill_process};

/// A server that ends with the test.
pub(crate) struct Server {
    port: u16,
    more: Vec<String>,
    child: Option<Child>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more arguments for the server.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let more = more.iter().map(ToString::to_string).collect();
        let mut server = Self { port: free_port(), more, child: None };
        server.start_again().await;
        server
    }

    /// One that has not been started yet.
    pub(crate) fn stopped() -> Self {
        Self { port: free_port(), more: Vec::new(), child: None }
    }

    pub(crate) async fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]).args(&self.more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = self.child.insert(command.spawn().expect("run: cargo xtask services up"));
        let port = self.port;
        until("the server to listen", || {
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "the server at {port} has ended: {ended:?}");
            async move { tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok() }
        })
        .await;
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kills the server");
            child.wait().expect("the server ends");
        }
    }

    /// Lets it stand still: connections stay open, nothing is answered.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).expect("signals the server");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { url: self.url(), backoff_ms_max: 50, ..Settings::default() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
