//! The binary as a process: run to its end within a limit, or started and interrupted.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The lines of stdout as JSON.
    pub(crate) fn documents(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// The binary with these arguments, and nothing of this process's own settings.
pub(crate) fn ordain(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ordain"));
    command
        .args(arguments)
        .env("ORDAIN_SERVER", url)
        .env("ORDAIN_ADMIN", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(url: &str, arguments: &[&str]) -> Run {
    run_with(url, arguments, "")
}

/// Runs the binary to its end with this text on stdin.
pub(crate) fn run_with(url: &str, arguments: &[&str], input: &str) -> Run {
    let mut child = ordain(url, arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read stdin closes it early.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    end(child)
}

/// Waits for the end.
pub(crate) fn end(child: Child) -> Run {
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(LIMIT) else {
        signal(id, "KILL");
        panic!("the process did not end");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let run = Run {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    };
    assert!(!run.err.contains("panicked"), "{run:?}");
    run
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
    assert!(sent.unwrap().success());
}
