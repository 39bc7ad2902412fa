//! The raw limits that ordain is measured against, each on this machine: an HTTP server that
//! answers at once, a sync of the disk, Kafka and MongoDB by themselves. Prints what it found as
//! one line of JSON. Also reads back what a measurement left behind, and draws what was measured.

mod disk;
mod http;
mod kafka;
mod mongodb;
mod picture;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;

/// The raw limits.
#[derive(Debug, Parser)]
enum Limit {
    /// Serve HTTP on a free port, and answer everything at once; the address is the first line.
    Serve,
    /// Load such a server with the generator of `ordain bench`.
    Http { address: String, connections: usize, seconds: u64 },
    /// Not a limit: what the accounts named `bench` hold, and what the view shows of them.
    Funds { address: String, accounts: u32 },
    /// Not a limit: curves, as JSON on the standard input, as a picture.
    Picture { file: PathBuf },
    /// Small writes to a file in this directory, each with a sync.
    Disk { directory: PathBuf },
    /// Records of the size of a command, produced and consumed.
    Kafka { servers: String, seconds: u64 },
    /// Documents like commits, inserted at majority.
    Mongodb { url: String, seconds: u64 },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let found: Value = match Limit::parse() {
        Limit::Serve => return http::serve().await,
        Limit::Picture { file } => return picture::draw(&file),
        Limit::Http { address, connections, seconds } => {
            let loaded = move || http::load(address, connections, seconds);
            tokio::task::spawn_blocking(loaded).await??
        }
        Limit::Funds { address, accounts } => {
            tokio::task::spawn_blocking(move || http::funds(address, accounts)).await??
        }
        Limit::Disk { directory } => disk::syncs(&directory)?,
        Limit::Kafka { servers, seconds } => kafka::both_ways(&servers, seconds).await?,
        Limit::Mongodb { url, seconds } => mongodb::inserts(&url, seconds).await?,
    };
    #[expect(clippy::print_stdout, reason = "the answer of this program")]
    {
        println!("{found}");
    }
    Ok(())
}

/// The median of times, in milliseconds.
fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Something done so many times a second.
fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}
