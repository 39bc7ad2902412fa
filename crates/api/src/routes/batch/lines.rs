//! Where the commands of a batch come from: an array that has been read, or lines as they arrive.

use std::time::Duration;
use std::vec;

use axum::body::Body;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Problem, ProblemKind, Settings};

use super::item::Item;

/// How many bytes of a line may stand around the command's data: ids, names and punctuation.
const AROUND_DATA_BYTES_MAX: usize = 4096;

/// Where the commands of a batch come from.
pub(super) enum Source {
    /// From an array.
    Whole(vec::IntoIter<Item>),
    /// Line by line.
    Lines(Lines),
}

/// Lines of a body, read as they arrive. Empty ones are passed over.
pub(super) struct Lines {
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line break.
    searched: usize,
    line_bytes_max: usize,
    idle: Duration,
    going_down: CancellationToken,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// The line was too long; what is left of it is thrown away.
    Skipping,
    Ended,
}

impl Source {
    /// The next command; `None` behind the last. Safe to cancel: nothing is lost.
    pub(super) async fn next(&mut self) -> Option<Result<Item, Problem>> {
        match self {
            Self::Whole(items) => items.next().map(Ok),
            Self::Lines(lines) => {
                let line = lines.next().await?;
                Some(line.and_then(|line| Item::read(&line).map_err(Problem::malformed)))
            }
        }
    }
}

impl Lines {
    pub(super) fn new(body: Body, settings: &Settings, going_down: CancellationToken) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
            line_bytes_max: settings.body_bytes_max + AROUND_DATA_BYTES_MAX,
            idle: Duration::from_millis(settings.body_ms_max),
            going_down,
            state: State::Reading,
        }
    }

    /// The next line that is not empty; a problem for one that is too long, and as the last one
    /// when the body breaks off, nothing comes for too long, or the process goes down.
    async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        loop {
            if let Some(line) = self.buffered() {
                return Some(line);
            }
            if self.state == State::Ended {
                return None;
            }
            let read = tokio::select! {
                biased;
                () = self.going_down.cancelled() => return self.broken(Problem::going_down()),
                read = timeout(self.idle, self.body.frame()) => read,
            };
            match read {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Ok(None) => return self.last(),
                Ok(Some(Err(_))) => {
                    return self.broken(
                        Problem::new(ProblemKind::BadRequest, "BROKEN_BODY")
                            .because("the body ended before it was complete"),
                    );
                }
                Err(_) => return self.broken(Problem::slow_body()),
            }
        }
    }

    /// The next line that has wholly arrived.
    fn buffered(&mut self) -> Option<Result<Bytes, Problem>> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = fresh.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return self.too_long();
            };
            let line = self.buffer.split_to(self.searched + at).freeze();
            self.buffer.advance(1);
            self.searched = 0;
            if self.state == State::Skipping {
                self.state = State::Reading;
            } else if line.len() > self.line_bytes_max {
                return Some(Err(Problem::body_too_large(self.line_bytes_max)));
            } else if !line.trim_ascii().is_empty() {
                return Some(Ok(line));
            }
        }
    }

    /// What stands in the buffer has no end yet: says so once when it is too long for a line.
    fn too_long(&mut self) -> Option<Result<Bytes, Problem>> {
        if self.state == State::Reading && self.buffer.len() <= self.line_bytes_max {
            return None;
        }
        let is_news = self.state == State::Reading;
        if self.state != State::Ended {
            self.buffer.clear();
            self.searched = 0;
            self.state = State::Skipping;
        }
        is_news.then(|| Err(Problem::body_too_large(self.line_bytes_max)))
    }

    /// The body is over: what is left is a line without a break.
    fn last(&mut self) -> Option<Result<Bytes, Problem>> {
        let is_rest = self.state == State::Skipping;
        self.state = State::Ended;
        let line = self.buffer.split().freeze();
        (!is_rest && !line.trim_ascii().is_empty()).then_some(Ok(line))
    }

    fn broken(&mut self, problem: Problem) -> Option<Result<Bytes, Problem>> {
        self.state = State::Ended;
        self.buffer.clear();
        Some(Err(problem))
    }
}
