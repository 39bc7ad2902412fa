//! The logs as lanes see them: where they begin and end, and their newest records in memory, so
//! that a lane that keeps up neither reads the disk nor decodes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, Weak};

use ordain_model::Timestamp;
use ordain_ports::{Content, Position, Record};
use tokio::sync::Notify;

use crate::fault::Fault;
use crate::queue::lock;
use crate::record::{self, Recorded};
use crate::tables::{Table, Tables};
use crate::{Settings, key};

/// A record that is durable, or becomes so no later than whatever its lane makes of it.
pub(crate) struct Entry<R> {
    pub(crate) offset: u64,
    pub(crate) time: Timestamp,
    pub(crate) bytes: usize,
    pub(crate) content: Content<R>,
}

impl<R: Clone> Entry<R> {
    /// The entry at its place.
    pub(crate) fn at(self, offset: u64) -> Arc<Self> {
        Arc::new(Self { offset, ..self })
    }

    pub(crate) fn record(&self, partition: u32) -> Record<R> {
        Record {
            position: Position { partition, offset: self.offset },
            time: self.time,
            bytes: self.bytes,
            content: self.content.clone(),
        }
    }
}

/// One of the two logs.
pub(crate) struct Log<R> {
    kind: Kind,
    partitions: Vec<Mutex<Tail<R>>>,
    tail_bytes_max: usize,
    tail_records_max: usize,
}

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Requests,
    Events,
}

impl Kind {
    pub(crate) const fn table(self) -> Table {
        match self {
            Self::Requests => Table::Requests,
            Self::Events => Table::Events,
        }
    }

    /// The byte that stands for the log in keys.
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Requests => b'r',
            Self::Events => b'e',
        }
    }
}

/// The newest records of a partition.
struct Tail<R> {
    entries: VecDeque<Arc<Entry<R>>>,
    bytes: usize,
    /// The offset below which records were deleted.
    start: u64,
    /// One above the highest offset that is shown.
    end: u64,
    lanes: Vec<Weak<Notify>>,
    /// Whether a lane has records that it is not done with; one that waits for more has none.
    busy: bool,
}

/// How much a lane wants at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) records_max: usize,
    pub(crate) bytes_max: usize,
}

/// What there is from an offset on.
pub(crate) enum Found<R> {
    Nothing,
    InMemory(Vec<Arc<Entry<R>>>),
    /// On disk from this offset on.
    OnDisk(u64),
}

impl<R: Recorded> Log<R> {
    /// The log as the tables have it.
    pub(crate) fn open(
        kind: Kind,
        partitions: u32,
        tables: &Tables,
        settings: &Settings,
    ) -> Result<Self, Fault> {
        let view = tables.view();
        let tail = |partition: u32| {
            let unreadable = |why| Fault::Unreadable { what: "a log's start".to_owned(), why };
            let start = match view.get(Table::Notes, &key::start(kind.byte(), partition))? {
                Some(start) => record::number(&start).map_err(unreadable)?,
                None => 0,
            };
            let last = view.last_key(kind.table(), &key::partition(partition))?;
            let end = last.as_deref().and_then(key::last_number).map_or(0, |last| last + 1);
            // When all records were deleted, the offsets go on behind them nevertheless.
            let end = end.max(start);
            let (entries, lanes) = (VecDeque::new(), Vec::new());
            Ok(Mutex::new(Tail { entries, bytes: 0, start, end, lanes, busy: false }))
        };
        let count = partitions as usize;
        Ok(Self {
            kind,
            partitions: (0..partitions).map(tail).collect::<Result<_, Fault>>()?,
            tail_bytes_max: settings.tail_bytes_max / count.max(1),
            tail_records_max: settings.tail_records_max / count.max(1),
        })
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn partitions(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// The end of every partition.
    pub(crate) fn ends(&self) -> Vec<u64> {
        self.partitions.iter().map(|tail| lock(tail).end).collect()
    }

    /// The offset below which the records of a partition were deleted.
    pub(crate) fn start(&self, partition: u32) -> u64 {
        self.tail(partition).map_or(0, |tail| lock(tail).start)
    }

    /// The records below this offset were deleted.
    pub(crate) fn show_start(&self, partition: u32, start: u64) {
        if let Some(tail) = self.tail(partition) {
            let mut tail = lock(tail);
            tail.start = tail.start.max(start);
            while tail.entries.front().is_some_and(|entry| entry.offset < start) {
                tail.drop_oldest();
            }
        }
    }

    fn tail(&self, partition: u32) -> Option<&Mutex<Tail<R>>> {
        self.partitions.get(partition as usize)
    }

    /// Shows records, in the order of their offsets, and wakes the lanes that wait for them. Gives
    /// the partitions that have grown; until they are trimmed, memory keeps all that was shown.
    pub(crate) fn show(
        &self,
        entries: impl Iterator<Item = (u32, Arc<Entry<R>>)>,
    ) -> BTreeSet<u32> {
        let mut grown = BTreeSet::new();
        for (partition, entry) in entries {
            let Some(tail) = self.tail(partition) else {
                continue;
            };
            let mut tail = lock(tail);
            tail.end = entry.offset + 1;
            tail.bytes += entry.bytes;
            tail.entries.push_back(entry);
            grown.insert(partition);
        }
        for tail in grown.iter().filter_map(|partition| self.tail(*partition)) {
            lock(tail).wake();
        }
        grown
    }

    /// Forgets the oldest records of a partition as far as they are too many. All that is shown
    /// is durable, and can be read from the disk.
    pub(crate) fn trim(&self, partition: u32) {
        if let Some(tail) = self.tail(partition) {
            let mut tail = lock(tail);
            while tail.bytes > self.tail_bytes_max || tail.entries.len() > self.tail_records_max {
                tail.drop_oldest();
            }
        }
    }

    /// Whether a lane is at work on records of a partition.
    pub(crate) fn is_busy(&self, partition: u32) -> bool {
        self.tail(partition).is_some_and(|tail| lock(tail).busy)
    }

    /// Lets a lane be woken by new records of a partition, as long as the signal lives.
    pub(crate) fn wake_on_new(&self, partition: u32, signal: &Arc<Notify>) {
        if let Some(tail) = self.tail(partition) {
            let mut tail = lock(tail);
            tail.lanes.retain(|lane| lane.strong_count() > 0);
            tail.lanes.push(Arc::downgrade(signal));
            tail.busy = false;
        }
    }

    /// What there is from an offset on, as far as memory knows.
    pub(crate) fn find(&self, partition: u32, from: u64, share: Share) -> Found<R> {
        let Some(tail) = self.tail(partition) else {
            return Found::Nothing;
        };
        let mut tail = lock(tail);
        let from = from.max(tail.start);
        tail.busy = from < tail.end;
        if !tail.busy {
            return Found::Nothing;
        }
        match tail.entries.front() {
            Some(first) if first.offset <= from => {
                let skipped = usize::try_from(from - first.offset).unwrap_or(usize::MAX);
                Found::InMemory(tail.share(skipped, share))
            }
            _ => Found::OnDisk(from),
        }
    }

    /// Records from an offset on, read from the disk.
    pub(crate) fn read(
        kind: Kind,
        tables: &Tables,
        from: Position,
        share: Share,
    ) -> Result<Vec<Record<R>>, Fault> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let end = key::behind(&key::partition(from.partition));
        for pair in tables.view().range(kind.table(), &key::record(from), &end) {
            let (key, value) = pair?;
            let Some(offset) = key::last_number(&key) else {
                continue;
            };
            let (time, payload) = record::untimed(&value);
            bytes += payload.len();
            if !records.is_empty() && bytes > share.bytes_max {
                break;
            }
            records.push(Record {
                position: Position { partition: from.partition, offset },
                time,
                bytes: payload.len(),
                content: R::content(payload),
            });
            if records.len() >= share.records_max {
                break;
            }
        }
        Ok(records)
    }
}

impl<R> Tail<R> {
    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.bytes;
        }
    }

    /// At least one entry behind the skipped ones, and no more than the share.
    fn share(&self, skipped: usize, share: Share) -> Vec<Arc<Entry<R>>> {
        let mut bytes = 0;
        let fits = |(taken, entry): &(usize, &Arc<Entry<R>>)| {
            bytes += entry.bytes;
            *taken == 0 || (*taken < share.records_max && bytes <= share.bytes_max)
        };
        let entries = self.entries.range(skipped.min(self.entries.len())..).enumerate();
        entries.take_while(fits).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    fn wake(&mut self) {
        let lanes = self.lanes.iter().filter_map(Weak::upgrade);
        self.busy = lanes.map(|lane| lane.notify_one()).count() > 0;
    }
}
