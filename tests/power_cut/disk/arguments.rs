//! The arguments of a call that name a file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::trace::{Argument, Call};

pub(super) fn descriptor(call: &Call, argument: usize) -> (i32, &Path) {
    match call.arguments.get(argument) {
        Some(Argument::Descriptor(number, path)) => (*number, path),
        Some(Argument::Word(word)) => (word.parse().unwrap_or(-1), Path::new("")),
        other => panic!("{other:?} is no descriptor"),
    }
}

/// The path that is the so manieth one of a call, below the directory that stands before it.
pub(super) fn path_argument(call: &Call, which: usize) -> PathBuf {
    let mut seen = 0;
    for (at, argument) in call.arguments.iter().enumerate() {
        let Argument::Bytes(bytes) = argument else { continue };
        if seen == which {
            let path = Path::new(OsStr::from_bytes(bytes));
            let before = at.checked_sub(1).and_then(|before| call.arguments.get(before));
            return match before {
                Some(Argument::Descriptor(_, directory)) => directory.join(path),
                _ => path.to_owned(),
            };
        }
        seen += 1;
    }
    panic!("{call:?} has too few paths")
}
