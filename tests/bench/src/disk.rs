//! How long the disk takes to make a small write durable.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::median_ms;

const SYNCS: usize = 500;
/// About what a command and its commit take in a journal.
const BYTES: [u8; 600] = [7; 600];

pub(crate) fn syncs(directory: &Path) -> anyhow::Result<Value> {
    let mut file: File = tempfile::tempfile_in(directory)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&BYTES)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(json!({"syncMs": median_ms(times)}))
}
