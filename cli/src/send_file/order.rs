//! Order: of one aggregate one command at a time, in the order of the file; of all together as
//! many as allowed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::sending::Command;

/// Whose turn it is. `T` is what is sent.
#[derive(Debug)]
pub(super) struct Order<T> {
    /// Those that may be sent now, in the order in which they became so.
    ready: VecDeque<(Aggregate, T)>,
    /// Every aggregate with a command ready or under way, and what waits behind it.
    behind: HashMap<Aggregate, VecDeque<T>>,
    /// Aggregates that had a command without an outcome: nothing follows it.
    closed: HashSet<Aggregate>,
}

/// Whom a command is about. What creates without an id is alone under its request id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Aggregate(String);

impl Aggregate {
    pub(super) fn of(command: &Command) -> Self {
        let (mark, id) = match &command.id {
            Some(id) => ('i', id),
            None => ('r', &command.request_id),
        };
        Self(format!("{}\0{mark}{id}", command.aggregate_type))
    }
}

impl<T> Order<T> {
    pub(super) fn new() -> Self {
        Self { ready: VecDeque::new(), behind: HashMap::new(), closed: HashSet::new() }
    }

    /// Takes the next one of the file; gives it back when it must not be sent.
    pub(super) fn put(&mut self, aggregate: Aggregate, item: T) -> Result<(), T> {
        if self.closed.contains(&aggregate) {
            return Err(item);
        }
        match self.behind.entry(aggregate) {
            Entry::Occupied(mut waiting) => waiting.get_mut().push_back(item),
            Entry::Vacant(free) => {
                self.ready.push_back((free.key().clone(), item));
                free.insert(VecDeque::new());
            }
        }
        Ok(())
    }

    /// The next one that may be sent.
    pub(super) fn take(&mut self) -> Option<(Aggregate, T)> {
        self.ready.pop_front()
    }

    /// The aggregate's command has an answer for good: the next one may go.
    pub(super) fn settled(&mut self, aggregate: Aggregate) {
        if let Entry::Occupied(mut waiting) = self.behind.entry(aggregate) {
            match waiting.get_mut().pop_front() {
                Some(next) => self.ready.push_back((waiting.key().clone(), next)),
                None => drop(waiting.remove()),
            }
        }
    }

    /// The aggregate's command has no outcome: gives back all that waited behind it, and lets
    /// nothing follow.
    pub(super) fn open(&mut self, aggregate: Aggregate) -> VecDeque<T> {
        let behind = self.behind.remove(&aggregate).unwrap_or_default();
        self.closed.insert(aggregate);
        behind
    }

    /// Forgets all that was not taken, and says how many there were.
    pub(super) fn clear(&mut self) -> u64 {
        let waiting: usize = self.behind.values().map(VecDeque::len).sum();
        let count = waiting + self.ready.len();
        self.ready.clear();
        self.behind.clear();
        count as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregate(id: &str) -> Aggregate {
        Aggregate(id.to_owned())
    }

    fn taken(order: &mut Order<u32>) -> Vec<u32> {
        std::iter::from_fn(|| order.take()).map(|(_, item)| item).collect()
    }

    #[test]
    fn one_at_a_time_per_aggregate_in_the_order_given() {
        let mut order = Order::new();
        for (id, item) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
            order.put(aggregate(id), item).unwrap();
        }
        assert_eq!(taken(&mut order), [1, 3]);
        order.settled(aggregate("a"));
        order.settled(aggregate("b"));
        assert_eq!(taken(&mut order), [2]);
        order.put(aggregate("b"), 5).unwrap();
        assert_eq!(taken(&mut order), [5]);
        order.settled(aggregate("a"));
        assert_eq!(taken(&mut order), [4]);
        order.settled(aggregate("a"));
        order.settled(aggregate("b"));
        assert!(order.behind.is_empty(), "what is settled takes no memory");
    }

    #[test]
    fn nothing_follows_a_command_without_an_outcome() {
        let mut order = Order::new();
        for item in 1..=3 {
            order.put(aggregate("a"), item).unwrap();
        }
        assert_eq!(taken(&mut order), [1]);
        assert_eq!(order.open(aggregate("a")), [2, 3]);
        assert_eq!(order.put(aggregate("a"), 4), Err(4));
        assert_eq!(order.put(aggregate("b"), 5), Ok(()));
        assert_eq!(taken(&mut order), [5]);
    }

    #[test]
    fn what_was_not_taken_is_counted() {
        let mut order = Order::new();
        for (id, item) in [("a", 1), ("a", 2), ("b", 3)] {
            order.put(aggregate(id), item).unwrap();
        }
        assert_eq!(order.take(), Some((aggregate("a"), 1)));
        assert_eq!(order.clear(), 2);
        assert!(taken(&mut order).is_empty());
    }
}
