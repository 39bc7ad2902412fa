//! Runs the driven process under the tracer, and what its trace says: the calls on its directory
//! and what it told, in one order.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ordain_tests::driven_binary;
use ordain_tests::workload::Line;
use tempfile::TempDir;

use crate::disk::{Content, Disk};
use crate::trace::{self, Argument, Call, Moment};

/// How long a driven process may take.
const RUN_MAX: Duration = Duration::from_secs(300);

/// All calls that can change a file, or say which file a descriptor is.
const CALLS: &str = "open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,\
    writev,pwritev,pwritev2,ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,\
    rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,fsync,fdatasync,sync,syncfs,sync_file_range,\
    msync,mmap,copy_file_range,sendfile,splice,io_uring_setup,ioctl,sendto";

/// A directory that is driven, and what happens to it.
pub(crate) struct Driven {
    place: TempDir,
    runs: usize,
    /// How much had been told before the last run.
    told_bytes: usize,
}

/// How to run the driven process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run<'a> {
    /// What it does.
    pub(crate) plan: &'a str,
    /// Its breakages.
    pub(crate) failpoints: &'a str,
    /// What the tracer does to its calls.
    pub(crate) inject: Option<&'a str>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How the process ended.
    pub(crate) status: ExitStatus,
    /// What it said of itself.
    pub(crate) log: String,
    /// What happened, in order.
    pub(crate) steps: Vec<Step>,
}

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Step {
    /// A call that touched the directory, or may have.
    Call(Call),
    /// The process told this.
    Told(Line),
    /// The process answered this over HTTP.
    Answered(serde_json::Value),
    /// The process ended; another goes on.
    Ended,
}

impl Driven {
    /// A directory yet to be made.
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("there is room for a directory");
        Self { place, runs: 0, told_bytes: 0 }
    }

    /// The directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.place.path().canonicalize().expect("it is there").join("data")
    }

    /// Where it is told what happens.
    pub(crate) fn told(&self) -> PathBuf {
        self.place.path().canonicalize().expect("it is there").join("told")
    }

    /// All that was told.
    fn text(&self) -> Vec<u8> {
        fs::read(self.told()).unwrap_or_default()
    }

    /// Where the trace of the next run is written.
    pub(crate) fn trace(&mut self) -> PathBuf {
        self.runs += 1;
        self.told_bytes = self.text().len();
        self.place.path().join(format!("trace-{}", self.runs))
    }

    /// Keeps everything, so that a failure can be looked into.
    pub(crate) fn keep(self) -> PathBuf {
        self.place.keep()
    }

    /// Runs the driven process on the directory under the tracer.
    pub(crate) fn run(&mut self, run: &Run<'_>) -> Ended {
        let trace = self.trace();
        let mut tracer = tracer(&trace, run.inject).into_iter();
        let mut command = Command::new(tracer.next().unwrap_or_default());
        command.args(tracer);
        command.arg(driven_binary()).arg(self.directory()).arg(self.told()).arg(run.plan);
        command.env("FAILPOINTS", run.failpoints);
        let (status, log) = finish(command);
        Ended { status, log, steps: self.steps(&trace) }
    }

    /// The calls of a process in the order in which they take effect, and between them what it
    /// told and answered.
    pub(crate) fn steps(&self, trace: &Path) -> Vec<Step> {
        let calls = trace::read(&fs::read(trace).expect("strace writes its trace"));
        let told = self.told();
        let mut cut_off = self.found_told();
        for bytes in calls.iter().filter(|call| is_done(call)).filter_map(|it| telling(it, &told)) {
            assert!(take_one(&mut cut_off, bytes), "told, and not in the file: {bytes:?}");
        }
        let mut steps: Vec<(Moment, Step)> = Vec::new();
        for call in calls {
            let step = match &*call.arguments {
                [Argument::Descriptor(_, path), ..]
                    if path.to_string_lossy().starts_with("socket:") =>
                {
                    let Some(answer) = answer(&call) else { continue };
                    (call.entered, Step::Answered(answer))
                }
                _ => match telling(&call, &told) {
                    // The next process goes by what it finds. So of what this one was killed
                    // telling that was told, and no more.
                    Some(bytes) if is_done(&call) || take_one(&mut cut_off, bytes) => {
                        let line = std::str::from_utf8(bytes).ok().and_then(Line::read);
                        let line = line.unwrap_or_else(|| panic!("who knows this? {call:?}"));
                        (call.entered, Step::Told(line))
                    }
                    _ => (takes_effect(&call), Step::Call(call)),
                },
            };
            steps.push(step);
        }
        steps.sort_by_key(|(moment, _)| *moment);
        steps.into_iter().map(|(_, step)| step).chain([Step::Ended]).collect()
    }

    /// The lines that are found told by the last run, and how often each.
    fn found_told(&self) -> HashMap<Vec<u8>, usize> {
        let mut found = HashMap::new();
        let text = self.text();
        for line in
            text.get(self.told_bytes..).unwrap_or_default().split_inclusive(|it| *it == b'\n')
        {
            *found.entry(line.to_vec()).or_default() += 1;
        }
        found
    }
}

/// The tracer and its arguments; what it runs stands behind them.
pub(crate) fn tracer(trace: &Path, inject: Option<&str>) -> Vec<String> {
    let mut tracer = ["strace", "-f", "-y", "-e", "signal=none", "-s", "16777216", "-o"]
        .map(str::to_owned)
        .to_vec();
    tracer.extend([trace.display().to_string(), "-e".to_owned(), format!("trace={CALLS}")]);
    match inject {
        Some(inject) => tracer.extend(["-e".to_owned(), format!("inject={inject}")]),
        // Quicker, but it makes strace forget what it is to inject.
        None => tracer.push("--seccomp-bpf".to_owned()),
    }
    tracer
}

/// What a call answers over HTTP, when it does: one call sends a whole answer.
fn answer(call: &Call) -> Option<serde_json::Value> {
    let sent = match call.name.as_str() {
        "write" | "sendto" => call.arguments[1].bytes().to_vec(),
        "writev" => call.arguments[1].buffers(),
        _ => return None,
    };
    let head = sent.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = sent.split_at(head + 4);
    let head = std::str::from_utf8(head).ok().filter(|head| head.starts_with("HTTP/1.1 "))?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    assert_eq!(body.len(), length, "an answer in parts: {head}");
    serde_json::from_slice(body).ok()
}

/// The line that a call tells in this file, when it does.
pub(crate) fn telling<'a>(call: &'a Call, told: &Path) -> Option<&'a [u8]> {
    match &*call.arguments {
        [Argument::Descriptor(_, path), Argument::Bytes(bytes), ..]
            if call.name == "write" && path == told =>
        {
            Some(bytes)
        }
        _ => None,
    }
}

/// Whether a call is known to have been made. Of one that its process was killed in, the tracer
/// says that it failed, or nothing.
fn is_done(call: &Call) -> bool {
    call.result.is_some_and(|result| result >= 0)
}

/// Takes one of these lines away, when it is there.
fn take_one(lines: &mut HashMap<Vec<u8>, usize>, line: &[u8]) -> bool {
    let Some(left) = lines.get_mut(line).filter(|left| **left > 0) else { return false };
    *left -= 1;
    true
}

/// A sync and a new descriptor count from the return of the call on, a change from its entry on.
fn takes_effect(call: &Call) -> Moment {
    match call.name.as_str() {
        "fsync" | "fdatasync" | "open" | "openat" | "dup" | "dup2" | "dup3" | "fcntl" | "lseek" => {
            call.returned
        }
        _ => call.entered,
    }
}

/// Runs the driven process, and nobody looks at its calls.
pub(crate) fn run_untraced(directory: &Path, told: &Path, plan: &str) -> (ExitStatus, String) {
    let mut command = Command::new(driven_binary());
    command.arg(directory).arg(told).arg(plan);
    finish(command)
}

/// Runs a command to its end; kills it when it takes too long.
fn finish(mut command: Command) -> (ExitStatus, String) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stderr = child.stderr.take().expect("it is piped");
    let reading = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).map(|_| log).unwrap_or_default()
    });
    let status = wait(&mut child, &command);
    (status, reading.join().unwrap_or_default())
}

fn wait(child: &mut Child, command: &Command) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if begun.elapsed() > RUN_MAX {
            drop(child.kill());
            panic!("{command:?} takes too long");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process was ended by this signal.
pub(crate) fn was_killed(status: ExitStatus, signal: i32) -> bool {
    status.signal() == Some(signal) || status.code() == Some(128 + signal)
}

/// Takes a step on the disk.
pub(crate) fn take(disk: &mut Disk, step: &Step) {
    match step {
        Step::Call(call) => disk.make(call),
        Step::Told(_) | Step::Answered(_) => {}
        Step::Ended => disk.next_process(),
    }
}

/// Fails when the disk, as the calls made it, is not what the directory is: then the calls that
/// were seen are not all that there were.
pub(crate) fn assert_explains(disk: &Disk, directory: &Path) {
    let made = disk.now().paths();
    for (path, content) in &made {
        let there = directory.join(path);
        let Some(content) = content else {
            assert!(there.is_dir(), "{} is no directory", there.display());
            continue;
        };
        let bytes = fs::read(&there).unwrap_or_else(|error| panic!("{}: {error}", there.display()));
        assert!(same(&bytes, content), "{} is not what was seen written", there.display());
    }
    assert_eq!(count(directory), made.len(), "there are files that were not seen made");
}

fn same(bytes: &[u8], content: &Content) -> bool {
    let (written, rest) = bytes.split_at(content.bytes.len().min(bytes.len()));
    let zeros = rest.chunks(4_096).all(|part| part == &[0; 4_096][..part.len()]);
    written == content.bytes && bytes.len() as u64 == content.length && zeros
}

fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("a directory can be read").flatten();
    entries.map(|entry| 1 + if entry.path().is_dir() { count(&entry.path()) } else { 0 }).sum()
}

/// What kind of file a path is, so that every kind gets its share of the images.
pub(crate) fn kind(path: &Path) -> &'static str {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    match name {
        _ if name.ends_with(".jnl") => "journal",
        _ if path.components().any(|part| part.as_os_str() == "tables") => "table",
        _ if name.starts_with(".tmp") || name == "current" => "current",
        _ if name.starts_with("ordain.format") => "format",
        _ if name.starts_with('v') => "version",
        _ => "directory",
    }
}
