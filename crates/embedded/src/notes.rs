//! What there is little of: dead letters, crash marks, announcements.

use async_trait::async_trait;
use ordain_model::RequestId;
use ordain_ports::{
    Announced, Announcements, CrashMarks, DeadLetter, DeadLetters, Error, LetterId, Position,
};

use crate::Home;
use crate::batch::Batch;
use crate::fault::Fault;
use crate::key;
use crate::record::{self, Unreadable};
use crate::tables::{self, Table};

fn not_storable(what: &'static str) -> impl Fn(Unreadable) -> Error {
    move |why| Fault::NotStorable { what, why }.into()
}

fn unreadable(why: Unreadable) -> Fault {
    Fault::Unreadable { what: "a dead letter".to_owned(), why }
}

fn letter_key(id: &LetterId) -> Result<Vec<u8>, Error> {
    key::letter(id).ok_or_else(|| not_storable("a dead letter")("its topic is none".to_owned()))
}

#[async_trait]
impl DeadLetters for Home {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let mut new = Vec::with_capacity(letters.len());
        for letter in &letters {
            let value = record::encode(letter).map_err(not_storable("a dead letter"))?;
            new.push((letter_key(&letter.id)?, value));
        }
        let bytes = new.iter().map(|(key, value)| key.len() + value.len()).sum();
        let written = self.inner.write(bytes, move |batch| {
            for (key, value) in new {
                if !batch.contains(Table::Notes, &key)? {
                    batch.put(Table::Notes, key, value);
                }
            }
            Ok(())
        });
        Ok(written.await?)
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let from = match after {
            Some(after) => {
                let mut key = letter_key(after)?;
                key.push(0);
                key
            }
            None => key::letters(),
        };
        let letters = self.inner.read(move |tables| {
            let view = tables.view();
            let end = key::behind(&key::letters());
            let letters = view.range(Table::Notes, &from, &end).take(limit);
            letters.map(|pair| record::decode(&pair?.1).map_err(unreadable)).collect()
        });
        Ok(letters.await?)
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        let Some(key) = key::letter(id) else {
            return Ok(None);
        };
        let letter = self.inner.read(move |tables| {
            let letter = tables.view().get(Table::Notes, &key)?;
            letter.map(|letter| record::decode(&letter).map_err(unreadable)).transpose()
        });
        Ok(letter.await?)
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        let Some(key) = key::letter(id) else {
            return Ok(false);
        };
        let noted = self.inner.write(key.len() + 256, move |batch| {
            let Some(letter) = batch.get(Table::Notes, &key)? else {
                return Ok(Ok(false));
            };
            let noted = with_retry(&letter, request).map(|changed| {
                if let Some(letter) = changed {
                    batch.put(Table::Notes, key, letter);
                }
                true
            });
            Ok(noted.map_err(unreadable))
        });
        Ok(noted.await??)
    }
}

/// The letter with one more retry; `None` when it has that one.
fn with_retry(letter: &[u8], request: RequestId) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut letter: DeadLetter = record::decode(letter)?;
    if letter.retries.contains(&request) {
        return Ok(None);
    }
    letter.retries.push(request);
    record::encode(&letter).map(Some)
}

#[async_trait]
impl CrashMarks for Home {
    async fn begin(&self, partition: u32, progress: u64) -> Result<u32, Error> {
        let begun = self.inner.write(64, move |batch| {
            forget_marks(batch, partition, progress)?;
            let key = key::begun(partition);
            let times =
                match batch.get(Table::Notes, &key)?.as_deref().map(record::decode::<(u64, u32)>) {
                    Some(Ok((at, times))) if at == progress => times,
                    _ => 0,
                };
            let marked = u32::from(is_marked(batch, partition, progress)?);
            let value = record::encode(&(progress, times.saturating_add(1)));
            Ok(value.map(|value| {
                batch.put(Table::Notes, key, value);
                times.max(marked)
            }))
        });
        begun.await?.map_err(not_storable("a crash mark"))
    }

    async fn mark(&self, position: Position) -> Result<u32, Error> {
        let marked = self.inner.write(64, move |batch| {
            let key = key::marked(position);
            let before = batch.get(Table::Notes, &key)?;
            let before = before.and_then(|before| record::decode(&before).ok()).unwrap_or(0_u32);
            let times = before.saturating_add(1);
            Ok(record::encode(&times).map(|value| {
                batch.put(Table::Notes, key, value);
                times
            }))
        });
        marked.await?.map_err(not_storable("a crash mark"))
    }

    async fn unmark(&self, position: Position) -> Result<(), Error> {
        let unmarked = self.inner.write(64, move |batch| {
            let key = key::marked(position);
            if batch.contains(Table::Notes, &key)? {
                batch.remove(Table::Notes, key);
            }
            Ok(())
        });
        Ok(unmarked.await?)
    }
}

/// Whether a record of the partition at or above the progress is marked.
fn is_marked(batch: &Batch, partition: u32, progress: u64) -> tables::Result<bool> {
    let at = |offset| key::marked(Position { partition, offset });
    let tables = std::sync::Arc::clone(batch.tables());
    let view = tables.view();
    let mut marks = view.range(Table::Notes, &at(progress), &at(u64::MAX));
    Ok(marks.next().transpose()?.is_some())
}

/// Marks of records below the progress speak of nothing any more.
fn forget_marks(batch: &mut Batch, partition: u32, progress: u64) -> tables::Result<()> {
    let from = key::marked(Position { partition, offset: 0 });
    let to = key::marked(Position { partition, offset: progress });
    let tables = std::sync::Arc::clone(batch.tables());
    for pair in tables.view().range(Table::Notes, &from, &to) {
        batch.remove(Table::Notes, pair?.0.to_vec());
    }
    Ok(())
}

#[async_trait]
impl Announcements for Home {
    async fn announce(&self, commands: Vec<Announced>) -> Result<(), Error> {
        let mut keys = Vec::with_capacity(commands.len());
        for command in &commands {
            let encoded = record::encode(command).map_err(not_storable("an announcement"))?;
            let too_long = || not_storable("an announcement")("it is too long".to_owned());
            keys.push(key::announced(&encoded).ok_or_else(too_long)?);
        }
        let written = self.inner.write(keys.len() * 128, move |batch| {
            for key in keys {
                if !batch.contains(Table::Notes, &key)? {
                    batch.put(Table::Notes, key, []);
                }
            }
            Ok(())
        });
        Ok(written.await?)
    }

    async fn known(&self) -> Result<Vec<Announced>, Error> {
        let known = self.inner.read(|tables| {
            let view = tables.view();
            let keys = view.prefix(Table::Notes, &key::announcements());
            let unreadable = |why| Fault::Unreadable { what: "an announcement".to_owned(), why };
            keys.map(|pair| {
                record::decode(pair?.0.get(1..).unwrap_or_default()).map_err(unreadable)
            })
            .collect()
        });
        Ok(known.await?)
    }
}
