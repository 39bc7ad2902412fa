//! Numbers for values that occur often, so that tables of millions stay small.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::HashMap;

/// Gives equal values the same number: 0, 1, 2 …
#[derive(Debug)]
pub(crate) struct Numbered<T: ?Sized> {
    numbers: HashMap<Arc<T>, u32>,
    values: Vec<Arc<T>>,
}

impl<T: ?Sized> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: HashMap::default(), values: Vec::new() }
    }
}

impl Numbered<str> {
    /// The number of a text, a new one when it was never seen.
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.find(text).unwrap_or_else(|| self.add(Arc::from(text)))
    }
}

impl<T: Eq + Hash> Numbered<T> {
    /// The number of a value, a new one when it was never seen.
    pub(crate) fn owned(&mut self, value: T) -> u32 {
        self.find(&value).unwrap_or_else(|| self.add(Arc::new(value)))
    }
}

impl<T: Eq + Hash + ?Sized> Numbered<T> {
    fn add(&mut self, value: Arc<T>) -> u32 {
        let number = number(self.values.len());
        self.values.push(Arc::clone(&value));
        self.numbers.insert(value, number);
        number
    }

    /// The number of a value that was seen.
    pub(crate) fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// The value of a number that was given.
    pub(crate) fn value(&self, number: u32) -> &Arc<T> {
        &self.values[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

/// An index as a number of 32 bits.
///
/// # Panics
/// Beyond 4,294,967,294: no run is that long, and a table that wrapped around would lie.
#[expect(clippy::expect_used, reason = "a table that wrapped around would lie")]
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).ok().filter(|number| *number < u32::MAX).expect("a run of such length")
}
