//! Builds the tests of the copy, runs some of them, and says what became of each.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use super::copy::Copy;

/// How long the tests of one breakage may take: they have limits of their own, far below.
const RUN_SECONDS_MAX: u64 = 180;
/// How long a test waits for anything: here it is expected to wait in vain.
const WAIT_SECONDS: &str = "10";
/// Most tests wait, for each other's disk or for their own limit.
const THREADS: &str = "--test-threads=8";

/// A test target.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Suite {
    package: String,
    /// The name of the target; `lib` for the unit tests.
    target: String,
    #[serde(default)]
    features: Vec<String>,
}

/// What became of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Failed,
    Passed,
    /// It had not ended when the time was over.
    Hung,
    /// It does not exist, or the process ended before it did.
    Missing,
}

/// The tests of a target, built.
pub(crate) struct Program {
    executable: PathBuf,
    directory: PathBuf,
}

impl Suite {
    pub(crate) fn build(&self, copy: &Copy) -> anyhow::Result<Program> {
        let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        command.args(["test", "--locked", "--no-run", "--package", &self.package]);
        command.arg("--message-format=json-render-diagnostics");
        match self.target.as_str() {
            "lib" => command.arg("--lib"),
            name => command.args(["--test", name]),
        };
        command.args(self.features.iter().flat_map(|feature| ["--features", feature]));
        command.current_dir(copy.root()).env("CARGO_TARGET_DIR", copy.target());
        let output = command.output().context("cargo cannot be started")?;
        if !output.status.success() {
            bail!("it does not compile:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let messages = String::from_utf8(output.stdout)?;
        let mut built = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        built.find_map(|message| self.program(&message)).context("cargo names no program")
    }

    fn program(&self, message: &Value) -> Option<Program> {
        let text = |path: &str| message.pointer(path).and_then(Value::as_str);
        let kind = text("/target/kind/0")?;
        let is_wanted = if self.target == "lib" {
            kind == "lib"
        } else {
            kind == "test" && text("/target/name")? == self.target
        };
        let executable = PathBuf::from(text("/executable").filter(|_| is_wanted)?);
        let directory = PathBuf::from(text("/manifest_path")?).parent()?.to_path_buf();
        Some(Program { executable, directory })
    }
}

impl Program {
    /// Runs these tests; gives what became of each, in their order.
    pub(crate) fn run(&self, copy: &Copy, tests: &[String]) -> anyhow::Result<Vec<Fate>> {
        let path = copy.target().join("output.txt");
        let mut child = Command::new(&self.executable)
            .args(["--exact", THREADS])
            .args(tests)
            .current_dir(&self.directory)
            .env("RUST_BACKTRACE", "0")
            .env("ORDAIN_TEST_WAIT_SECONDS", WAIT_SECONDS)
            .stdout(File::create(&path)?)
            .stderr(Stdio::null())
            .spawn()
            .context("the tests cannot be started")?;
        let until = Instant::now() + Duration::from_secs(RUN_SECONDS_MAX);
        let mut is_over = child.try_wait()?.is_some();
        while !is_over && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
            is_over = child.try_wait()?.is_some();
        }
        if !is_over {
            child.kill()?;
            child.wait()?;
        }
        let output = fs::read_to_string(&path)?;
        let said: HashMap<&str, &str> = output
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
            .collect();
        let result = |test: &String| match said.get(test.as_str()) {
            Some(&"ok") => Fate::Passed,
            Some(&"FAILED") => Fate::Failed,
            _ if is_over => Fate::Missing,
            _ => Fate::Hung,
        };
        Ok(tests.iter().map(result).collect())
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.target)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Passed => "passed",
            Self::Hung => "did not end",
            Self::Missing => "did not run to its end",
        })
    }
}
