//! Where text goes: data to stdout, everything else to stderr; never a panic when nobody reads.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::exit::Exit;
use crate::failure::Failure;

/// Prints one line of data.
///
/// # Errors
/// Says that stdout takes no more. Who has read enough and closed the pipe ends the process
/// without a word, as `head` expects.
pub(crate) fn print(text: &str) -> Result<(), Box<Failure>> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
    written.and_then(|()| out.flush()).map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::new(Exit::Success, "")
        } else {
            Failure::new(Exit::Unknown, format!("stdout cannot be written: {error}"))
        }
    })
}

/// Prints one line for people, on stderr, marked as ours.
pub(crate) fn say(text: &str) {
    raw_to_stderr(&format!("ordain: {text}"));
}

/// Prints one line on stderr as it is. Nobody there to read it is no reason to fail.
pub(crate) fn raw_to_stderr(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// The text without characters that would steer a terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Rows below a heading, each column as wide as its widest cell, the last one as it is.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<_> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(heading)];
    lines.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_leave_no_blanks_behind() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), String::new()]];
        assert_eq!(table(["KEY", "N"], &rows), "KEY     N\na       1\nlonger");
    }

    #[test]
    fn a_terminal_cannot_be_steered() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}b\nc"), "a\\u{1b}[2J\\u{9b}b\nc");
        assert!(matches!(printable("plain ä"), Cow::Borrowed(_)));
    }
}
