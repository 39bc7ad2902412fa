//! Rebuilds the images of a trace and checks each of them.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cuts::{self, Cut, Window};
use crate::disk::{Change, Disk, Nodes};
use crate::seed;
use crate::traced::{Driven, Step, assert_explains, kind, take};

/// How many images are checked at once.
const AT_ONCE: usize = 2;
/// So many syncs after it has begun, a process has made certain what it found.
const REOPENED_SYNCS: usize = 4;
/// How long one image may take, opening included.
const IMAGE_MAX: Duration = Duration::from_secs(120);
/// So many failing images are kept and told of.
const FAILURES_SHOWN_MAX: usize = 5;

/// What a process has let others know.
pub(crate) trait Facts: Clone + Default + Send + 'static {
    /// Takes one more step in.
    fn hear(&mut self, step: &Step);

    /// Checks that an image in a directory holds all of it, and is whole.
    fn check(&self, directory: &Path) -> anyhow::Result<()>;
}

/// An image to be checked.
struct Image<F> {
    name: String,
    nodes: Nodes,
    facts: F,
}

/// An image that does not hold what it must.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Which image.
    pub(crate) name: String,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many images were checked.
    pub(crate) checked: usize,
    /// How many of them differ.
    pub(crate) distinct: usize,
    /// How many syncs there are in the trace.
    pub(crate) syncs: usize,
    /// How many cuts there were to choose from.
    pub(crate) cuts: usize,
    /// By kind of file and way of cutting, how many images there were.
    pub(crate) kinds: BTreeMap<String, usize>,
    /// How long it took.
    pub(crate) took: Duration,
    /// What was wrong.
    pub(crate) failures: Vec<Failure>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checked, distinct, syncs, cuts, took, failures, .. } = self;
        write!(
            f,
            "{checked} images, {distinct} of them distinct, of {syncs} syncs and {cuts} cuts, in \
             {:.1} s: {} failed\n{:?}",
            took.as_secs_f64(),
            failures.len(),
            self.kinds
        )
    }
}

impl Report {
    /// Fails when any image did, and keeps the directory and its trace then.
    pub(crate) fn assert_clean(&self, driven: Driven) {
        assert!(self.checked > 0, "there were no images");
        if self.failures.is_empty() {
            return;
        }
        let shown = self.failures.iter().take(FAILURES_SHOWN_MAX);
        let shown: Vec<_> =
            shown.map(|failure| format!("{}:\n{}", failure.name, failure.why)).collect();
        panic!(
            "{} of {} images failed; the trace is kept in {}\n{}",
            self.failures.len(),
            self.checked,
            driven.keep().display(),
            shown.join("\n\n")
        );
    }
}

/// Checks so many images of what happened to a directory.
pub(crate) fn images<F: Facts>(driven: &Driven, steps: &[Step], count: usize) -> Report {
    let windows = windows(steps, &driven.directory());
    images_of::<F>(driven, steps, &windows, count)
}

/// Checks so many images of how the directory may be found after the last process has ended.
pub(crate) fn images_at_end<F: Facts>(driven: &Driven, steps: &[Step], count: usize) -> Report {
    let mut windows = windows(steps, &driven.directory());
    windows.drain(..windows.len().saturating_sub(1));
    images_of::<F>(driven, steps, &windows, count)
}

/// Checks so many images of cuts at the syncs of one kind of file.
pub(crate) fn images_at<F: Facts>(
    driven: &Driven,
    steps: &[Step],
    kind: &str,
    count: usize,
) -> Report {
    let mut windows = windows(steps, &driven.directory());
    windows.retain(|window| window.kind == kind);
    images_of::<F>(driven, steps, &windows, count)
}

fn images_of<F: Facts>(
    driven: &Driven,
    steps: &[Step],
    windows: &[Window],
    count: usize,
) -> Report {
    let begun = Instant::now();
    let all: usize =
        windows.iter().map(|window| window.cuts(0, &mut fastrand::Rng::new()).len()).sum();
    let chosen = cuts::choose(windows, count, seed());
    let mut report = Report { syncs: windows.len(), cuts: all, ..Report::default() };
    for (window, cuts) in &chosen {
        for cut in cuts {
            let kind = windows.iter().find(|found| found.number == *window);
            let kind = kind.map_or("?", |window| window.kind);
            *report.kinds.entry(format!("{kind} {:?}", cut.way)).or_default() += 1;
        }
    }
    let (images, results) = checkers::<F>();
    let mut build = Build { images, results, under_way: 0, report, seen: HashSet::new() };
    build.all(steps, &driven.directory(), &chosen);
    let mut report = build.report;
    report.took = begun.elapsed();
    report
}

/// What is pending at each sync, by the number of the sync.
fn windows(steps: &[Step], directory: &Path) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut disk = Disk::new(directory);
    let mut since_begun = usize::MAX;
    for step in steps {
        if let Some(path) = synced(&disk, step) {
            let write = |change: &Change| match change {
                Change::Write { bytes, .. } => Some(bytes.len()),
                _ => None,
            };
            windows.push(Window {
                number: windows.len(),
                kind: kind(&path),
                bytes: disk.certain.files.values().map(|file| file.bytes.len() as u64).sum(),
                reopened: since_begun < REOPENED_SYNCS,
                in_the_making: !disk.is_certain(OsStr::new("ordain.format")),
                stale: disk.pending.iter().take_while(|change| disk.is_stale(change)).count(),
                writes: disk.pending.iter().map(|pending| write(&pending.change)).collect(),
            });
        }
        if synced(&disk, step).is_some() {
            since_begun = since_begun.saturating_add(1);
        }
        if matches!(step, Step::Ended) {
            since_begun = 0;
        }
        take(&mut disk, step);
    }
    assert_explains(&disk, directory);
    windows
}

/// What this step syncs, when it does. The end of a process counts too: the power can go then.
fn synced(disk: &Disk, step: &Step) -> Option<PathBuf> {
    match step {
        Step::Call(call) if matches!(call.name.as_str(), "fsync" | "fdatasync") => {
            // Whether it succeeded or not, and also when its process was killed in it.
            disk.synced_by(call)
        }
        Step::Ended => Some(PathBuf::from("ended.jnl")),
        _ => None,
    }
}

/// Builds images and hands them to the checkers.
struct Build<F> {
    images: SyncSender<Image<F>>,
    results: Receiver<Option<Failure>>,
    under_way: usize,
    report: Report,
    seen: HashSet<u64>,
}

impl<F: Facts> Build<F> {
    fn all(&mut self, steps: &[Step], directory: &Path, chosen: &BTreeMap<usize, Vec<Cut>>) {
        let mut disk = Disk::new(directory);
        let mut facts = F::default();
        let mut sync = 0;
        for (at, step) in steps.iter().enumerate() {
            if synced(&disk, step).is_some() {
                for cut in chosen.get(&sync).into_iter().flatten() {
                    let changes = disk.pending.iter().map(|pending| disk.shown(&pending.change));
                    let changes: Vec<_> = changes.collect();
                    let changes = changes.join(", ");
                    self.one(Image {
                        name: format!("sync {sync} (step {at}): {cut}\nof {changes}"),
                        nodes: cuts::disk_after(&disk.certain, &disk.pending, cut),
                        facts: facts.clone(),
                    });
                }
                sync += 1;
            }
            facts.hear(step);
            take(&mut disk, step);
        }
        while self.under_way > 0 {
            self.hear();
        }
    }

    fn one(&mut self, image: Image<F>) {
        let mut hasher = DefaultHasher::new();
        image.nodes.paths().hash(&mut hasher);
        self.seen.insert(hasher.finish());
        self.report.distinct = self.seen.len();
        self.report.checked += 1;
        self.images.send(image).expect("there are checkers");
        self.under_way += 1;
        while self.under_way >= 2 * AT_ONCE {
            self.hear();
        }
    }

    fn hear(&mut self) {
        let heard = self.results.recv_timeout(IMAGE_MAX).expect("an image hangs, or its checker");
        self.under_way -= 1;
        self.report.failures.extend(heard);
    }
}

/// Starts the threads that check images.
fn checkers<F: Facts>() -> (SyncSender<Image<F>>, Receiver<Option<Failure>>) {
    let (images, to_check) = sync_channel(2 * AT_ONCE);
    let (results, heard) = channel();
    let to_check = Arc::new(Mutex::new(to_check));
    for _ in 0..AT_ONCE {
        let (to_check, results) = (Arc::clone(&to_check), results.clone());
        std::thread::spawn(move || check_all(&to_check, &results));
    }
    (images, heard)
}

fn check_all<F: Facts>(to_check: &Mutex<Receiver<Image<F>>>, results: &Sender<Option<Failure>>) {
    loop {
        let next = to_check.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(image) = next else { return };
        let checked = catch_unwind(AssertUnwindSafe(|| checked(&image)));
        let why = match checked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:?}")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                Some(format!("a panic: {}", text.unwrap_or_default()))
            }
        };
        let failure = why.map(|why| Failure { name: image.name, why });
        if results.send(failure).is_err() {
            return;
        }
    }
}

fn checked<F: Facts>(image: &Image<F>) -> anyhow::Result<()> {
    let directory = image_directory()?;
    write(&image.nodes, directory.path())?;
    image.facts.check(directory.path())
}

/// Writes an image into an empty directory.
pub(crate) fn write(nodes: &Nodes, directory: &Path) -> anyhow::Result<()> {
    for (path, content) in nodes.paths() {
        let path = directory.join(path);
        let Some(content) = content else {
            fs::create_dir(path)?;
            continue;
        };
        let mut file = File::create(path)?;
        file.write_all(&content.bytes)?;
        file.set_len(content.length)?;
    }
    Ok(())
}

/// What the disk certainly holds in the end, and nothing else.
pub(crate) fn certain_in_the_end(steps: &[Step], directory: &Path) -> Nodes {
    let mut disk = Disk::new(directory);
    for step in steps {
        take(&mut disk, step);
    }
    disk.certain
}

/// In memory where there is such a place: a check syncs, and there need be no disk below it.
pub(crate) fn image_directory() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}
