//! `cargo xtask`: the tasks of those who work on ordain. Each says what it runs before it runs it,
//! and ends at the first that fails.

mod bench;
mod breakages;
mod faults;
mod image;
mod run;
mod services;
mod test;
mod tools;

use clap::{Parser, Subcommand};

/// The tasks of those who work on ordain.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Set up what the tests need, and run them all: format, clippy, tests, docs, licences.
    Test,
    /// Install the programs that the tests need.
    Tools,
    /// Build the last stage of the image around a binary of this machine, and run it.
    Image,
    /// Check the model of the protocol with larger bounds than the tests do (minutes).
    Model,
    /// Rebuild many disk images after power cuts, and check what each still holds (minutes).
    PowerCut {
        /// How many images.
        #[arg(long, default_value_t = 10_000)]
        images: usize,
        /// What the random choices are drawn from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Real servers for the tests: Kafka, MongoDB, Redis.
    Services {
        /// What to do with them.
        #[command(subcommand)]
        task: services::Task,
    },
    /// Break every promise on purpose, one at a time, and see its tests fail (many minutes).
    Breakages {
        /// Only the breakages that name this: a promise, a file, a test, words of what is broken.
        #[arg(long)]
        only: Option<String>,
    },
    /// Put a fleet under fire: clients send while processes, links and servers fail, then all is
    /// read back and checked against every promise; writes a report (minutes a round).
    Faults(faults::Arguments),
    /// Measure a release build on this machine, next to what the machine, the disk, Kafka and
    /// MongoDB do by themselves (minutes).
    Bench(bench::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test => test::run(),
        Task::Tools => tools::ensure(),
        Task::Image => tools::ensure().and_then(|()| image::check()),
        Task::Model => run::cargo(&["run", "--release", "--package", "ordain-protocol"]),
        Task::PowerCut { images, seed } => test::power_cut(images, seed),
        Task::Services { task } => services::run(task),
        Task::Breakages { only } => breakages::run(only.as_deref()),
        Task::Faults(arguments) => faults::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
    }
}
