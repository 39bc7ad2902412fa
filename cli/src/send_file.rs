//! `ordain send --file`: a file of commands, many under way at once, those of one aggregate in
//! order.

mod lines;
mod order;
mod report;
mod request_ids;

use std::cell::RefCell;
use std::path::PathBuf;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::problem::Problem;
use crate::sending::{Ending, Retry, Sender, Settled};
use lines::{Input, Line, Place, Read};
use order::{Aggregate, Order};
use report::{Entry, Report};

/// So many commands in a row without an outcome, at the least, and the rest is not tried.
const HOPELESS_MIN: usize = 8;

/// What is sent, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The file; stdin when there is none.
    pub(crate) path: Option<PathBuf>,
    /// What request ids are made from.
    pub(crate) batch: String,
    /// How many commands may be under way at once.
    pub(crate) in_flight_max: usize,
    /// A line of JSON per command.
    pub(crate) json: bool,
}

/// Sends the commands of a file.
///
/// # Errors
/// The file cannot be opened, or stdout takes no more.
pub(crate) async fn run(sender: Sender, settings: Settings) -> Result<Exit, Box<Failure>> {
    let input = Input::open(settings.path.as_deref())?;
    let report = RefCell::new(Report::new(settings.json, input.bytes));
    let mut lines = input.read(&settings.batch);
    let mut work = Work {
        sender: &sender,
        report: &report,
        order: Order::new(),
        flights: FuturesUnordered::new(),
        in_flight_max: settings.in_flight_max,
        hopeless: 0,
        reading: true,
        stopped: false,
    };
    let unprinted = work.all(&mut lines).await.err();
    drop(work);
    let finished = report.into_inner().finish();
    match unprinted {
        None => finished,
        // Nobody heard what became of those under way.
        Some(unprinted) => Err(Box::new(Failure { exit: Exit::Unknown, ..*unprinted })),
    }
}

/// The commands that are read and not settled.
struct Work<'a> {
    sender: &'a Sender,
    report: &'a RefCell<Report>,
    order: Order<Line>,
    flights: FuturesUnordered<LocalBoxFuture<'a, Flown>>,
    in_flight_max: usize,
    /// How many commands in a row ended without an outcome.
    hopeless: usize,
    /// Whether there may be more to read.
    reading: bool,
    /// Whether nothing more is begun.
    stopped: bool,
}

/// A command that came to an end.
struct Flown {
    aggregate: Aggregate,
    line: Line,
    settled: Settled,
}

impl Work<'_> {
    async fn all(&mut self, lines: &mut mpsc::Receiver<Read>) -> Result<(), Box<Failure>> {
        while self.reading || !self.flights.is_empty() {
            tokio::select! {
                biased;
                () = self.sender.stop.cancelled(), if !self.stopped => self.abandon(),
                Some(flown) = self.flights.next() => self.landed(flown)?,
                read = lines.recv(), if self.reading => match read {
                    Some(read) => self.read(read)?,
                    None => self.reading = false,
                },
            }
            self.start();
        }
        Ok(())
    }

    /// Begins nothing more; what is under way comes to its own end.
    fn abandon(&mut self) {
        self.stopped = true;
        let waiting = self.order.clear();
        let mut report = self.report.borrow_mut();
        if self.reading {
            self.reading = false;
            report.say("stopped: the rest of the file is not sent");
            report.incomplete();
        } else {
            report.not_sent(waiting);
        }
    }

    fn read(&mut self, read: Read) -> Result<(), Box<Failure>> {
        match read {
            Read::Line(line) => match self.order.put(Aggregate::of(&line.command), line) {
                Ok(()) => Ok(()),
                Err(line) => self.not_sent(&line),
            },
            Read::Bad(place, why) => {
                let entry = Entry { error: Some(&why), ..entry(place, None, Exit::Refused) };
                self.report.borrow_mut().settled(&entry)
            }
            Read::Failed(why) => {
                let mut report = self.report.borrow_mut();
                report.say(&format!("the rest of the file cannot be read: {why}"));
                report.incomplete();
                Ok(())
            }
        }
    }

    fn start(&mut self) {
        while self.flights.len() < self.in_flight_max {
            let Some((aggregate, line)) = self.order.take() else {
                return;
            };
            let (sender, report) = (self.sender, self.report);
            self.flights.push(Box::pin(fly(sender, report, aggregate, line)));
        }
    }

    fn landed(&mut self, flown: Flown) -> Result<(), Box<Failure>> {
        let Flown { aggregate, line, settled } = flown;
        self.tell(&line, &settled)?;
        if matches!(settled.ending, Ending::Stored(_) | Ending::Refused(_))
            && settled.exit != Exit::Unknown
        {
            self.hopeless = 0;
            self.order.settled(aggregate);
            return Ok(());
        }
        for line in self.order.open(aggregate) {
            self.not_sent(&line)?;
        }
        self.hopeless += 1;
        if !self.stopped && self.hopeless >= self.in_flight_max.max(HOPELESS_MIN) {
            let text = format!("{} commands in a row without an outcome", self.hopeless);
            self.report.borrow().say(&text);
            self.abandon();
        }
        Ok(())
    }

    fn tell(&self, line: &Line, settled: &Settled) -> Result<(), Box<Failure>> {
        let mut entry = of_line(line, settled.exit);
        let stored: Option<Box<RawValue>>;
        let error;
        match &settled.ending {
            Ending::Stored(outcome) => {
                stored = RawValue::from_string(outcome.text.clone()).ok();
                entry.result = stored.as_deref();
                entry.words = outcome.words();
            }
            Ending::Refused(_) | Ending::Open(_) | Ending::Interrupted => {
                let violations = settled.problem().and_then(Problem::violations);
                let violations = violations.map(|lines| format!(": {}", lines.replace('\n', "; ")));
                error = settled.line() + &violations.unwrap_or_default();
                entry.error = Some(&error);
                entry.problem = settled.problem().and_then(|problem| problem.raw.as_deref());
            }
        }
        self.report.borrow_mut().settled(&entry)
    }

    fn not_sent(&self, line: &Line) -> Result<(), Box<Failure>> {
        let error = "not sent: a command before it to the same aggregate has no outcome";
        let entry = Entry { error: Some(error), ..of_line(line, Exit::NotAccepted) };
        self.report.borrow_mut().settled(&entry)
    }
}

async fn fly(sender: &Sender, report: &RefCell<Report>, aggregate: Aggregate, line: Line) -> Flown {
    let tell = |retry: &Retry<'_>| report.borrow_mut().retried(line.place.number, retry.why);
    let settled = sender.send(&line.command, tell).await;
    Flown { aggregate, line, settled }
}

fn of_line(line: &Line, exit: Exit) -> Entry<'_> {
    entry(line.place, Some(&line.command.request_id), exit)
}

fn entry(place: Place, request_id: Option<&str>, exit: Exit) -> Entry<'_> {
    Entry {
        index: place.index,
        line: place.number,
        exit,
        request_id,
        result: None,
        problem: None,
        error: None,
        bytes: place.bytes,
        words: String::new(),
    }
}
