//! Where the real servers are that adapters are tested against.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Written by `cargo xtask services up` once all servers answer.
const ADDRESSES: &str = "target/services/addresses.json";

/// The addresses of the real servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Services {
    /// The broker's host and port.
    pub kafka: String,
    /// The URL of the replica set.
    pub mongodb: String,
    /// The URL of the server.
    pub redis: String,
}

/// The real servers of this workspace.
///
/// # Panics
/// When they are not up: a test that needs them must fail then, and says what to run.
#[must_use]
pub fn services() -> Services {
    let found = read(&workspace().join(ADDRESSES));
    assert!(found.is_ok(), "no real servers: {found:?}; run: cargo xtask services up");
    #[expect(clippy::unwrap_used, reason = "asserted in the line above, with a better message")]
    found.unwrap()
}

fn read(path: &Path) -> Result<Services, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The root of the workspace that the running test belongs to: where the lock file is.
fn workspace() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = package.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let root = package.ancestors().find(|directory| directory.join("Cargo.lock").exists());
    root.unwrap_or(&package).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_one_above_this_package() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(workspace(), package.ancestors().nth(2).unwrap());
    }

    #[test]
    fn addresses_are_read_and_absent_ones_are_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("addresses.json");
        assert!(read(&path).is_err());
        fs::write(&path, r#"{"kafka": "k:1", "mongodb": "mongodb://m", "redis": "redis://r"}"#)
            .unwrap();
        let services = read(&path).unwrap();
        assert_eq!(services.kafka, "k:1");
        assert_eq!(services.mongodb, "mongodb://m");
        assert_eq!(services.redis, "redis://r");
    }
}
