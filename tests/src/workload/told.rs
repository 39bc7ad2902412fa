//! What a driven process tells of itself while it works: which job it begins, which was answered,
//! whose effect was shown to a reader. A line each, in one write each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ordain_ports::Position;

/// One thing told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A job is begun.
    Begun {
        /// Whose job.
        writer: u32,
        /// Which, from 0 on.
        job: u64,
    },
    /// A job was answered, or a reader was shown its effect.
    Shown {
        /// Whose job.
        writer: u32,
        /// Which, from 0 on.
        job: u64,
        /// Where its command stands, when it is one.
        at: Option<Position>,
    },
    /// A command was refused: it is not in the log and never will be.
    Refused {
        /// Whose command.
        writer: u32,
        /// Which job.
        job: u64,
    },
    /// A lane is about to save its progress.
    Saving {
        /// In which group; empty for the workers'.
        group: String,
        /// Of which partition.
        partition: u32,
        /// Up to where.
        progress: u64,
    },
    /// A lane's progress was saved, or shown.
    Saved {
        /// In which group; empty for the workers'.
        group: String,
        /// Of which partition.
        partition: u32,
        /// Up to where.
        progress: u64,
    },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun { writer, job } => writeln!(f, "begun {writer} {job}"),
            Self::Shown { writer, job, at: None } => writeln!(f, "shown {writer} {job}"),
            Self::Shown { writer, job, at: Some(at) } => {
                writeln!(f, "shown {writer} {job} {} {}", at.partition, at.offset)
            }
            Self::Refused { writer, job } => writeln!(f, "refused {writer} {job}"),
            Self::Saving { group, partition, progress } => {
                writeln!(f, "saving {partition} {progress} {group}")
            }
            Self::Saved { group, partition, progress } => {
                writeln!(f, "saved {partition} {progress} {group}")
            }
        }
    }
}

impl Line {
    /// Reads a line.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.trim_end_matches('\n').split(' ');
        let what = words.next()?;
        let (first, second): (u32, u64) =
            (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (writer, job) = (first, second);
        let (partition, progress) = (first, second);
        match what {
            "begun" => Some(Self::Begun { writer, job }),
            "shown" => {
                let at = match words.next() {
                    Some(partition) => Some(Position {
                        partition: partition.parse().ok()?,
                        offset: words.next()?.parse().ok()?,
                    }),
                    None => None,
                };
                Some(Self::Shown { writer, job, at })
            }
            "refused" => Some(Self::Refused { writer, job }),
            "saving" => Some(Self::Saving { group: words.next()?.into(), partition, progress }),
            "saved" => Some(Self::Saved { group: words.next()?.into(), partition, progress }),
            _ => None,
        }
    }
}

/// All that was told up to some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// How many jobs of each writer were begun.
    pub begun: BTreeMap<u32, u64>,
    /// How many jobs of each writer were answered or shown; the jobs before them were too.
    pub shown: BTreeMap<u32, u64>,
    /// Where the commands stand, by writer and job.
    pub places: BTreeMap<(u32, u64), Position>,
    /// The commands that were refused, by writer and job.
    pub refused: BTreeSet<(u32, u64)>,
    /// Up to where progress may be, by group and partition.
    pub saving: BTreeMap<(String, u32), u64>,
    /// Up to where progress must be, by group and partition.
    pub saved: BTreeMap<(String, u32), u64>,
}

fn raise<K: Ord>(map: &mut BTreeMap<K, u64>, key: K, to: u64) {
    let value = map.entry(key).or_default();
    *value = to.max(*value);
}

impl Told {
    /// Takes one more line in.
    pub fn hear(&mut self, line: Line) {
        match line {
            Line::Begun { writer, job } => raise(&mut self.begun, writer, job + 1),
            Line::Shown { writer, job, at } => {
                raise(&mut self.shown, writer, job + 1);
                if let Some(at) = at {
                    self.places.insert((writer, job), at);
                }
            }
            Line::Refused { writer, job } => {
                self.refused.insert((writer, job));
            }
            Line::Saving { group, partition, progress } => {
                raise(&mut self.saving, (group, partition), progress);
            }
            Line::Saved { group, partition, progress } => {
                raise(&mut self.saved, (group, partition), progress);
            }
        }
    }

    /// All the lines of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut told = Self::default();
        text.lines().filter_map(Line::read).for_each(|line| told.hear(line));
        told
    }
}
