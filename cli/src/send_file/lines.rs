//! The lines of a file of commands: read ahead only so far, numbered, and each understood on its
//! own.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::request_ids::RequestIds;
use crate::failure::Failure;
use crate::sending::Command;

/// What may be read and not settled yet, in all.
const AHEAD_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What a line takes beside its text.
const LINE_BYTES_EXTRA: u32 = 1024;
const LINE_BYTES_MAX: u32 = 8 * 1024 * 1024;
const CHANNEL_LINES_MAX: usize = 256;

/// What was read.
#[derive(Debug)]
pub(super) enum Read {
    /// A command.
    Line(Line),
    /// A line that is none, and why.
    Bad(Place, String),
    /// Nothing more can be read, and why.
    Failed(io::Error),
}

/// A command and where it stands.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) command: Command,
    _held: OwnedSemaphorePermit,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Counts the lines that are not blank, from 0.
    pub(super) index: u64,
    /// Counts all lines, from 1.
    pub(super) number: u64,
    /// How much of the file it is.
    pub(super) bytes: u64,
}

/// Where lines come from.
pub(super) struct Input {
    reader: Box<dyn BufRead + Send>,
    /// The size of the file, where it has one.
    pub(super) bytes: Option<u64>,
}

impl Input {
    /// Opens a file, or stdin.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Box<Failure>> {
        let Some(path) = path else {
            return Ok(Self { reader: Box::new(BufReader::new(io::stdin())), bytes: None });
        };
        let file = File::open(path).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}", path.display()))
        })?;
        let kind = file.metadata().ok().filter(std::fs::Metadata::is_file);
        Ok(Self {
            bytes: kind.map(|kind| kind.len()),
            reader: Box::new(BufReader::with_capacity(256 * 1024, file)),
        })
    }

    /// Reads on a thread of its own, as far ahead as there is room.
    pub(super) fn read(self, batch: &str) -> mpsc::Receiver<Read> {
        let (sender, receiver) = mpsc::channel(CHANNEL_LINES_MAX);
        let mut reading = Reading {
            reader: self.reader,
            ids: RequestIds::of_batch(batch),
            room: Arc::new(Semaphore::new(AHEAD_BYTES_MAX as usize)),
            runtime: Handle::current(),
            index: 0,
            number: 0,
        };
        std::thread::spawn(move || {
            // Ends with the file, or when nobody takes lines any more.
            while let Some(read) = reading.next().unwrap_or_else(|why| Some(Read::Failed(why))) {
                let last = matches!(read, Read::Failed(_));
                if sender.blocking_send(read).is_err() || last {
                    return;
                }
            }
        });
        receiver
    }
}

struct Reading {
    reader: Box<dyn BufRead + Send>,
    ids: RequestIds,
    room: Arc<Semaphore>,
    runtime: Handle,
    index: u64,
    number: u64,
}

impl Reading {
    fn next(&mut self) -> io::Result<Option<Read>> {
        let Some((text, bytes)) = self.text()? else {
            return Ok(None);
        };
        let place = Place { index: self.index, number: self.number, bytes };
        self.index += 1;
        let understood = match &text {
            Some(text) => understand(text, &mut self.ids),
            None => Err(format!("the line has more than {LINE_BYTES_MAX} bytes")),
        };
        Ok(Some(match understood {
            Ok(command) => {
                let held = self.hold(place.bytes)?;
                Read::Line(Line { place, command, _held: held })
            }
            Err(why) => Read::Bad(place, why),
        }))
    }

    /// The text of the next line that is not blank, none when it is too long, and how many bytes
    /// of the file it is.
    fn text(&mut self) -> io::Result<Option<(Option<Vec<u8>>, u64)>> {
        loop {
            let mut text = Vec::new();
            let limit = u64::from(LINE_BYTES_MAX) + 1;
            let bytes =
                io::Read::take(&mut self.reader, limit).read_until(b'\n', &mut text)? as u64;
            if bytes == 0 {
                return Ok(None);
            }
            self.number += 1;
            if bytes == limit && text.last() != Some(&b'\n') {
                let rest = self.reader.skip_until(b'\n')? as u64;
                return Ok(Some((None, bytes + rest)));
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some((Some(text), bytes)));
            }
        }
    }

    fn hold(&self, bytes: u64) -> io::Result<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(LINE_BYTES_MAX).min(LINE_BYTES_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes + LINE_BYTES_EXTRA);
        self.runtime.block_on(room).map_err(io::Error::other)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    request_id: Option<String>,
    #[serde(rename = "type")]
    aggregate_type: String,
    id: Option<String>,
    command: String,
    data: Box<RawValue>,
}

/// The command in a line. A line that cannot be understood counts for nobody's request id.
fn understand(line: &[u8], ids: &mut RequestIds) -> Result<Command, String> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
    let entry: Entry = serde_json::from_str(text).map_err(|error| {
        let error = error.to_string();
        let error = error.split(" at line").next().unwrap_or_default();
        format!("{error}; a line is {{requestId?, type, id?, command, data}}")
    })?;
    Ok(Command {
        aggregate_type: entry.aggregate_type,
        id: entry.id,
        command: entry.command,
        request_id: entry.request_id.unwrap_or_else(|| ids.next(text)),
        body: Bytes::from(String::from(Box::<str>::from(entry.data))),
        deadline: None,
        if_match: None,
    })
}

#[cfg(test)]
mod tests;
