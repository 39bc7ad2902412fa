//! `ordain` with crash points and deliberate breakages, for tests: the environment variable
//! `FAILPOINTS` turns them on. A crash point that panics ends the process at once, as `kill -9`
//! does: nothing is flushed, nobody is told. The variable `PAUSE_AT` names a crash point and how
//! often it is passed before (`Z1=40`): there the process stops once, until it gets a SIGCONT. The
//! variable `HOLD_AT` names a file, too (`Z1=40=file`): there whoever passes writes into the file,
//! if it is there, and stands still until it is gone, while the process goes on.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, id};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often whoever holds looks whether it may go on.
const LOOKS: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let scenario = fail::FailScenario::setup();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failpoint ") {
            std::process::abort();
        }
        report(panic);
    }));
    for (name, set) in [("PAUSE_AT", pause_at as fn(&str) -> _), ("HOLD_AT", hold_at)] {
        if let Ok(value) = std::env::var(name)
            && let Err(why) = set(&value)
        {
            eprintln!("{name}={value}: {why}");
            return ExitCode::FAILURE;
        }
    }
    let exit = ordain::main();
    scenario.teardown();
    exit
}

fn pause_at(pause: &str) -> Result<(), String> {
    once(pause, || {
        // Whoever waits for it finds it stopped, or never does.
        drop(Command::new("kill").args(["-STOP", &id().to_string()]).status());
    })
}

fn hold_at(hold: &str) -> Result<(), String> {
    let (at, file) = hold.rsplit_once('=').ok_or("not of the form point=number=file")?;
    let file = PathBuf::from(file);
    once(at, move || {
        // Whoever waits for it finds it, or never does.
        drop(OpenOptions::new().write(true).open(&file).and_then(|mut file| file.write(b"held")));
        // Others, whom the thread would have run next, are run elsewhere.
        tokio::task::block_in_place(|| {
            while file.exists() {
                std::thread::sleep(LOOKS);
            }
        });
    })
}

/// Does it at a crash point that is passed so often before: `point=number`.
fn once(at: &str, done: impl Fn() + Send + Sync + 'static) -> Result<(), String> {
    let (point, passed) = at.split_once('=').ok_or("not of the form point=number")?;
    let passed: usize = passed.parse().map_err(|error| format!("{error}"))?;
    let met = AtomicUsize::new(0);
    fail::cfg_callback(point, move || {
        if met.fetch_add(1, Ordering::Relaxed) == passed {
            done();
        }
    })
}
