//! A copy of the checkout that may be broken.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::run;

/// A copy of the tracked files, with a target directory of its own.
pub(crate) struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Copies what differs. Files that are the same stay untouched and need not be built again;
    /// what a run before left broken differs and is mended.
    pub(crate) fn of_checkout() -> anyhow::Result<Self> {
        let beneath = run::root().join("target/breakages");
        let copy = Self { root: beneath.join("checkout"), target: beneath.join("target") };
        let listed = Command::new("git").arg("ls-files").current_dir(run::root()).output()?;
        ensure!(listed.status.success(), "git does not list the files");
        let listed = String::from_utf8(listed.stdout)?;
        let tracked: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).collect();
        copy.forget_all_but(&tracked, Path::new(""))?;
        for path in &tracked {
            // A file that was just deleted is still listed.
            let Ok(content) = fs::read(run::root().join(path)) else { continue };
            if fs::read(copy.root.join(path)).ok().as_ref() != Some(&content) {
                copy.write_bytes(path, &content)?;
            }
        }
        Ok(copy)
    }

    fn forget_all_but(&self, tracked: &BTreeSet<PathBuf>, folder: &Path) -> anyhow::Result<()> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.forget_all_but(tracked, &path)?;
            } else if !tracked.contains(&path) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    pub(crate) fn read(&self, path: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("{path} cannot be read"))
    }

    /// Writes the file anew, so that it is younger than whatever was built from it.
    pub(crate) fn write(&self, path: &str, content: &str) -> anyhow::Result<()> {
        self.write_bytes(Path::new(path), content.as_bytes())
    }

    fn write_bytes(&self, path: &Path, content: &[u8]) -> anyhow::Result<()> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(&path, content).with_context(|| format!("{} cannot be written", path.display()))
    }
}
