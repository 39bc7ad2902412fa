//! What was downloaded, so that it is downloaded once.

use std::fs;
use std::path::{Path, PathBuf};

use super::set;

/// Another place for it than `target/services/cache`, for machines that keep one for all clones.
const VARIABLE: &str = "ORDAIN_SERVICES_CACHE";

/// The directory of that name, made by `make` the first time. A directory that stands is complete:
/// `make` works elsewhere, and only what it has finished is moved here.
pub(crate) fn directory(
    name: &str,
    make: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let cache = match std::env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => set::shared().join("cache"),
    };
    let complete = cache.join(name);
    if !complete.exists() {
        fs::create_dir_all(&cache)?;
        let unfinished = tempfile::tempdir_in(&cache)?;
        make(unfinished.path())?;
        // Another clone may share the cache and have been faster; then its directory serves.
        if let Err(error) = fs::rename(unfinished.path(), &complete)
            && !complete.exists()
        {
            return Err(error.into());
        }
    }
    Ok(complete)
}
