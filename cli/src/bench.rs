//! `ordain bench`: a load, how far it has come, and what it found.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ordain_bench::{Plan, Report, Stage};

use crate::arguments::BenchArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, printable};

const LINE_EVERY: Duration = Duration::from_secs(5);

/// Measures what the arguments say.
///
/// # Errors
/// Why there is nothing to print.
pub(crate) fn run(arguments: &BenchArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let plan = Plan {
        address: address(&arguments.server.server)?,
        workload: arguments.workload,
        connections: arguments.connections.into(),
        rate: arguments.rate,
        duration: arguments.duration,
        warm_up: arguments.warm_up,
        accounts: arguments.accounts,
        name: arguments.name.clone().unwrap_or_else(new_name),
        batch: arguments.batch.into(),
        views_within: arguments.views_within,
    };
    let mut progress = Progress::new();
    let measured = ordain_bench::run(&plan, &mut |stage| progress.tell(stage));
    progress.end();
    let report = measured.map_err(|error| failure(&error))?;
    let text = if json {
        serde_json::to_string(&report).unwrap_or_default()
    } else {
        printable(&report.to_string()).into_owned()
    };
    output::print(&text)?;
    if let Some(path) = &arguments.svg {
        draw(&report, path)?;
    }
    Ok(match &report.checked.not_checked {
        Some(_) => Exit::Unknown,
        None if report.right => Exit::Success,
        None => Exit::Outcome,
    })
}

fn new_name() -> String {
    format!("bench-{:08x}", fastrand::u32(..))
}

fn failure(error: &ordain_bench::Error) -> Box<Failure> {
    let failure = Failure::new(Exit::Unknown, error.to_string());
    match error {
        ordain_bench::Error::NoAnswer(..) => failure.hint(
            "is the server running? start one with `ordain dev`,\n\
             or name another with --server URL or ORDAIN_SERVER",
        ),
        _ => failure,
    }
}

/// `host:port` of a server that is spoken to without TLS.
fn address(url: &str) -> Result<String, Box<Failure>> {
    let unlike = |why: &str| {
        Failure::usage(format!("the server's address {url} {why}"))
            .hint("`ordain bench` takes an address like http://127.0.0.1:7400")
    };
    if url.starts_with("https://") {
        return Err(unlike("is https; what TLS costs is not measured"));
    }
    let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    match rest.parse::<http::uri::Authority>() {
        Ok(authority) if authority.as_str().contains('@') => Err(unlike("names a user")),
        Ok(authority) if authority.port().is_some() => Ok(authority.to_string()),
        Ok(authority) => Ok(format!("{authority}:80")),
        Err(_) => Err(unlike("is not host and port")),
    }
}

fn draw(report: &Report, path: &Path) -> Result<(), Box<Failure>> {
    let failed = |why: String| {
        Failure::new(Exit::Unknown, format!("{} cannot be written: {why}", path.display()))
    };
    let title = format!("{}, {:.0} commands/s", report.workload, report.per_second);
    let svg = ordain_bench::draw(&title, &[(report.workload, &report.load)]);
    let svg = svg.map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, svg).map_err(|error| failed(error.to_string()))
}

/// How far a run has come: a line that changes on a terminal, else a line now and then.
struct Progress {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self { bar, told: Instant::now() }
    }

    fn tell(&mut self, stage: Stage) {
        let text = text(&stage);
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            bar.tick();
        } else if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            output::say(&text);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn text(stage: &Stage) -> String {
    match stage {
        Stage::Opening { done, of } => format!("opening accounts: {done} of {of}"),
        Stage::Loading { passed, of, per_second } => {
            let (passed, of) = (passed.as_secs_f64(), of.as_secs_f64());
            let passed = passed.min(of);
            format!("{passed:.0} of {of:.0} s: {per_second:.0} commands/s")
        }
        Stage::Checking { done, of } => format!("asking accounts what they hold: {done} of {of}"),
        Stage::Settling { commands } => {
            format!("learning what became of {commands} commands that were not answered")
        }
        Stage::Views => "waiting until the view shows what was deposited".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_without_tls() {
        assert_eq!(address("http://127.0.0.1:7400").unwrap(), "127.0.0.1:7400");
        assert_eq!(address("http://h:1/").unwrap(), "h:1");
        assert_eq!(address("h:1").unwrap(), "h:1");
        assert_eq!(address("http://h").unwrap(), "h:80");
        assert_eq!(address("http://[::1]:7400").unwrap(), "[::1]:7400");
        for bad in ["https://h:1", "http://h:1/behind", "http://", "http://u@h:1", "ftp://h"] {
            assert_eq!(address(bad).unwrap_err().exit, Exit::Refused, "{bad}");
        }
    }
}
