//! How much space the file system has left, and what may still be written into it.

use std::path::PathBuf;

use metrics::Gauge;

use crate::Settings;

/// Watches the free space of the file system that a directory is on.
pub(crate) struct Space {
    path: PathBuf,
    free_bytes_min_commands: u64,
    free_bytes_min: u64,
    free_bytes: Gauge,
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Everything.
    Enough,
    /// All but new commands.
    NoCommands,
    /// Nothing.
    None,
}

impl Space {
    pub(crate) fn new(path: PathBuf, settings: &Settings) -> Self {
        Self {
            path,
            free_bytes_min_commands: settings.free_bytes_min_commands,
            free_bytes_min: settings.free_bytes_min,
            free_bytes: metrics::gauge!("ordain_embedded_free_bytes"),
        }
    }

    /// What may be written when so many bytes are about to be.
    pub(crate) fn room(&self, bytes: usize) -> Room {
        let free = match rustix::fs::statvfs(&self.path) {
            Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
            Err(error) => {
                // The write itself will tell.
                tracing::warn!(%error, "free_space_unknown");
                return Room::Enough;
            }
        };
        self.free_bytes.set(free as f64);
        let left = free.saturating_sub(bytes as u64);
        if left < self.free_bytes_min {
            Room::None
        } else if left < self.free_bytes_min_commands {
            Room::NoCommands
        } else {
            Room::Enough
        }
    }
}
