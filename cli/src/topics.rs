//! `ordain topics ensure`: what a fleet stands on.

use clap::{Args, Subcommand};
use ordain_node::{Flags, TopicReport, TopicsReport, TopicsWanted, ensure_topics};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, table};
use crate::serving::{FileArguments, print_json};

const MS_A_DAY: u64 = 24 * 60 * 60 * 1_000;

const TOPICS_HELP: &str = "\
Examples:
  $ ordain topics ensure --partitions 16 --replication 3 --config fleet.toml";

const ENSURE_HELP: &str = "\
Examples:
  $ ordain topics ensure --partitions 16 --replication 3 --config fleet.toml
  $ ordain topics ensure --partitions 32 --replication 3 --workers 3 \\
      --event-days 30 --config fleet.toml

Makes the topics `requests`, `finalevents` and `deadletters` in Kafka, and the
collections and indexes in MongoDB, where they are missing, and checks those
that are there. Again and again it changes nothing. A larger --partitions than
before raises the partitions of `requests`, also while the fleet is running;
they can never be fewer, and those of `finalevents` never change.";

/// What `topics` can be told.
#[derive(Debug, Args)]
#[command(after_long_help = TOPICS_HELP)]
pub(crate) struct TopicsArguments {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Make what is missing, check what is there
    Ensure(EnsureArguments),
}

#[derive(Debug, Args)]
#[command(after_long_help = ENSURE_HELP)]
struct EnsureArguments {
    /// How many partitions `requests` is to have; ten for each worker are good
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,
    /// On how many brokers each record is to be; 3 survive the loss of one
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    replication: u32,
    /// How many partitions `finalevents` is to have, for good [default: 64]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    event_partitions: Option<u32>,
    /// For how many days events are kept in Kafka [default: for good]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..100_000))]
    event_days: Option<u64>,
    /// How many workers there will be, to warn of too few partitions
    #[arg(long, value_name = "COUNT")]
    workers: Option<u32>,
    #[command(flatten)]
    file: FileArguments,
}

/// Sets up what a fleet stands on.
///
/// # Errors
/// What cannot be reached or will not do, and what to do about it.
pub(crate) fn run(arguments: &TopicsArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let TopicsCommand::Ensure(arguments) = &arguments.command;
    let loaded = arguments.file.load(&Flags::default())?;
    let wanted = TopicsWanted {
        partitions: arguments.partitions,
        event_partitions: arguments.event_partitions,
        replication: arguments.replication,
        event_retention_ms: arguments.event_days.map(|days| days * MS_A_DAY),
        workers: arguments.workers,
    };
    let report = ensure(&loaded, &wanted)?;
    for warning in &report.warnings {
        output::say(&format!("warning: {warning}"));
    }
    if json {
        print_json(&report)?;
    } else {
        output::print(&shown(&report))?;
    }
    Ok(Exit::Success)
}

#[tokio::main]
async fn ensure(
    loaded: &ordain_node::Loaded,
    wanted: &TopicsWanted,
) -> Result<TopicsReport, Box<Failure>> {
    let ensured = ensure_topics(loaded, wanted).await;
    ensured.map_err(|why| Failure::usage(format!("{why:#}")))
}

fn shown(report: &TopicsReport) -> String {
    let heading = ["TOPIC", "PARTITIONS", "REPLICAS", "IN STEP", "KEPT", ""];
    let rows: Vec<[String; 6]> = report.topics.iter().map(row).collect();
    table(heading, &rows)
}

fn row(topic: &TopicReport) -> [String; 6] {
    let done = match topic.raised_from {
        _ if topic.made => "made".to_owned(),
        Some(before) => format!("raised from {before}"),
        None => String::new(),
    };
    [
        topic.name.clone(),
        topic.partitions.to_string(),
        topic.replication.to_string(),
        topic.min_insync_replicas.to_string(),
        topic.retention_ms.map_or_else(|| "for good".to_owned(), days),
        done,
    ]
}

fn days(ms: u64) -> String {
    format!("{:.1} days", ms as f64 / MS_A_DAY as f64)
}
