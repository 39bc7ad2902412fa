//! `ordain status`: who works which partition, how far behind it is, and which members live.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Deserialize;

use crate::arguments::StatusArguments;
use crate::client::{self, Answer, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::interrupted;
use crate::json_text;
use crate::output::{self, printable};
use crate::read::{for_operators, print_raw, there, understood};

const EVERY: Duration = Duration::from_secs(1);
/// Moves to the upper left corner and wipes what stands behind it.
const WIPE: &str = "\u{1b}[H\u{1b}[2J";
/// So much of a member's name tells it from the others.
const NAME_CHARS: usize = 8;
const NOTHING: &str = "-";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: String,
    uptime_seconds: u64,
    partitions: Vec<Partition>,
    #[serde(default)]
    members: Vec<Member>,
    owners_unknown: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    partition: u32,
    behind: u64,
    owner: Option<String>,
    oldest_wait_ms: Option<u64>,
    per_second: Option<f64>,
    per_second_max: Option<f64>,
    wait_ms: Option<u64>,
    #[serde(default)]
    refusing: bool,
    stopped: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    member: String,
    role: String,
    version: String,
    uptime_seconds: u64,
    beat_age_ms: u64,
    alive: bool,
    partitions: Vec<u32>,
    last_error: Option<String>,
}

/// Does what the arguments say.
///
/// # Errors
/// Why it could not be done.
pub(crate) async fn run(arguments: &StatusArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let client = Client::new(&arguments.admin)?;
    if !arguments.watch {
        let answer = ask(&client).await.map_err(for_operators)?;
        print(&answer, json)?;
        return Ok(Exit::Success);
    }
    tokio::select! {
        ended = watch(&client, json) => ended,
        () = interrupted() => Ok(Exit::Success),
    }
}

async fn ask(client: &Client) -> Result<Answer, Box<Failure>> {
    there(client.get(client::path(&["admin", "status"]), Duration::ZERO).await?)
}

/// Prints again and again; a server that is away may come back.
async fn watch(client: &Client, json: bool) -> Result<Exit, Box<Failure>> {
    let wipes = !json && std::io::stdout().is_terminal();
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        match ask(client).await {
            Ok(answer) if json => output::print(&json_text::one_line(&answer.body))?,
            Ok(answer) => {
                let text = text(&understood(&answer)?);
                output::print(&if wipes { format!("{WIPE}{text}") } else { text + "\n" })?;
            }
            Err(failure) => for_operators(failure).tell(json),
        }
    }
}

fn print(answer: &Answer, json: bool) -> Result<(), Box<Failure>> {
    if json { print_raw(answer) } else { output::print(&text(&understood(answer)?)) }
}

fn text(status: &Status) -> String {
    let up = time(status.uptime_seconds.saturating_mul(1_000));
    let mut text = format!("ordain {}, up {up}\n\n", printable(&status.version));
    let heading = ["PARTITION", "OWNER", "BEHIND", "OLDEST", "/S", "MAX/S", "WAIT", "STATE"];
    let rows: Vec<_> = status.partitions.iter().map(partition_row).collect();
    text.push_str(&output::table(heading, &rows));
    text.push_str("\n\n");
    if let Some(why) = &status.owners_unknown {
        text.push_str(&format!("the members are not known: {}", printable(why)));
        return text;
    }
    let heading = ["MEMBER", "ROLE", "VERSION", "UP", "BEAT", "PARTITIONS", "LAST ERROR"];
    let rows: Vec<_> = status.members.iter().map(member_row).collect();
    text.push_str(&output::table(heading, &rows));
    text
}

fn partition_row(partition: &Partition) -> [String; 8] {
    let state = match &partition.stopped {
        Some(why) => format!("stopped: {}", printable(why)),
        None if partition.refusing => "refusing: no worker".to_owned(),
        None => String::new(),
    };
    let number = |number: Option<f64>| {
        number.map_or_else(|| NOTHING.to_owned(), |number| format!("{number:.0}"))
    };
    let waited = |ms: Option<u64>| ms.map_or_else(|| NOTHING.to_owned(), time);
    [
        partition.partition.to_string(),
        partition.owner.as_deref().map_or_else(|| NOTHING.to_owned(), name),
        partition.behind.to_string(),
        waited(partition.oldest_wait_ms),
        number(partition.per_second),
        number(partition.per_second_max),
        waited(partition.wait_ms),
        state,
    ]
}

fn member_row(member: &Member) -> [String; 7] {
    let beat = time(member.beat_age_ms);
    let error = member.last_error.as_deref().unwrap_or_default();
    [
        name(&member.member),
        printable(&member.role).into_owned(),
        printable(&member.version).into_owned(),
        time(member.uptime_seconds.saturating_mul(1_000)),
        if member.alive { beat } else { format!("{beat}, missing") },
        ranges(&member.partitions),
        printable(error).replace('\n', " "),
    ]
}

fn name(member: &str) -> String {
    let short: String = member.chars().take(NAME_CHARS).collect();
    printable(&short).into_owned()
}

/// `0-3 7` for 0, 1, 2, 3 and 7.
fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    match ranges.is_empty() {
        true => NOTHING.to_owned(),
        false => ranges.iter().map(text).collect::<Vec<_>>().join(" "),
    }
}

/// A time as people read it, to two places.
fn time(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{seconds}.{}s", ms % 1_000 / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_partitions_are_short() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_250, "1.2s"),
            (59_999, "59.9s"),
            (61_000, "1m01s"),
            (3_600_000, "1h00m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(time(ms), text);
        }
        assert_eq!(ranges(&[]), "-");
        assert_eq!(ranges(&[0, 1, 2, 7, 9, 10]), "0-2 7 9-10");
    }
}
