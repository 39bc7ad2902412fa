//! The embedded home as a world for the contract suites: a directory of its own for each test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use async_trait::async_trait;
use ordain_embedded::{Home, Settings};
use ordain_model::{AggregateKey, Command, RequestId};
use ordain_ports::contract::{
    Announcing, Beating, Channels, Damage, Letters, Logs, Marks, Patience, Revoking, Setup, Stores,
    Views, Waiting, World,
};
use ordain_ports::{
    Announcements, CommandLog, Commits, CrashMarks, DeadLetters, Delivered, EventLog, Feed,
    Heartbeats, Outcomes, Position, Published, Replies, ReplySender, Snapshots, ViewStore,
};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

/// An embedded home in a directory that is removed with it.
pub(crate) struct Embedded {
    pub(crate) home: Home,
    directory: TempDir,
}

fn settings(setup: Setup) -> Settings {
    let defaults = Settings::default();
    Settings {
        partitions: Some(setup.partitions),
        event_partitions: None,
        queue_records_max: match setup.waiting {
            Waiting::Ample => defaults.queue_records_max,
            Waiting::Tight => 16,
        },
        revoke_ms_max: match setup.revoking {
            Revoking::Ample => 60_000,
            Revoking::Tight => 50,
        },
        // Many of these are opened at once.
        cache_bytes: 1 << 20,
        ..defaults
    }
}

async fn open(directory: TempDir, setup: Setup) -> Embedded {
    let opening = spawn_blocking(move || {
        let home = Home::open(directory.path(), &settings(setup));
        Embedded { home: home.expect("the home opens"), directory }
    });
    opening.await.expect("opens")
}

/// Copies a directory as it is at this moment.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[async_trait]
impl World for Embedded {
    const PATIENCE: Patience = Patience {
        test: Duration::from_secs(120),
        state: Duration::from_secs(60),
        quiet: Duration::from_millis(200),
    };

    async fn fresh(setup: Setup) -> Self {
        open(TempDir::new().expect("a directory"), setup).await
    }

    /// Goes on from a copy that is made while the home is still open: what a killed process leaves
    /// behind, without the chance to close anything.
    async fn restart(self, setup: Setup) -> Self {
        let copied = spawn_blocking(move || {
            let directory = TempDir::new().expect("a directory");
            copy(self.directory.path(), directory.path()).expect("a copy of the directory");
            drop(self);
            directory
        });
        open(copied.await.expect("copies"), setup).await
    }
}

/// A text as the log's records carry it: its length, then its bytes. For short texts the length is
/// one byte.
fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).ok().filter(|length| *length < 128).expect("short"));
    bytes.extend_from_slice(text.as_bytes());
}

fn damaged(damage: Damage) -> Vec<u8> {
    match damage {
        Damage::Whole(bytes) => bytes,
        Damage::Body(aggregate, request) => damaged_body(&aggregate, &request),
    }
}

/// A record that ends behind the request id.
fn damaged_body(aggregate: &AggregateKey, request: &RequestId) -> Vec<u8> {
    let mut bytes = vec![1];
    text(&mut bytes, aggregate.as_str());
    text(&mut bytes, request.as_str());
    bytes
}

#[async_trait]
impl Logs for Embedded {
    async fn command_log(&self) -> Arc<dyn CommandLog> {
        self.home.command_log()
    }

    async fn event_log(&self) -> Arc<dyn EventLog> {
        self.home.event_log()
    }

    async fn join_requests(&self) -> Box<dyn Feed<Command>> {
        self.home.join_requests()
    }

    async fn join_events(&self, group: &str) -> Box<dyn Feed<Published>> {
        self.home.join_events(group)
    }

    async fn event_partitions(&self) -> u32 {
        self.home.event_partitions()
    }

    async fn append_damaged(&self, damage: Damage) -> Position {
        let delivery = self.home.append_raw(0, &damaged(damage)).expect("the log takes it");
        match delivery.await {
            Delivered::At(position) => position,
            other => panic!("not delivered: {other:?}"),
        }
    }
}

#[async_trait]
impl Stores for Embedded {
    async fn commits(&self) -> Arc<dyn Commits> {
        self.home.commits()
    }

    async fn snapshots(&self) -> Arc<dyn Snapshots> {
        self.home.snapshots()
    }

    async fn outcomes(&self) -> Arc<dyn Outcomes> {
        self.home.outcomes()
    }
}

#[async_trait]
impl Channels for Embedded {
    async fn sender(&self) -> Arc<dyn ReplySender> {
        self.home.reply_sender()
    }

    async fn replies(&self) -> Arc<dyn Replies> {
        self.home.replies()
    }
}

#[async_trait]
impl Views for Embedded {
    async fn view_store(&self) -> Arc<dyn ViewStore> {
        self.home.view_store()
    }
}

#[async_trait]
impl Letters for Embedded {
    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        self.home.dead_letters()
    }
}

#[async_trait]
impl Marks for Embedded {
    async fn crash_marks(&self) -> Arc<dyn CrashMarks> {
        self.home.crash_marks()
    }
}

#[async_trait]
impl Announcing for Embedded {
    async fn announcements(&self) -> Arc<dyn Announcements> {
        self.home.announcements()
    }
}

#[async_trait]
impl Beating for Embedded {
    async fn heartbeats(&self) -> Arc<dyn Heartbeats> {
        self.home.heartbeats()
    }
}
