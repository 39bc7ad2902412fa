//! `ordain` with crash points and deliberate breakages, for tests: the environment variable
//! `FAILPOINTS` turns them on. A crash point that panics ends the process at once, as `kill -9`
//! does: nothing is flushed, nobody is told. The variable `PAUSE_AT` names a crash point and how
//! often it is passed before (`Z1=40`): there the process stops once, until it gets a SIGCONT.

use std::process::{Command, ExitCode, id};
use std::sync::atomic::{AtomicUsize, Ordering};

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
    if let Ok(pause) = std::env::var("PAUSE_AT")
        && let Err(why) = pause_at(&pause)
    {
        eprintln!("PAUSE_AT={pause}: {why}");
        return ExitCode::FAILURE;
    }
    let exit = ordain::main();
    scenario.teardown();
    exit
}

fn pause_at(pause: &str) -> Result<(), String> {
    let (point, passed) = pause.split_once('=').ok_or("not of the form point=number")?;
    let passed: usize = passed.parse().map_err(|error| format!("{error}"))?;
    let met = AtomicUsize::new(0);
    fail::cfg_callback(point, move || {
        if met.fetch_add(1, Ordering::Relaxed) == passed {
            // Whoever waits for it finds it stopped, or never does.
            drop(Command::new("kill").args(["-STOP", &id().to_string()]).status());
        }
    })
}
