//! What is written down under `target/services` about what runs.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::process::Process;
use super::server::Server;
use super::set::Set;

/// A server that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Which.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) ports: Vec<u16>,
    /// Its process.
    pub(crate) process: Process,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

/// What was started of a set, as far as it is written down.
pub(crate) fn read(set: &Set) -> anyhow::Result<Vec<Record>> {
    read_in(&set.directory()?)
}

fn read_in(directory: &Path) -> anyhow::Result<Vec<Record>> {
    let path = directory.join("servers.json");
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged; remove it", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A server's name, and the ports that it listens at.
pub(crate) type Listening = (String, Vec<u16>);

/// Where servers listen that were started.
pub(crate) fn listening(records: &[Record]) -> Vec<Listening> {
    records.iter().map(|record| (record.name.clone(), record.ports.clone())).collect()
}

/// The addresses by name.
pub(crate) fn addresses<const N: usize>(
    listening: &[Listening],
    servers: [&dyn Server; N],
) -> Value {
    let address = |(name, ports): &Listening| {
        let server = servers.iter().find(|server| server.name() == name)?;
        Some((name.clone(), Value::from(server.address(ports))))
    };
    Value::Object(listening.iter().filter_map(address).collect::<Map<_, _>>())
}

/// The right to change what is written down of a set: one process at a time has it.
pub(crate) struct Records {
    directory: PathBuf,
    _lock: File,
}

impl Records {
    /// Waits for the right.
    pub(crate) fn lock(set: &Set) -> anyhow::Result<Self> {
        let directory = set.directory()?;
        let lock = File::create(directory.join("lock"))?;
        lock.lock()?;
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn read(&self) -> anyhow::Result<Vec<Record>> {
        read_in(&self.directory)
    }

    pub(crate) fn write(&self, records: &[Record]) -> anyhow::Result<()> {
        self.replace("servers.json", &serde_json::to_vec_pretty(records)?)
    }

    pub(crate) fn write_addresses<const N: usize>(
        &self,
        listening: &[Listening],
        servers: [&dyn Server; N],
    ) -> anyhow::Result<()> {
        let addresses = addresses(listening, servers);
        self.replace("addresses.json", &serde_json::to_vec_pretty(&addresses)?)
    }

    pub(crate) fn forget_addresses(&self) -> anyhow::Result<()> {
        remove(&self.directory.join("addresses.json"))
    }

    /// Removes all but what was downloaded.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        let data = self.directory.join("run");
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        remove(&self.directory.join("servers.json"))
    }

    /// Whoever reads meanwhile sees the old or the new, never a part.
    fn replace(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let new = self.directory.join(format!("{name}.new"));
        fs::write(&new, content)?;
        Ok(fs::rename(new, self.directory.join(name))?)
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
