//! A disk under a process: what of its calls is certainly on it, and what may or may not be.
//!
//! What is assumed of a disk and its file system is no more than POSIX promises:
//! - what was written to a file, and its length, is certain once an `fsync` or `fdatasync` of that
//!   file, entered after the write had returned, returned without error;
//! - a name in a directory (made, renamed or removed) is certain once an `fsync` of the directory
//!   has done so; a sync of the file alone does not make its name certain;
//! - until then each write, each change of length and each change of a name is there or is not,
//!   whatever became of those before it; a write may be there in part. A renaming is one change;
//! - what was not certain when a sync of it failed, no later sync makes certain: it is on the disk
//!   since then, in part perhaps, or never will be. What is written over it later is another
//!   change.

#[path = "disk/arguments.rs"]
mod arguments;
#[path = "disk/nodes.rs"]
mod nodes;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::trace::{Argument, Call, Moment};
use arguments::{descriptor, path_argument};
pub(crate) use nodes::{Change, Content, Nodes};
use nodes::{Names, Node, ROOT};

/// A change that so many syncs have not made certain is stale.
const SYNCS_OF_THE_FRESH: usize = 2;

/// A change that is not certain yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// What.
    pub(crate) change: Change,
    /// When the call returned.
    returned: Moment,
    /// How many syncs there had been before.
    syncs: usize,
    /// A sync of it has failed.
    lost: bool,
}

/// A disk while calls are made.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
    /// What the process sees.
    now: Nodes,
    /// What is certain.
    pub(crate) certain: Nodes,
    /// What is not, in the order in which it was begun.
    pub(crate) pending: Vec<Pending>,
    next_node: Node,
    syncs: usize,
    descriptors: HashMap<i32, usize>,
    opened: Vec<Opened>,
    paths: HashMap<Node, PathBuf>,
}

/// An opened file: its descriptors share a position.
#[derive(Debug, Clone)]
struct Opened {
    node: Node,
    position: u64,
    append: bool,
}

impl Disk {
    /// A disk on which the directory at this path is empty.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            now: Nodes::new(),
            certain: Nodes::new(),
            pending: Vec::new(),
            next_node: ROOT + 1,
            syncs: 0,
            descriptors: HashMap::new(),
            opened: Vec::new(),
            paths: HashMap::new(),
        }
    }

    /// Whether a name in the root is certain.
    pub(crate) fn is_certain(&self, name: &OsStr) -> bool {
        self.certain.directories.get(&ROOT).is_some_and(|names| names.contains_key(name))
    }

    /// Whether a change is from before the last few syncs: nothing seems to make it certain.
    pub(crate) const fn is_stale(&self, pending: &Pending) -> bool {
        self.syncs - pending.syncs > SYNCS_OF_THE_FRESH
    }

    /// Another process goes on with it.
    pub(crate) fn next_process(&mut self) {
        self.descriptors.clear();
        // All that it did is over before the next one does anything.
        for pending in &mut self.pending {
            pending.returned = 0;
        }
    }

    /// What a process sees now.
    pub(crate) const fn now(&self) -> &Nodes {
        &self.now
    }

    /// The path of what a sync is of, when it is of this disk.
    pub(crate) fn synced_by(&self, call: &Call) -> Option<PathBuf> {
        self.node(call).map(|node| self.path(node).to_owned())
    }

    /// A change, for people.
    pub(crate) fn shown(&self, change: &Change) -> String {
        let path = self.path(change.node()).display();
        match change {
            Change::Write { offset, bytes, .. } => format!("{path} {}@{offset}", bytes.len()),
            Change::Resize { length, .. } => format!("{path} length {length}"),
            Change::Link { name, .. } => format!("{path}/ +{}", name.display()),
            Change::Unlink { name, .. } => format!("{path}/ -{}", name.display()),
            Change::Rename { from, to, .. } => {
                format!("{path}/ {}→{}", from.display(), to.display())
            }
        }
    }

    /// The path that a node was last seen under.
    fn path(&self, node: Node) -> &Path {
        self.paths.get(&node).map_or(Path::new(""), PathBuf::as_path)
    }

    /// Makes a call.
    pub(crate) fn make(&mut self, call: &Call) {
        if call.result.is_none_or(|result| result < 0) {
            return self.failed(call);
        }
        match call.name.as_str() {
            "openat" | "open" | "creat" => self.open(call),
            "close" => drop(self.descriptors.remove(&descriptor(call, 0).0)),
            "dup" | "dup2" | "dup3" => self.duplicate(call),
            "fcntl" => match call.arguments[1].words() {
                "F_DUPFD" | "F_DUPFD_CLOEXEC" => self.duplicate(call),
                "F_SETFL" => self.refuse_unknown(call),
                _ => {}
            },
            "lseek" => self.seek(call),
            "write" => self.write(call, None),
            "pwrite64" => self.write(call, Some(call.arguments[3].number())),
            "ftruncate" => {
                let length = call.arguments[1].number();
                if let Some(file) = self.node(call) {
                    self.change(call, Change::Resize { file, length });
                }
            }
            "mkdir" | "mkdirat" => self.make_directory(call),
            "rename" | "renameat" | "renameat2" => self.rename(call),
            "unlink" | "unlinkat" | "rmdir" => self.remove(call),
            "fsync" | "fdatasync" => self.sync(call),
            "mmap" => self.refuse_writable_map(call),
            _ => self.refuse_unknown(call),
        }
    }

    fn failed(&mut self, call: &Call) {
        let data = ["write", "pwrite64", "ftruncate", "rename", "unlink", "unlinkat", "mkdir"];
        match call.name.as_str() {
            "close" => drop(self.descriptors.remove(&descriptor(call, 0).0)),
            "fsync" | "fdatasync" if call.result.is_some() => {
                if let Some(node) = self.node(call) {
                    let of_node =
                        self.pending.iter_mut().filter(|pending| pending.change.node() == node);
                    of_node.for_each(|pending| pending.lost = true);
                }
            }
            name if call.result.is_none() && data.contains(&name) && self.touches(call) => {
                panic!("whether this was made before the process was killed is unknown: {call:?}");
            }
            _ => {}
        }
    }

    fn touches(&self, call: &Call) -> bool {
        let below = |path: &Path| path.starts_with(&self.root);
        call.arguments.iter().any(|argument| match argument {
            Argument::Descriptor(_, path) => below(path),
            Argument::Bytes(bytes) => below(Path::new(OsStr::from_bytes(bytes))),
            Argument::Word(_) => false,
        })
    }

    fn refuse_unknown(&self, call: &Call) {
        assert!(!self.touches(call), "what this call does is unknown: {call:?}");
    }

    fn refuse_writable_map(&self, call: &Call) {
        let written = call.arguments[2].words().contains("PROT_WRITE")
            && call.arguments[3].words().contains("MAP_SHARED");
        assert!(!(written && self.touches(call)), "what is written is not seen: {call:?}");
    }

    fn change(&mut self, call: &Call, change: Change) {
        self.now.make(&change);
        let (returned, syncs) = (call.returned, self.syncs);
        self.pending.push(Pending { change, returned, syncs, lost: false });
    }

    /// The node at a path that the process sees, and where its name is.
    fn find(&self, path: &Path) -> Option<(Node, OsString, Option<Node>)> {
        let below = path.strip_prefix(&self.root).ok()?;
        let mut directory = ROOT;
        let mut parts = below.components().peekable();
        while let Some(Component::Normal(name)) = parts.next() {
            let node = self.now.directories.get(&directory)?.get(name).copied();
            if parts.peek().is_none() {
                return Some((directory, name.to_owned(), node));
            }
            directory = node?;
        }
        Some((ROOT, OsString::new(), Some(ROOT)))
    }

    fn open(&mut self, call: &Call) {
        let path = path_argument(call, 0);
        let Some((directory, name, node)) = self.find(&path) else { return };
        let flags = call.arguments.iter().find_map(|argument| match argument {
            Argument::Word(word) if word.starts_with("O_") => Some(word.clone()),
            _ => None,
        });
        let flags = flags.unwrap_or_default();
        let node = node.unwrap_or_else(|| {
            assert!(flags.contains("O_CREAT"), "opened, but not there: {}", path.display());
            let node = self.new_node(&path);
            self.now.files.insert(node, Arc::default());
            self.change(call, Change::Link { directory, name, node });
            node
        });
        if flags.contains("O_TRUNC") && self.length(node) > 0 {
            self.change(call, Change::Resize { file: node, length: 0 });
        }
        let descriptor = i32::try_from(call.result.unwrap_or(-1)).expect("descriptors are small");
        let append = flags.contains("O_APPEND");
        self.opened.push(Opened { node, position: 0, append });
        self.descriptors.insert(descriptor, self.opened.len() - 1);
    }

    fn new_node(&mut self, path: &Path) -> Node {
        let node = self.next_node;
        self.next_node += 1;
        self.paths.insert(node, path.strip_prefix(&self.root).unwrap_or(path).to_owned());
        node
    }

    fn length(&self, node: Node) -> u64 {
        self.now.files.get(&node).map_or(0, |content| content.length)
    }

    fn duplicate(&mut self, call: &Call) {
        if let Some(opened) = self.descriptors.get(&descriptor(call, 0).0).copied() {
            let copy = i32::try_from(call.result.unwrap_or(-1)).expect("descriptors are small");
            self.descriptors.insert(copy, opened);
        }
    }

    fn opened(&mut self, call: &Call) -> Option<&mut Opened> {
        let at = self.opened_at(call)?;
        self.opened.get_mut(at)
    }

    fn opened_at(&self, call: &Call) -> Option<usize> {
        let (descriptor, path) = descriptor(call, 0);
        let opened = self.descriptors.get(&descriptor).copied();
        if opened.is_none() {
            assert!(!path.starts_with(&self.root), "opened unseen: {call:?}");
        }
        opened
    }

    fn node(&self, call: &Call) -> Option<Node> {
        self.opened.get(self.opened_at(call)?).map(|opened| opened.node)
    }

    fn seek(&mut self, call: &Call) {
        let position = u64::try_from(call.result.unwrap_or(0)).unwrap_or(0);
        if let Some(opened) = self.opened(call) {
            opened.position = position;
        }
    }

    fn write(&mut self, call: &Call, at: Option<u64>) {
        let Some(opened) = self.opened(call) else { return };
        let (file, append, position) = (opened.node, opened.append, opened.position);
        let written = usize::try_from(call.result.unwrap_or(0)).unwrap_or(0);
        let bytes: Arc<[u8]> = call.arguments[1].bytes()[..written].into();
        let offset = at.unwrap_or(if append { self.length(file) } else { position });
        if at.is_none()
            && let Some(opened) = self.opened(call)
        {
            opened.position = offset + written as u64;
        }
        self.change(call, Change::Write { file, offset, bytes });
    }

    fn make_directory(&mut self, call: &Call) {
        let path = path_argument(call, 0);
        let Some((directory, name, node)) = self.find(&path) else { return };
        if node == Some(ROOT) {
            return;
        }
        let node = self.new_node(&path);
        self.now.directories.insert(node, Names::new());
        self.certain.directories.insert(node, Names::new());
        self.change(call, Change::Link { directory, name, node });
    }

    fn rename(&mut self, call: &Call) {
        let (from, to) = (path_argument(call, 0), path_argument(call, 1));
        let (Some(from), Some(to)) = (self.find(&from), self.find(&to)) else {
            return self.refuse_unknown(call);
        };
        assert_eq!(from.0, to.0, "renamed into another directory: {call:?}");
        let node = from.2.expect("what is renamed is there");
        let shown = self.path(from.0).join(&to.1);
        self.paths.insert(node, shown);
        let change = Change::Rename { directory: from.0, from: from.1, to: to.1, node };
        self.change(call, change);
    }

    fn remove(&mut self, call: &Call) {
        let Some((directory, name, node)) = self.find(&path_argument(call, 0)) else { return };
        assert!(node.is_some(), "removed, but not there: {call:?}");
        self.change(call, Change::Unlink { directory, name });
    }

    fn sync(&mut self, call: &Call) {
        let Some(node) = self.node(call) else { return };
        self.syncs += 1;
        let (made, kept): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(|pending| {
            pending.change.node() == node && pending.returned < call.entered && !pending.lost
        });
        self.pending = kept;
        for pending in made {
            self.pending.retain(|lost| !(lost.lost && pending.change.is_over(&lost.change)));
            self.certain.make(&pending.change);
        }
    }
}
