//! Mends the journal of the store before the store replays it.
//!
//! The store cuts off a batch that ends too early, but refuses to open when a torn batch has its
//! end and not its middle, which a power cut can leave behind. And it replays the last batch even
//! when the sync of that batch failed: then the batch may be in the cache of the operating system
//! only, would be shown now and be gone after a power cut. So: what is torn at the end of the
//! newest journal is cut off, and its last whole batch is written once more and synced.
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
    #[error("the journal {} is damaged at byte {at}, before its end", path.display())]
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
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut last: Option<Span> = None;
    loop {
        let from = last.map_or(0, Span::to);
        match batch(&mut reader)? {
            Found::Whole(bytes) => last = Some(Span { from, bytes }),
            Found::Torn => return Ok((last, from)),
            // One batch is written at a time, the next only when it is synced. So a batch behind
            // this one proves that it was whole once.
            Found::Wrong(_) => match batch(&mut reader)? {
                Found::Torn => return Ok((last, from)),
                Found::Whole(_) | Found::Wrong(_) => {
                    return Err(Unmendable::Damaged { path: path.to_owned(), at: from });
                }
            },
        }
    }
}

/// Reads a batch.
fn batch(reader: &mut impl Read) -> io::Result<Found> {
    match whole_batch(&mut Counted { reader, bytes: 0 }) {
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
