//! The tables of a home: one fjall database, one keyspace a table.

use std::path::Path;

use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, Snapshot, UserValue};
use fjall::{Guard, Readable as _};

use crate::Settings;

/// What is kept apart, each in the order of its own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    /// Partition and offset → time and record.
    Requests,
    /// The same for events.
    Events,
    /// Aggregate and revision → sequence and commit.
    Commits,
    /// Request id and aggregate → revision. Ids that grow with time stand together, so that whether
    /// one was decided is found without going through all that ever was.
    Outcomes,
    /// Aggregate and fold version → revision and snapshot.
    Snapshots,
    /// Aggregate → sequence up to which its events are published.
    Published,
    /// View and key → sequence and row.
    Rows,
    /// View and aggregate → sequence.
    Marks,
    /// All that there is little of: progress, dead letters, crash marks, announcements, and
    /// whether the home is open.
    Notes,
}

impl Table {
    pub(crate) const ALL: [Self; 9] = [
        Self::Requests,
        Self::Events,
        Self::Commits,
        Self::Outcomes,
        Self::Snapshots,
        Self::Published,
        Self::Rows,
        Self::Marks,
        Self::Notes,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Events => "events",
            Self::Commits => "commits",
            Self::Outcomes => "outcomes-by-request",
            Self::Snapshots => "snapshots",
            Self::Published => "published",
            Self::Rows => "rows",
            Self::Marks => "marks",
            Self::Notes => "notes",
        }
    }
}

/// What a table is asked for; an error is the store's.
pub(crate) type Result<T> = std::result::Result<T, fjall::Error>;

/// The journal is replayed when a home is opened, so it is kept as short as fjall allows.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// What a table keeps in memory before it is flushed. It is stored with the table when that is
/// made; so it is no setting.
const MEMTABLE_BYTES_MAX: u64 = 16 << 20;

/// All tables. Only the writer writes.
pub(crate) struct Tables {
    // Before the database: a handle that outlives it would keep it from closing.
    keyspaces: [Keyspace; Table::ALL.len()],
    database: Database,
}

impl Tables {
    /// Opens the tables, and makes those that there are not.
    pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Self> {
        let database = Database::builder(path)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            // A record that cannot be checked before it is unpacked is worth no saved byte.
            .journal_compression(CompressionType::None)
            // Every batch says itself how durable it is.
            .manual_journal_persist(true)
            .cache_size(settings.cache_bytes)
            .worker_threads(settings.worker_threads.max(1))
            .open()?;
        let open = |table: Table| {
            database.keyspace(table.name(), || {
                KeyspaceCreateOptions::default()
                    .manual_journal_persist(true)
                    .max_memtable_size(MEMTABLE_BYTES_MAX)
            })
        };
        let [a, b, c, d, e, f, g, h, i] = Table::ALL.map(open);
        let keyspaces = [a?, b?, c?, d?, e?, f?, g?, h?, i?];
        Ok(Self { keyspaces, database })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) const fn keyspace(&self, table: Table) -> &Keyspace {
        &self.keyspaces[table as usize]
    }

    /// All that is durable now, and nothing that becomes so later.
    pub(crate) fn view(&self) -> View<'_> {
        View { tables: self, snapshot: self.database.snapshot() }
    }

    /// The newest value under a key; for the writer, which alone changes them.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<UserValue>> {
        self.keyspace(table).get(key)
    }

    /// Whether there is a value under a key; for the writer.
    pub(crate) fn contains(&self, table: Table, key: &[u8]) -> Result<bool> {
        self.keyspace(table).contains_key(key)
    }
}

/// A view of the tables as of one moment.
pub(crate) struct View<'a> {
    tables: &'a Tables,
    snapshot: Snapshot,
}

impl View<'_> {
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<UserValue>> {
        self.snapshot.get(self.tables.keyspace(table), key)
    }

    /// What stands under the keys of a range, in their order.
    pub(crate) fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = Result<fjall::KvPair>> + use<> {
        self.snapshot.range(self.tables.keyspace(table), from..to).map(Guard::into_inner)
    }

    /// What stands under the keys that begin so, in their order.
    pub(crate) fn prefix(
        &self,
        table: Table,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<fjall::KvPair>> + use<> {
        self.snapshot.prefix(self.tables.keyspace(table), prefix).map(Guard::into_inner)
    }

    /// What stands under the last key below this one.
    pub(crate) fn last_below(&self, table: Table, key: &[u8]) -> Result<Option<fjall::KvPair>> {
        self.snapshot
            .range(self.tables.keyspace(table), ..key)
            .next_back()
            .map(Guard::into_inner)
            .transpose()
    }

    /// The last key that begins so.
    pub(crate) fn last_key(&self, table: Table, prefix: &[u8]) -> Result<Option<fjall::UserKey>> {
        self.snapshot
            .prefix(self.tables.keyspace(table), prefix)
            .next_back()
            .map(Guard::key)
            .transpose()
    }
}
