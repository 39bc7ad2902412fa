//! What a disk holds: files and directories, their contents and names, and the changes of them.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file or directory, whatever its name.
pub(crate) type Node = usize;
/// The node of the directory that is watched.
pub(crate) const ROOT: Node = 0;

/// The content of a file; what lies behind its bytes is zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    /// The bytes up to the last one that was written.
    pub(crate) bytes: Vec<u8>,
    /// The length of the file.
    pub(crate) length: u64,
}

/// The names in a directory.
pub(crate) type Names = BTreeMap<OsString, Node>;

/// All files and directories there ever were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    /// The contents of the files.
    pub(crate) files: HashMap<Node, Arc<Content>>,
    /// The names in the directories.
    pub(crate) directories: HashMap<Node, Names>,
}

/// A change that a sync makes certain.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Bytes were written to a file.
    Write { file: Node, offset: u64, bytes: Arc<[u8]> },
    /// A file got another length.
    Resize { file: Node, length: u64 },
    /// A name was made.
    Link { directory: Node, name: OsString, node: Node },
    /// A name was removed.
    Unlink { directory: Node, name: OsString },
    /// A name was changed; what had the new one is gone.
    Rename { directory: Node, from: OsString, to: OsString, node: Node },
}

impl Change {
    /// The file or directory whose sync makes it certain.
    pub(crate) const fn node(&self) -> Node {
        match self {
            Self::Write { file, .. } | Self::Resize { file, .. } => *file,
            Self::Link { directory, .. }
            | Self::Unlink { directory, .. }
            | Self::Rename { directory, .. } => *directory,
        }
    }

    /// Whether nothing is left to be seen of an earlier write where this was made.
    pub(super) fn is_over(&self, earlier: &Self) -> bool {
        let Self::Write { file: of, offset: at, bytes } = earlier else { return false };
        match self {
            Self::Write { file, offset, bytes: over } => {
                file == of && *offset < at + bytes.len() as u64 && *at < offset + over.len() as u64
            }
            Self::Resize { file, length } => file == of && length <= at,
            _ => false,
        }
    }
}

impl Content {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let from = usize::try_from(offset).expect("files fit into memory");
        let to = from + bytes.len();
        if self.bytes.len() < to {
            self.bytes.resize(to, 0);
        }
        self.bytes[from..to].copy_from_slice(bytes);
        self.length = self.length.max(to as u64);
    }

    fn resize(&mut self, length: u64) {
        let kept = usize::try_from(length).unwrap_or(usize::MAX);
        self.bytes.truncate(kept);
        self.length = length;
    }
}

impl Nodes {
    /// With an empty root.
    pub(super) fn new() -> Self {
        let mut nodes = Self::default();
        nodes.directories.insert(ROOT, Names::new());
        nodes
    }

    /// Makes a change.
    pub(crate) fn make(&mut self, change: &Change) {
        match change {
            Change::Write { file, offset, bytes } => {
                Arc::make_mut(self.files.entry(*file).or_default()).write(*offset, bytes);
            }
            Change::Resize { file, length } => {
                Arc::make_mut(self.files.entry(*file).or_default()).resize(*length);
            }
            Change::Link { directory, name, node } => {
                self.directories.entry(*directory).or_default().insert(name.clone(), *node);
            }
            Change::Unlink { directory, name } => {
                self.directories.entry(*directory).or_default().remove(name);
            }
            Change::Rename { directory, from, to, node } => {
                let names = self.directories.entry(*directory).or_default();
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    /// Every path below the root, with the content of the files and `None` for directories.
    pub(crate) fn paths(&self) -> BTreeMap<PathBuf, Option<Arc<Content>>> {
        let mut paths = BTreeMap::new();
        self.collect(ROOT, Path::new(""), &mut paths);
        paths
    }

    fn collect(
        &self,
        directory: Node,
        below: &Path,
        paths: &mut BTreeMap<PathBuf, Option<Arc<Content>>>,
    ) {
        for (name, node) in self.directories.get(&directory).into_iter().flatten() {
            let path = below.join(name);
            if self.directories.contains_key(node) {
                paths.insert(path.clone(), None);
                self.collect(*node, &path, paths);
            } else {
                paths.insert(path, Some(self.files.get(node).cloned().unwrap_or_default()));
            }
        }
    }
}
