//! `ordain` with crash points and deliberate breakages, for tests: the environment variable
//! `FAILPOINTS` turns them on. A crash point that panics ends the process at once, as `kill -9`
//! does: nothing is flushed, nobody is told.

use std::process::ExitCode;

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
    let exit = ordain::main();
    scenario.teardown();
    exit
}
