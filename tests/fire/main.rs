//! The fleet under fire, as `cargo xtask faults` runs it: clients send while processes, links and
//! servers fail, then all is read back, the checker decides, and a report says it.

mod figures;
mod hands;
mod measured;
mod mutants;
mod picture;
mod plan;
mod report;
mod three;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::FutureExt as _;
use ordain_tests::faults::{Links, Load, Run, SERVERS};
use ordain_tests::{Fleet, OwnServices};
use serde::Deserialize;

use self::figures::Figures;
use self::hands::{Hand, on_processes};
use self::report::Summary;

/// What to run: the one argument, as JSON.
#[derive(Debug, Deserialize)]
struct Arguments {
    rounds: u32,
    only: Vec<String>,
    seed: u64,
    /// The directory for the report.
    report: PathBuf,
    /// The program.
    toxiproxy: PathBuf,
    /// What a process loads whose clock is to be off.
    clock: String,
    /// The directory of Kafka's jars.
    kafka: PathBuf,
}

/// So much that a run of some hundred faults has some hundred thousand commands.
const fn load(seed: u64) -> Load {
    Load { seed, clients: 128, answers: 1_300 }
}

#[tokio::main]
async fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    match serde_json::from_str(&argument) {
        Ok(arguments) if run(&arguments).await => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("run this by `cargo xtask faults`: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all was found that must be, and nothing that must not.
#[expect(clippy::expect_used, reason = "whoever cannot write the report has failed")]
async fn run(arguments: &Arguments) -> bool {
    let Arguments { only, seed, report, .. } = arguments;
    std::fs::create_dir_all(report).expect("a directory for the report");
    let (file, (text, is_well)) = match only.first().map(String::as_str) {
        Some("mutants") => ("MUTANTS.md", mutants::run_all(*seed).await),
        Some("three") => return three::fire(arguments).await,
        Some("measured") => ("MEASURED.md", measured::measure().await),
        _ => return fire(arguments).await,
    };
    std::fs::write(report.join(file), text).expect("a report");
    eprintln!("the report is {}", report.join(file).display());
    is_well
}

/// Ends what was being done when a run broke off.
async fn heal((servers, links, run): (&OwnServices, &Links, &mut Run)) {
    if let Some(why) = links.heal().await {
        eprintln!("links are left as they are: {why}");
    }
    for server in SERVERS {
        // One that was killed does not get it, and is started.
        let _goes_on = servers.signal(server, "-CONT");
        servers.start_again(server).await;
    }
    run.heal().await;
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Whether nothing was found that must not be.
async fn fire(arguments: &Arguments) -> bool {
    let Arguments { rounds, only, seed, report, toxiproxy, clock, .. } = arguments;
    // What runs now; the checkout may go on meanwhile.
    let commit = report::commit();
    let servers = OwnServices::of(&SERVERS).await;
    let fleet = Arc::new(Fleet::on(servers.services()));
    let links = Links::start(toxiproxy, &servers, &fleet).await;
    let history = report.join("history.ndjson");
    let mut run = Run::begin_on(Arc::clone(&fleet), (Some(&history), load(*seed)), "").await;
    let (memory, timeline) = (run.memory().clone(), run.timeline().clone());
    let hand = Hand { memory, timeline, readiness: run.readiness() };
    let mut broke_off = None;
    for (number, round) in plan::rounds(*rounds, *seed, only).into_iter().enumerate() {
        eprintln!("round {} of {rounds}", number + 1);
        let made = async {
            tokio::join!(
                on_processes((&mut run, &links, clock), round.processes),
                hand.on_links(&links, round.links),
                hand.on_servers((&servers, &fleet), round.servers),
            );
            run.goes_on().await;
            on_processes((&mut run, &links, clock), round.amid).await;
            run.all_live_through(hand.on_links(&links, round.cut_off.into_iter().collect())).await;
        };
        // What was seen so far is not lost: it is read back, and says more of what went wrong.
        if let Err(panic) = AssertUnwindSafe(made).catch_unwind().await {
            broke_off = Some(words(panic.as_ref()));
            heal((&servers, &links, &mut run)).await;
            break;
        }
    }
    tell(arguments, run, (commit, broke_off)).await
}

/// Lets a run come to its end and writes the report. Says whether nothing was found that must not
/// be.
#[expect(clippy::expect_used, reason = "whoever cannot write the report has failed")]
pub(crate) async fn tell(
    arguments: &Arguments,
    run: Run,
    (commit, broke_off): (String, Option<String>),
) -> bool {
    let Arguments { rounds, only, seed, report, .. } = arguments;
    let (memory, timeline) = (run.memory().clone(), run.timeline().clone());
    let loaded = memory.now();
    eprintln!("all faults are made; clients finish, and everything is read back");
    let found = run.end().await;
    let blows = timeline.blows();
    let figures = Figures::of(memory.lines_written(), &blows);
    let is_clean = found.is_clean() && broke_off.is_none();
    let (rounds, seed) = (*rounds, *seed);
    let summary = Summary { seed, rounds, only, commit, loaded, blows: &blows, broke_off };
    std::fs::write(report.join("RESULTS.md"), summary.text(&found, &figures)).expect("a report");
    let picture = picture::draw(&figures, &blows, loaded);
    std::fs::write(report.join("timeline.svg"), picture).expect("a picture");
    let anomalies: u64 = found.counts.values().sum();
    eprintln!("{anomalies} anomalies; the report is {}", report.display());
    is_clean
}
