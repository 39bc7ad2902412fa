//! A small disk, in memory, that gets full.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a disk may take to get full.
const FULL_MAX: Duration = Duration::from_secs(120);

/// A file system of its own, gone when this is dropped.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one of this size.
    pub(crate) fn mount(size: &str) -> Self {
        let disk = Self(tempfile::tempdir().expect("there is room for a directory"));
        disk.mounted(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        disk
    }

    /// Makes it larger.
    pub(crate) fn grow(&self, size: &str) {
        self.mounted(&["-o", &format!("remount,size={size}")]);
    }

    fn mounted(&self, arguments: &[&str]) {
        let mounted = Command::new("mount").args(arguments).arg(self.path()).output();
        let mounted = mounted.expect("the program mount is there");
        assert!(
            mounted.status.success(),
            "this test mounts small file systems in memory, for which it must run as root: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

/// Waits until a process has told that something was refused.
pub(crate) fn wait_for_refusal(told: &Path) {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(told).unwrap_or_default();
        if text.lines().any(|line| line.starts_with("refused")) {
            return;
        }
        assert!(begun.elapsed() < FULL_MAX, "the disk is never full");
        std::thread::sleep(Duration::from_millis(20));
    }
}
