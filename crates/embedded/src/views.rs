//! The view store.

use async_trait::async_trait;
use ordain_model::AggregateKey;
use ordain_ports::{Error, Mark, Row, RowList, RowRange, RowWrite, ViewStore};

use crate::Home;
use crate::batch::Batch;
use crate::fault::Fault;
use crate::key;
use crate::record::{self, Unreadable};
use crate::tables::{self, Table, View};

/// A value that is written when what is there has the expected number.
struct Conditional {
    key: Vec<u8>,
    expected: Option<u64>,
    number: u64,
    value: Vec<u8>,
}

#[async_trait]
impl ViewStore for Home {
    async fn rows(&self, view: &str, keys: &[String]) -> Result<Vec<Option<Row>>, Error> {
        let keys: Vec<_> = keys.iter().map(|key| key::in_view(view, key)).collect();
        let rows = self.inner.read(move |tables| {
            let view = tables.view();
            // Under a key that is too long there is nothing.
            let row = |key: &Option<Vec<u8>>| match key {
                Some(key) => read_row(&view, key),
                None => Ok(None),
            };
            keys.iter().map(row).collect()
        });
        Ok(rows.await?)
    }

    async fn write(&self, view: &str, writes: Vec<RowWrite>) -> Result<Vec<bool>, Error> {
        let mut new = Vec::with_capacity(writes.len());
        for RowWrite { expected, row } in &writes {
            let value = record::encode_numbered(row.sequence, row).map_err(not_storable)?;
            let key = key::in_view(view, &row.key).ok_or_else(too_long)?;
            new.push(Conditional { key, expected: *expected, number: row.sequence, value });
        }
        self.write_if(Table::Rows, new).await
    }

    async fn marks(&self, view: &str, of: &[AggregateKey]) -> Result<Vec<Option<u64>>, Error> {
        let keys: Vec<_> = of.iter().map(|of| key::in_view(view, of.as_str())).collect();
        let marks = self.inner.read(move |tables| {
            let view = tables.view();
            let mark = |key: &Option<Vec<u8>>| {
                let Some(key) = key else { return Ok(None) };
                let mark = view.get(Table::Marks, key)?;
                mark.map(|mark| record::number(&mark).map_err(unreadable)).transpose()
            };
            keys.iter().map(mark).collect()
        });
        Ok(marks.await?)
    }

    async fn set_marks(&self, view: &str, marks: Vec<Mark>) -> Result<Vec<bool>, Error> {
        let mut new = Vec::with_capacity(marks.len());
        for Mark { aggregate, expected, sequence } in marks {
            let key = key::in_view(view, aggregate.as_str()).ok_or_else(too_long)?;
            let value = sequence.to_be_bytes().to_vec();
            new.push(Conditional { key, expected, number: sequence, value });
        }
        self.write_if(Table::Marks, new).await
    }

    async fn list(&self, view: &str, range: &RowRange) -> Result<RowList, Error> {
        let limit = range.limit.max(1);
        let Some(prefix) = key::in_view(view, &range.prefix) else {
            return Ok(RowList::default());
        };
        let after = range.after.as_deref().map(|after| key::in_view(view, after));
        let after = match after {
            // There is nothing behind a key that is too long, or nobody can say what.
            Some(None) => return Ok(RowList::default()),
            Some(Some(mut after)) => {
                after.push(0);
                Some(after)
            }
            None => None,
        };
        let from = after.map_or_else(|| prefix.clone(), |after| after.max(prefix.clone()));
        let to = key::behind(&prefix);
        let rows = self.inner.read(move |tables| list(&tables.view(), &from, &to, limit));
        Ok(rows.await?)
    }
}

impl Home {
    async fn write_if(&self, table: Table, new: Vec<Conditional>) -> Result<Vec<bool>, Error> {
        let bytes = new.iter().map(|new| new.key.len() + new.value.len()).sum();
        let written = self.inner.write_soon(bytes, move |batch| {
            new.into_iter().map(|new| put_if(batch, table, new)).collect()
        });
        Ok(written.await?)
    }
}

fn put_if(batch: &mut Batch, table: Table, new: Conditional) -> tables::Result<bool> {
    let there = batch.number(table, &new.key)?;
    let holds = there == new.expected && new.expected.is_none_or(|there| there < new.number);
    if holds {
        batch.put_numbered(table, (new.key, new.number), new.value);
    }
    Ok(holds)
}

fn read_row(view: &View<'_>, key: &[u8]) -> Result<Option<Row>, Fault> {
    let row = view.get(Table::Rows, key)?;
    row.map(|row| record::decode_numbered(&row).map_err(unreadable)).transpose()
}

fn list(view: &View<'_>, from: &[u8], to: &[u8], limit: usize) -> Result<RowList, Fault> {
    let mut list = RowList::default();
    if from >= to {
        return Ok(list);
    }
    for pair in view.range(Table::Rows, from, to) {
        let (_, value) = pair?;
        let row: Row = record::decode_numbered(&value).map_err(unreadable)?;
        if row.body.is_none() {
            continue;
        }
        if list.rows.len() == limit {
            list.next = list.rows.last().map(|last: &Row| last.key.clone());
            break;
        }
        list.rows.push(row);
    }
    Ok(list)
}

fn unreadable(why: Unreadable) -> Fault {
    Fault::Unreadable { what: "a row or mark of a view".to_owned(), why }
}

fn not_storable(why: Unreadable) -> Error {
    Fault::NotStorable { what: "a row", why }.into()
}

fn too_long() -> Error {
    not_storable("its key is too long".to_owned())
}
