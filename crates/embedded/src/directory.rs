//! The directory of a home: who holds it, whether it is ours, and what its format file says.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use ordain_model::Timestamp;
use ordain_ports::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Settings;
use crate::settings::{PARTITIONS_DEFAULT, PARTITIONS_MAX};

/// The version of everything that is written below the directory. Since version 2 a record may have
/// a trace; since version 3 outcomes stand under their request ids. An older one that is opened
/// becomes 3.
const FORMAT: u32 = 3;

const LOCK: &str = "ordain.lock";
const FORMAT_FILE: &str = "ordain.format";
const FORMAT_NEW: &str = "ordain.format.new";
const STORE: &str = "ordain.store";
/// What a file system itself may have put into a directory.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// Why a directory could not be opened; for people.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by process {pid} since {since}", directory.display())]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The process that has it, as it wrote itself; `?` when it had no time to.
        pid: String,
        /// Since when it has it.
        since: String,
    },
    /// A newer build made it.
    #[error(
        "{} has format {found}, but this build reads formats up to {FORMAT}: use a newer ordain",
        directory.display()
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It has more partitions than were asked for.
    #[error(
        "{} has {had} partitions; there can be more of them, but not fewer (asked for {asked})",
        directory.display()
    )]
    Fewer {
        /// The directory.
        directory: PathBuf,
        /// The partitions it has.
        had: u32,
        /// The partitions that were asked for.
        asked: u32,
    },
    /// The log of events has another number of partitions, which never changes.
    #[error(
        "{} has {had} partitions of events, which never change (asked for {asked})",
        directory.display()
    )]
    EventPartitions {
        /// The directory.
        directory: PathBuf,
        /// The partitions it has.
        had: u32,
        /// The partitions that were asked for.
        asked: u32,
    },
    /// There cannot be so many partitions.
    #[error("there can be 1 to {PARTITIONS_MAX} partitions (asked for {asked})")]
    Partitions {
        /// The partitions that were asked for.
        asked: u32,
    },
    /// It is a file, or something else.
    #[error("{} is not a directory", directory.display())]
    NotADirectory {
        /// The path.
        directory: PathBuf,
    },
    /// It holds files that are not ours.
    #[error("{} is not empty and was not made by ordain: choose another", directory.display())]
    Foreign {
        /// The directory.
        directory: PathBuf,
    },
    /// An older build made it, and there is no room to bring it to this build's format.
    #[error(
        "{} needs {needed} bytes of free space, once, to be brought to format {FORMAT}; nothing of \
         it was changed",
        directory.display()
    )]
    NoRoom {
        /// The directory.
        directory: PathBuf,
        /// How many bytes have to be free beyond those that always are to stay so.
        needed: u64,
    },
    /// What it holds cannot be read.
    #[error("{} is damaged: {why}", directory.display())]
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file system refused something.
    #[error("cannot open {}: {source}", directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

/// What the format file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Format {
    format: u32,
    /// Partitions of the log of requests.
    pub(crate) partitions: u32,
    /// Partitions of the log of events.
    pub(crate) event_partitions: u32,
}

/// A directory that this process holds. Dropping it lets go.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Directory {
    /// Makes the directory if there is none, and takes hold of it.
    pub(crate) fn hold(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { directory: path.to_owned(), source };
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => refuse_foreign(path)?,
            Ok(_) => {
                return Err(OpenError::NotADirectory { directory: path.to_owned() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path).map_err(io)?;
                sync_parent(path).map_err(io)?;
            }
            Err(error) => return Err(io(error)),
        }
        let lock = lock(path)?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Where the tables are.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the directory holds: `None` when it was never finished being made.
    pub(crate) fn format(&self) -> Result<Option<Format>, OpenError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let text = match fs::read(self.path.join(FORMAT_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io(source)),
        };
        let unreadable = |error: serde_json::Error| {
            self.damaged(format!("its file {FORMAT_FILE} cannot be read: {error}"))
        };
        // The version is read first: a newer format may have other members.
        let Version { format } = serde_json::from_slice(&text).map_err(unreadable)?;
        if format > FORMAT {
            return Err(OpenError::Newer { directory: self.path.clone(), found: format });
        }
        serde_json::from_slice(&text).map(Some).map_err(unreadable)
    }

    /// The format that the settings ask for, given the one there is.
    pub(crate) fn wanted(
        &self,
        had: Option<Format>,
        settings: &Settings,
    ) -> Result<Format, OpenError> {
        let partitions = match (had, settings.partitions) {
            (None, asked) => asked.unwrap_or(PARTITIONS_DEFAULT),
            (Some(had), None) => had.partitions,
            (Some(had), Some(asked)) if asked < had.partitions => {
                let directory = self.path.clone();
                return Err(OpenError::Fewer { directory, had: had.partitions, asked });
            }
            (Some(_), Some(asked)) => asked,
        };
        let event_partitions = match (had, settings.event_partitions) {
            (None, asked) => asked.unwrap_or(partitions),
            (Some(had), Some(asked)) if asked != had.event_partitions => {
                let directory = self.path.clone();
                let had = had.event_partitions;
                return Err(OpenError::EventPartitions { directory, had, asked });
            }
            (Some(had), _) => had.event_partitions,
        };
        for asked in [partitions, event_partitions] {
            if !(1..=PARTITIONS_MAX).contains(&asked) {
                return Err(OpenError::Partitions { asked });
            }
        }
        Ok(Format { format: FORMAT, partitions, event_partitions })
    }

    /// Removes what an unfinished making left behind.
    pub(crate) fn clear(&self) -> Result<(), OpenError> {
        match fs::remove_dir_all(self.store()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io(error)),
            _ => Ok(()),
        }
    }

    /// Writes the format file, as a whole or not at all. It is the last step of making a
    /// directory: whatever stands without it was never used.
    pub(crate) fn write_format(&self, format: &Format) -> Result<(), OpenError> {
        let write = || {
            let new = self.path.join(FORMAT_NEW);
            let mut file = File::create(&new)?;
            serde_json::to_writer(&mut file, format)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, self.path.join(FORMAT_FILE))?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| self.io(source))
    }

    /// Makes the store and everything below it durable, names included: also its own, for a file
    /// system may keep the name of the format file, made later, and lose that of the store or of a
    /// table that is new.
    pub(crate) fn sync_store(&self) -> Result<(), OpenError> {
        let sync = || {
            sync_tree(&self.store())?;
            File::open(&self.path)?.sync_all()
        };
        sync().map_err(|source| self.io(source))
    }

    pub(crate) fn io(&self, source: io::Error) -> OpenError {
        OpenError::Io { directory: self.path.clone(), source }
    }

    /// What the store says when it is opened.
    pub(crate) fn store_failed(&self, error: fjall::Error) -> OpenError {
        match error {
            fjall::Error::Io(source) => self.io(source),
            other => self.damaged(other.to_string()),
        }
    }

    pub(crate) fn damaged(&self, why: impl Into<String>) -> OpenError {
        OpenError::Damaged { directory: self.path.clone(), why: why.into() }
    }
}

/// A directory with anything in it that we did not make is left alone.
fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { directory: path.to_owned(), source };
    let ours = [LOCK, FORMAT_FILE, FORMAT_NEW, STORE, OF_THE_FILE_SYSTEM];
    if path.join(FORMAT_FILE).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        if !ours.iter().any(|ours| name == *ours) {
            return Err(OpenError::Foreign { directory: path.to_owned() });
        }
    }
    Ok(())
}

impl Drop for Directory {
    /// Lets go at once, also when a child process that is just being started has inherited the
    /// open file.
    fn drop(&mut self) {
        // Closing the file does the same, only later.
        drop(self.lock.unlock());
    }
}

/// Locks the directory for this process and writes into the lock who that is.
fn lock(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { directory: path.to_owned(), source };
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path.join(LOCK))
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(io(error)),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Whoever holds it may be about to write its name.
            drop(file.read_to_string(&mut text));
            let (pid, since) = text.trim().split_once(' ').unwrap_or(("?", "?"));
            let (pid, since) = (pid.to_owned(), since.to_owned());
            return Err(OpenError::Held { directory: path.to_owned(), pid, since });
        }
    }
    let mut write = || {
        file.set_len(0)?;
        file.rewind()?;
        let now: Timestamp = SystemClock.now();
        writeln!(file, "{} {now}", std::process::id())
    };
    write().map_err(io)?;
    Ok(file)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn sync_tree(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync_tree(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}
