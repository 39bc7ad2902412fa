//! Which disk images to look at: at every sync, what may be on the disk just before it returns.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fastrand::Rng;

use crate::disk::{Change, Nodes, Pending};

/// A disk has sectors of this size: what is written is there or not sector by sector.
const SECTOR_BYTES: u64 = 512;

/// What of one pending change is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Nothing of it.
    Nothing,
    /// So many bytes of a write, and none behind.
    Torn(usize),
    /// A write but for the sector that holds this byte of it.
    Holed(usize),
    /// Of a write the sectors that this seed chooses.
    Sectors(u64),
}

/// Which of the ways to cut it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// The changes up to one of them.
    Prefix,
    /// All but one.
    Dropped,
    /// The changes up to a write, and of that a part.
    Torn,
    /// The changes up to a write, and of that all but a sector within.
    Holed,
    /// Any of them, and any parts.
    Mixed,
    /// A prefix, or all but one, that ends among changes which have waited long.
    Stale,
}

/// One way in which the power may have gone: what of each pending change is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cut {
    /// How it was chosen.
    pub(crate) way: Way,
    /// A part for each pending change.
    pub(crate) parts: Vec<Part>,
}

/// The pending changes just before a sync returns.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Counts the syncs.
    pub(crate) number: usize,
    /// What kind of file is about to be synced.
    pub(crate) kind: &'static str,
    /// Whether the directory is still being made, and nothing can be in it.
    pub(crate) in_the_making: bool,
    /// Whether a process has just begun on what another left: the least is certain then.
    pub(crate) reopened: bool,
    /// The bytes of all that is certain.
    pub(crate) bytes: u64,
    /// For each pending change the bytes of a write, `None` for another change.
    pub(crate) writes: Vec<Option<usize>>,
    /// How many of them, from the first on, are from before the last few syncs.
    pub(crate) stale: usize,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.way)?;
        for part in &self.parts {
            match part {
                Part::Whole => write!(f, " +")?,
                Part::Nothing => write!(f, " -")?,
                Part::Torn(bytes) => write!(f, " torn at {bytes}")?,
                Part::Holed(at) => write!(f, " hole at {at}")?,
                Part::Sectors(seed) => write!(f, " sectors {seed}")?,
            }
        }
        Ok(())
    }
}

/// The lengths at which a write of so many bytes is torn.
fn tears(bytes: usize) -> Vec<usize> {
    let sector = usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX);
    let sectors = bytes / sector;
    let mut tears = vec![1, bytes / 2, bytes - 1];
    tears.extend([1, 2, sectors / 2, sectors.saturating_sub(1), sectors].map(|many| many * sector));
    tears.retain(|tear| (1..bytes).contains(tear));
    tears.sort_unstable();
    tears.dedup();
    tears
}

/// The places at which a write of so many bytes has a hole.
fn holes(bytes: usize) -> Vec<usize> {
    let sector = usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX);
    let mut holes = vec![sector, bytes / 3, bytes / 2, bytes / 3 * 2, bytes.saturating_sub(sector)];
    // Where the first or last sector is missing, it is torn.
    holes.retain(|hole| (sector..=bytes.saturating_sub(sector)).contains(hole));
    holes.dedup();
    holes
}

impl Window {
    fn first(&self, count: usize, last: Part) -> Vec<Part> {
        let mut parts = vec![Part::Nothing; self.writes.len()];
        parts[..count].fill(Part::Whole);
        if let Some(behind) = count.checked_sub(1) {
            parts[behind] = last;
        }
        parts
    }

    /// Every prefix, each change dropped, each last write torn, and so many mixtures.
    pub(crate) fn cuts(&self, mixtures: usize, random: &mut Rng) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for count in 0..=self.writes.len() {
            // All of it lost is no rarity.
            let fresh = count == 0 || count >= self.stale;
            let way = if fresh { Way::Prefix } else { Way::Stale };
            cuts.push(Cut { way, parts: self.first(count, Part::Whole) });
        }
        // Without the last one it is a prefix.
        for dropped in 0..self.writes.len().saturating_sub(1) {
            let mut parts = vec![Part::Whole; self.writes.len()];
            parts[dropped] = Part::Nothing;
            let way = if dropped < self.stale { Way::Stale } else { Way::Dropped };
            cuts.push(Cut { way, parts });
        }
        for (at, bytes) in self.writes.iter().enumerate() {
            for tear in bytes.map(tears).unwrap_or_default() {
                let parts = self.first(at + 1, Part::Torn(tear));
                let way = if at < self.stale { Way::Stale } else { Way::Torn };
                cuts.push(Cut { way, parts });
            }
        }
        for (at, bytes) in self.writes.iter().enumerate().skip(self.stale) {
            for hole in bytes.map(holes).unwrap_or_default() {
                let parts = self.first(at + 1, Part::Holed(hole));
                cuts.push(Cut { way: Way::Holed, parts });
            }
        }
        for _ in 0..if self.writes.is_empty() { 0 } else { mixtures } {
            let part = |bytes: &Option<usize>| match (random.u8(..4), bytes) {
                (0, _) => Part::Nothing,
                (1, Some(_)) => Part::Sectors(random.u64(..1 << 32)),
                _ => Part::Whole,
            };
            let parts = self.writes.iter().map(part).collect();
            cuts.push(Cut { way: Way::Mixed, parts });
        }
        cuts.sort_by_key(|cut| cut.way);
        let mut seen = std::collections::BTreeSet::new();
        cuts.retain(|cut| seen.insert(cut.parts.clone()));
        cuts
    }
}

/// At most one in so many images is of a directory in the making, and one in so many a large one.
const RARE_ONE_IN: usize = 8;
const LARGE_BYTES: u64 = 6 << 20;
/// Journals are written all the time, everything else now and then.
const JOURNALS_FOR_ONE: usize = 3;

/// How many images of a class there are for each one of another, and its kind and way.
type Class = (Weight, &'static str, Way);

/// Which images there are fewer of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Most are of what a home does most of the time.
    Usual,
    /// Nothing was answered yet, so there is little to lose.
    InTheMaking,
    /// Slow to check.
    Large,
}

/// Chooses so many cuts of all windows: where a process has just begun always that all that is not
/// certain is lost; else of every kind of window and every way alike, and of those any.
pub(crate) fn choose(windows: &[Window], count: usize, seed: u64) -> BTreeMap<usize, Vec<Cut>> {
    let mut random = Rng::with_seed(seed);
    let mixtures = 2 + 2 * count / windows.len().max(1);
    let mut classes: BTreeMap<Class, Vec<(usize, Cut)>> = BTreeMap::new();
    for window in windows {
        let weight = match window {
            Window { in_the_making: true, .. } => Weight::InTheMaking,
            Window { bytes, .. } if *bytes > LARGE_BYTES => Weight::Large,
            _ => Weight::Usual,
        };
        for cut in window.cuts(mixtures, &mut random) {
            let class = classes.entry((weight, window.kind, cut.way)).or_default();
            class.push((window.number, cut));
        }
    }
    for class in classes.values_mut() {
        random.shuffle(class);
    }
    // When there are only rare ones, they need not be rare.
    let usual = classes.keys().any(|(weight, ..)| *weight == Weight::Usual);
    let rare = if usual { count / RARE_ONE_IN } else { count };
    let mut left = BTreeMap::from([
        (Weight::Usual, count),
        (Weight::InTheMaking, rare),
        (Weight::Large, rare),
    ]);
    let mut chosen: BTreeMap<usize, Vec<Cut>> = BTreeMap::new();
    let mut count = count;
    for window in windows.iter().filter(|window| window.reopened) {
        let nothing = Cut { way: Way::Prefix, parts: window.first(0, Part::Nothing) };
        chosen.entry(window.number).or_default().push(nothing);
        count = count.saturating_sub(1);
    }
    while count > 0 && !classes.is_empty() {
        classes.retain(|(weight, ..), class| left[weight] > 0 && !class.is_empty());
        for ((weight, kind, _), class) in &mut classes {
            let times = if *kind == "journal" { JOURNALS_FOR_ONE } else { 1 };
            let left = left.entry(*weight).or_default();
            for (window, cut) in class.drain(class.len() - times.min(class.len())..) {
                if count > 0 && *left > 0 {
                    chosen.entry(window).or_default().push(cut);
                    count -= 1;
                    *left -= 1;
                }
            }
        }
    }
    chosen
}

/// What is on the disk after a cut.
pub(crate) fn disk_after(certain: &Nodes, pending: &[Pending], cut: &Cut) -> Nodes {
    let mut nodes = certain.clone();
    for (pending, part) in pending.iter().zip(&cut.parts) {
        match (part, &pending.change) {
            (Part::Nothing, _) => {}
            (Part::Torn(torn), Change::Write { file, offset, bytes }) => {
                let bytes: Arc<[u8]> = bytes.get(..*torn).unwrap_or(bytes).into();
                nodes.make(&Change::Write { file: *file, offset: *offset, bytes });
            }
            (Part::Holed(at), Change::Write { file, offset, bytes }) => {
                let hole = (offset + *at as u64) / SECTOR_BYTES;
                for (offset, bytes) in sectors(*offset, bytes) {
                    if offset / SECTOR_BYTES != hole {
                        nodes.make(&Change::Write { file: *file, offset, bytes });
                    }
                }
            }
            (Part::Sectors(seed), Change::Write { file, offset, bytes }) => {
                let mut random = Rng::with_seed(*seed);
                let half = sectors(*offset, bytes).into_iter().filter(|_| random.bool());
                for (offset, bytes) in half {
                    nodes.make(&Change::Write { file: *file, offset, bytes });
                }
            }
            (_, change) => nodes.make(change),
        }
    }
    nodes
}

/// A write sector by sector.
fn sectors(offset: u64, bytes: &[u8]) -> Vec<(u64, Arc<[u8]>)> {
    let mut sectors = Vec::new();
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let to_boundary = SECTOR_BYTES - at % SECTOR_BYTES;
        let (sector, behind) = rest.split_at(rest.len().min(to_boundary as usize));
        sectors.push((at, sector.into()));
        (at, rest) = (at + to_boundary, behind);
    }
    sectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_prefixes_drops_tears_and_mixtures() {
        let writes = vec![Some(1_100), None, Some(3)];
        let window = Window {
            number: 0,
            kind: "journal",
            bytes: 0,
            in_the_making: false,
            reopened: false,
            writes,
            stale: 0,
        };
        let cuts = window.cuts(5, &mut Rng::with_seed(1));
        let of = |way| cuts.iter().filter(|cut| cut.way == way).count();
        // Torn at 1, 512, 550, 1024, 1099 and at 1, 2.
        assert_eq!((of(Way::Prefix), of(Way::Dropped), of(Way::Torn)), (4, 2, 7));
        assert!((1..=5).contains(&of(Way::Mixed)));
        assert!(cuts.contains(&Cut {
            way: Way::Torn,
            parts: vec![Part::Whole, Part::Whole, Part::Torn(2)],
        }));
    }
}
