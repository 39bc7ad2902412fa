//! Lines of JSON, one value each: written as they come, read as a stream.

use std::io::{self, BufRead, Write};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {why}")]
pub struct Unreadable {
    /// Which one; the first is 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Reads values of one type, line by line. Empty lines are passed over.
#[derive(Debug)]
pub struct Reader<R, T> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    value: PhantomData<fn() -> T>,
}

impl<R: BufRead, T: DeserializeOwned> Reader<R, T> {
    /// Reads from there.
    pub const fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), line: 0, value: PhantomData }
    }

    fn read(&mut self) -> Result<Option<T>, String> {
        loop {
            self.line += 1;
            self.buffer.clear();
            let read = self.input.read_until(b'\n', &mut self.buffer);
            if read.map_err(|error| error.to_string())? == 0 {
                return Ok(None);
            }
            if !self.buffer.trim_ascii().is_empty() {
                let value = serde_json::from_slice(&self.buffer);
                return value.map(Some).map_err(|error| error.to_string());
            }
        }
    }
}

impl<R: BufRead, T: DeserializeOwned> Iterator for Reader<R, T> {
    type Item = Result<T, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(|why| Unreadable { line: self.line, why }).transpose()
    }
}

/// Writes values of one type, a line each.
#[derive(Debug)]
pub struct Writer<W, T> {
    output: W,
    buffer: Vec<u8>,
    value: PhantomData<fn(T)>,
}

impl<W: Write, T: Serialize> Writer<W, T> {
    /// Writes there. Buffering is the caller's.
    pub const fn new(output: W) -> Self {
        Self { output, buffer: Vec::new(), value: PhantomData }
    }

    /// Writes a line, in one piece.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&mut self, value: &T) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, value)?;
        self.buffer.push(b'\n');
        self.output.write_all(&self.buffer)
    }

    /// Passes on what the output buffers.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// The output, after what it buffers was passed on.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}
