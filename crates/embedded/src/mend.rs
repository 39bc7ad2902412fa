//! Mends the journal of the store before the store replays it.
//!
//! The store cuts off a batch that ends too early, but refuses to open when a torn batch has its
//! end and not its middle, which a power cut can leave behind. And it replays the last batch even
//! when the sync of that batch failed: then the batch may be in the cache of the operating system
//! only, would be shown now and be gone after a power cut. So: what is torn at the end of the
//! newest journal is cut off, and its last whole batch is written once more and synced.
//!
//! One batch is written at a time, the next only when it is synced. So a later batch that is whole
//! behind a torn place proves that what is torn was synced once: no power cut does that, only a
//! disk that loses data. Nothing may be cut off then, and nothing is.
//!
//! The format is that of fjall 3 (`src/journal/entry.rs`): a batch is a start (tag 1, count as
//! u32, sequence number as u64), items, and an end (tag 3, XXH3 of the items as u64, magic); all
//! little endian.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MAGIC: [u8; 4] = [b'F', b'J', b'L', 3];

/// Why a journal cannot be mended.
#[derive(Debug, Error)]
pub(crate) enum Unmendable {
    #[error(
        "the journal {} is damaged at byte {at}, and whole batches follow: the disk has lost what \
         was synced. Nothing was changed. Restore the directory from a backup; or, in a copy of \
         it, cut the file off at that byte to go on without all that follows",
        path.display()
    )]
    Damaged { path: PathBuf, at: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A batch in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u64,
    bytes: u64,
}

impl Span {
    const fn to(self) -> u64 {
        self.from + self.bytes
    }
}

/// What stands at a place of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A batch of so many bytes.
    Whole(u64),
    /// So many bytes that have the form of a batch, and another checksum.
    Wrong(u64),
    /// Nothing, or the beginning of a batch.
    Torn,
}

/// Mends the newest journal below the store that has anything in it.
pub(crate) fn mend(store: &Path) -> Result<(), Unmendable> {
    for path in journals(store)? {
        if mend_file(&path)? {
            break;
        }
    }
    Ok(())
}

/// The journals below the store, the newest first.
fn journals(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let number = path.extension().filter(|extension| *extension == "jnl");
        let number =
            number.and(path.file_stem()).and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number {
            journals.push((number, path));
        }
    }
    journals.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// Mends one journal; says whether there is a batch in it.
fn mend_file(path: &Path) -> Result<bool, Unmendable> {
    let (last, end) = scan(path)?;
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() > end {
        file.set_len(end)?;
    }
    if let Some(last) = last {
        write_again(&mut file, last)?;
    }
    file.sync_all()?;
    Ok(last.is_some())
}

/// The last whole batch of a journal, and where all that is whole ends.
fn scan(path: &Path) -> Result<(Option<Span>, u64), Unmendable> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut last: Option<Span> = None;
    loop {
        let from = last.map_or(0, Span::to);
        match batch(&mut reader, length - from)? {
            Found::Whole(bytes) => last = Some(Span { from, bytes }),
            Found::Torn | Found::Wrong(_) if goes_on(path, last, from)? => {
                return Err(Unmendable::Damaged { path: path.to_owned(), at: from });
            }
            Found::Torn | Found::Wrong(_) => return Ok((last, from)),
        }
    }
}

/// Whether a whole batch that is later than `last` stands anywhere behind the torn one at `from`.
fn goes_on(path: &Path, last: Option<Span>, from: u64) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let before = match last {
        Some(last) => {
            file.seek(SeekFrom::Start(last.from))?;
            let mut head = [0; HEAD_BYTES];
            file.read_exact(&mut head)?;
            sequence_number(&head)
        }
        None => None,
    };
    file.seek(SeekFrom::Start(from))?;
    let rest = without_room(&mut file)?;
    let mut at = 1;
    while let Some(mut behind) = rest.get(at..).filter(|behind| !behind.is_empty()) {
        let Some(start) = behind.iter().position(|byte| *byte == START) else { break };
        at += start + 1;
        behind = behind.get(start..).unwrap_or_default();
        let left = behind.len() as u64;
        let is_later = sequence_number(behind).is_some_and(|number| Some(number) > before);
        if is_later && matches!(batch(&mut behind, left)?, Found::Whole(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rest of a journal without the room at its end that was made in advance: that is zeros, and
/// many of them.
fn without_room(file: &mut File) -> io::Result<Vec<u8>> {
    const PIECE_BYTES: usize = 1 << 12;
    const ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let (mut rest, mut room) = (Vec::new(), 0);
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let bytes = reader.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        if bytes == 0 {
            return Ok(rest);
        }
        if ZEROS.starts_with(&piece) {
            room += bytes;
        } else {
            rest.resize(rest.len() + room, 0);
            rest.append(&mut piece);
            room = 0;
        }
    }
}

/// Tag, count and sequence number.
const HEAD_BYTES: usize = 13;

/// The sequence number of the batch that begins here.
fn sequence_number(batch: &[u8]) -> Option<u64> {
    let number = batch.get(HEAD_BYTES - 8..HEAD_BYTES)?;
    number.try_into().ok().map(u64::from_le_bytes)
}

/// Reads a batch, where so many bytes are left.
fn batch(reader: &mut impl Read, left: u64) -> io::Result<Found> {
    match whole_batch(&mut Counted { reader, bytes: 0, left }) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Found::Torn),
        found => found,
    }
}

fn whole_batch(reader: &mut Counted<'_, impl Read>) -> io::Result<Found> {
    if reader.array()? != [START] {
        return Ok(Found::Torn);
    }
    let items = u32::from_le_bytes(reader.array()?);
    let _sequence_number: [u8; 8] = reader.array()?;
    let mut hasher = Hasher(Xxh3::new());
    for _ in 0..items {
        let tag = reader.array()?;
        hasher.0.update(&tag);
        match tag {
            [ITEM] => item(reader, &mut hasher)?,
            [CLEAR] => hasher.0.update(&reader.array::<8>()?),
            _ => return Ok(Found::Torn),
        }
    }
    if reader.array()? != [END] {
        return Ok(Found::Torn);
    }
    let checksum = u64::from_le_bytes(reader.array()?);
    if reader.array()? != MAGIC {
        return Ok(Found::Torn);
    }
    let whole = checksum == hasher.0.digest();
    Ok(if whole { Found::Whole(reader.bytes) } else { Found::Wrong(reader.bytes) })
}

/// Reads an item behind its tag: kind, compression, keyspace, lengths, key and value.
fn item(reader: &mut Counted<'_, impl Read>, hasher: &mut Hasher) -> io::Result<()> {
    let before: [u8; 10] = reader.array()?;
    hasher.0.update(&before);
    let key_bytes: [u8; 2] = reader.array()?;
    hasher.0.update(&key_bytes);
    let value_bytes: [u8; 4] = reader.array()?;
    hasher.0.update(&value_bytes);
    let stored_bytes: [u8; 4] = reader.array()?;
    hasher.0.update(&stored_bytes);
    let rest =
        u64::from(u16::from_le_bytes(key_bytes)) + u64::from(u32::from_le_bytes(stored_bytes));
    if rest > reader.left.saturating_sub(reader.bytes) {
        // Nothing is read that cannot be whole.
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if io::copy(&mut reader.by_ref().take(rest), hasher)? < rest {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Writes the bytes of a batch over themselves, so that the sync that follows is one of them.
fn write_again(file: &mut File, batch: Span) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(batch.from))?;
    Read::by_ref(file).take(batch.bytes).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(batch.from))?;
    file.write_all(&bytes)
}

/// A reader that knows how much was read.
struct Counted<'a, R> {
    reader: &'a mut R,
    bytes: u64,
    /// How many bytes there were before the first was read.
    left: u64,
}

impl<R: Read> Counted<'_, R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.read_exact(&mut array)?;
        Ok(array)
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

struct Hasher(Xxh3);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
