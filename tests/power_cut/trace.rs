//! Reads what the tracer wrote down: the system calls of a process, each with when it was entered
//! and when it returned.

use std::collections::HashMap;
use std::path::PathBuf;

/// Where in a trace something happened: the number of the line.
pub(crate) type Moment = usize;

/// A system call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When it was entered. The calls of a trace stand in this order.
    pub(crate) entered: Moment,
    /// When it returned.
    pub(crate) returned: Moment,
    /// Its name.
    pub(crate) name: String,
    /// Its arguments.
    pub(crate) arguments: Vec<Argument>,
    /// What it returned; `None` when the process ended first.
    pub(crate) result: Option<i64>,
    /// The path of what it opened.
    pub(crate) opened: Option<PathBuf>,
}

/// An argument of a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A buffer or path: its bytes.
    Bytes(Vec<u8>),
    /// A file descriptor and the path it has.
    Descriptor(i32, PathBuf),
    /// Anything else, as it is written.
    Word(String),
}

impl Call {
    /// Whether it names a path in which this stands.
    pub(crate) fn names(&self, part: &str) -> bool {
        self.arguments.iter().any(|argument| match argument {
            Argument::Bytes(bytes) => find(bytes, part.as_bytes()).is_some(),
            _ => false,
        })
    }
}

impl Argument {
    /// The bytes of a buffer or path.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no buffer"),
        }
    }

    /// The bytes of all buffers of a vector of them.
    pub(crate) fn buffers(&self) -> Vec<u8> {
        let Self::Word(word) = self else { panic!("{self:?} is no vector of buffers") };
        let mut reader = Reader { line: word.as_bytes(), at: 0 };
        let mut bytes = Vec::new();
        while let Some(next) = find(reader.rest(), b"iov_base=\"") {
            reader.at += next + b"iov_base=".len();
            bytes.extend(reader.bytes());
        }
        bytes
    }

    /// A number.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Word(word) => word.parse().unwrap_or_else(|_| panic!("{word} is no number")),
            other => panic!("{other:?} is no number"),
        }
    }

    /// Words such as flags.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Word(word) => word,
            other => panic!("{other:?} are no words"),
        }
    }
}

/// All calls of a trace, in the order in which they were entered.
pub(crate) fn read(trace: &[u8]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    // By thread: which of the calls it is in.
    let mut open: HashMap<u64, usize> = HashMap::new();
    for (moment, line) in trace.split(|byte| *byte == b'\n').enumerate() {
        let Some((thread, rest)) = thread_of(line) else { continue };
        if rest.starts_with(b"+++") || rest.starts_with(b"---") {
            continue;
        }
        if rest.starts_with(b"<... ") {
            let Some(call) = open.remove(&thread).and_then(|at| calls.get_mut(at)) else {
                panic!("a call that was not entered goes on: {}", shown(line));
            };
            let end = find(rest, b" resumed>").unwrap_or_else(|| panic!("{}", shown(line)));
            let mut reader = Reader { line: rest, at: end + b" resumed>".len() };
            call.arguments.extend(reader.arguments());
            if !reader.is_unfinished() {
                finish(call, &mut reader, moment);
            }
            continue;
        }
        let mut reader = Reader { line: rest, at: 0 };
        let name = reader.name();
        let arguments = reader.arguments();
        let mut call =
            Call { entered: moment, returned: moment, name, arguments, result: None, opened: None };
        if reader.is_unfinished() {
            open.insert(thread, calls.len());
            call.returned = usize::MAX;
        } else {
            finish(&mut call, &mut reader, moment);
        }
        calls.push(call);
    }
    calls
}

fn finish(call: &mut Call, reader: &mut Reader<'_>, moment: Moment) {
    let rest = reader.rest();
    let equals = find(rest, b"= ").unwrap_or_else(|| panic!("{} never returned", shown(rest)));
    let result = rest.get(equals + 2..).unwrap_or_default();
    let end = result.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'-');
    let number = result.get(..end.unwrap_or(result.len())).unwrap_or_default();
    call.result = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    call.returned = if call.result.is_some() { moment } else { usize::MAX };
    let mut reader = Reader { line: result, at: number.len() };
    call.opened = reader.path();
}

fn thread_of(line: &[u8]) -> Option<(u64, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let thread = std::str::from_utf8(line.get(..space)?).ok()?.parse().ok()?;
    let rest = line.get(space..)?;
    let begin = rest.iter().position(|byte| *byte != b' ')?;
    Some((thread, rest.get(begin..)?))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line.get(..line.len().min(300)).unwrap_or_default()).into_owned()
}

/// Reads along a line.
struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(b'\n')
    }

    /// Whether the call has not returned where the line ends: another thread's call comes first, or
    /// the process was killed while the tracer wrote the line.
    fn is_unfinished(&self) -> bool {
        let rest = self.rest();
        rest.starts_with(b"<unfinished ...>") || rest.starts_with(b"<detached ...>")
    }

    fn name(&mut self) -> String {
        let end = self.rest().iter().position(|byte| *byte == b'(');
        let end = end.unwrap_or_else(|| panic!("{} is no call", shown(self.line)));
        let name = String::from_utf8_lossy(&self.rest()[..end]).into_owned();
        self.at += end + 1;
        name
    }

    /// The arguments up to the closing bracket or the end of what is there yet.
    fn arguments(&mut self) -> Vec<Argument> {
        let mut arguments = Vec::new();
        loop {
            match self.peek() {
                b' ' | b',' => self.at += 1,
                b')' => {
                    self.at += 1;
                    return arguments;
                }
                b'<' if self.is_unfinished() => return arguments,
                b'\n' => panic!("{} has no end", shown(self.line)),
                b'"' => arguments.push(Argument::Bytes(self.bytes())),
                _ => arguments.push(self.word()),
            }
        }
    }

    /// A word or number, perhaps with a path behind it; structures are words too.
    fn word(&mut self) -> Argument {
        let begin = self.at;
        let mut depth = 0_u32;
        let mut path = None;
        loop {
            match self.peek() {
                b'{' | b'[' | b'(' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b')' if depth > 0 => depth -= 1,
                b'"' => {
                    self.bytes();
                    continue;
                }
                b'<' if depth == 0 && !self.is_unfinished() => {
                    let number = self.line.get(begin..self.at).unwrap_or_default();
                    let number = String::from_utf8_lossy(number).into_owned();
                    path = self.path().map(|path| (number, path));
                    continue;
                }
                b',' | b')' | b' ' | b'\n' if depth == 0 => break,
                b'\n' => panic!("{} has no end", shown(self.line)),
                _ => {}
            }
            self.at += 1;
        }
        match path {
            // AT_FDCWD is no number, and its path is what relative paths begin with.
            Some((number, path)) => Argument::Descriptor(number.parse().unwrap_or(-1), path),
            None => {
                let word = self.line.get(begin..self.at).unwrap_or_default();
                Argument::Word(String::from_utf8_lossy(word).into_owned())
            }
        }
    }

    /// The path behind a file descriptor, in angle brackets.
    fn path(&mut self) -> Option<PathBuf> {
        if self.peek() != b'<' {
            return None;
        }
        let end = self.rest().iter().position(|byte| *byte == b'>')?;
        let path = String::from_utf8_lossy(&self.rest()[1..end]).into_owned();
        self.at += end + 1;
        if self.rest().starts_with(b"(deleted)") {
            self.at += b"(deleted)".len();
        }
        Some(PathBuf::from(path))
    }

    /// A string in quotes, with the escapes of C.
    fn bytes(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\');
            let plain = plain.unwrap_or_else(|| panic!("{} has no end", shown(self.line)));
            bytes.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            if rest[plain] == b'"' {
                break;
            }
            let escape = self.escape();
            bytes.push(escape);
        }
        assert!(!self.rest().starts_with(b"..."), "{} is cut off", shown(self.line));
        bytes
    }

    fn escape(&mut self) -> u8 {
        let first = self.peek();
        self.at += 1;
        match first {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 11,
            b'f' => 12,
            b'0'..=b'7' => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    match self.peek() {
                        digit @ b'0'..=b'7' => {
                            value = value * 8 + u32::from(digit - b'0');
                            self.at += 1;
                        }
                        _ => break,
                    }
                }
                u8::try_from(value).unwrap_or_else(|_| panic!("{} is no byte", shown(self.line)))
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_their_bytes_and_their_order() {
        let trace = br#"7   write(5</d/0.jnl>, "a\0\0017\n\"\\\377", 8) = 8
8   fdatasync(5</d/0.jnl> <unfinished ...>
7   openat(AT_FDCWD</x>, "/d/v1", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 6</d/v1>
8   <... fdatasync resumed>)         = -1 EIO (Input/output error) (INJECTED)
7   fsync(6</d/v1>(deleted))          = ?
9   write(5</d/0.jnl>, "b", 1 <detached ...>
7   +++ killed by SIGKILL +++
"#;
        let calls = read(trace);
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["write", "fdatasync", "openat", "fsync", "write"]);
        assert_eq!(calls[0].arguments[0], Argument::Descriptor(5, "/d/0.jnl".into()));
        assert_eq!(calls[0].arguments[1].bytes(), b"a\0\x017\n\"\\\xff");
        assert_eq!(calls[0].result, Some(8));
        assert_eq!((calls[1].entered, calls[1].returned, calls[1].result), (1, 3, Some(-1)));
        assert_eq!(calls[2].arguments[1].bytes(), b"/d/v1");
        assert_eq!((calls[2].result, calls[2].opened.clone()), (Some(6), Some("/d/v1".into())));
        assert_eq!((calls[3].returned, calls[3].result), (usize::MAX, None));
        assert_eq!(calls[4].arguments[1].bytes(), b"b");
        assert_eq!((calls[4].returned, calls[4].result), (usize::MAX, None));
    }
}
