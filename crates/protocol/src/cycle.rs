//! Whether a run can go on for ever, which the promises about the end rely on not being so.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use stateright::Model;

/// How a state stands to the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It is on the way from the start to where the walk is.
    OnTheWay,
    /// All that follows it has been walked.
    Done,
}

/// Walks the whole graph of a model depth first, and tells whether a way leads back to itself.
pub fn has_cycle<M>(model: &M) -> bool
where
    M: Model,
    M::State: std::hash::Hash,
{
    let hasher = RandomState::new();
    let mut marks: HashMap<u64, Mark> = HashMap::new();
    let mut way: Vec<(u64, Vec<M::State>)> = Vec::new();
    for start in model.init_states() {
        let name = hasher.hash_one(&start);
        marks.insert(name, Mark::OnTheWay);
        way.push((name, model.next_states(&start)));
    }
    while let Some((name, next)) = way.last_mut() {
        let Some(state) = next.pop() else {
            marks.insert(*name, Mark::Done);
            way.pop();
            continue;
        };
        let name = hasher.hash_one(&state);
        match marks.get(&name) {
            Some(Mark::OnTheWay) => return true,
            Some(Mark::Done) => {}
            None => {
                marks.insert(name, Mark::OnTheWay);
                way.push((name, model.next_states(&state)));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers up to 3, each followed by those that a rule gives.
    struct Numbers(fn(u8) -> Vec<u8>);

    impl Model for Numbers {
        type State = u8;
        type Action = u8;

        fn init_states(&self) -> Vec<u8> {
            vec![0]
        }

        fn actions(&self, state: &u8, actions: &mut Vec<u8>) {
            actions.extend((self.0)(*state));
        }

        fn next_state(&self, _: &u8, action: u8) -> Option<u8> {
            Some(action)
        }
    }

    #[test]
    fn ways_that_meet_again_are_no_cycle() {
        let meeting = Numbers(|state| match state {
            0 => vec![1, 2],
            1 | 2 => vec![3],
            _ => Vec::new(),
        });
        assert!(!has_cycle(&meeting));
    }

    #[test]
    fn a_way_back_is_a_cycle() {
        let returning = Numbers(|state| if state < 3 { vec![state + 1] } else { vec![1] });
        assert!(has_cycle(&returning));
    }
}
