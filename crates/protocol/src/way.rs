//! The shortest way to a state that breaks a property.
//!
//! Exploring keeps the last such way that it meets, which is the longest; a reader wants the
//! shortest.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

use stateright::Model;

/// A step on a way: where it comes from among all steps, and its action.
type Step<M> = (Option<usize>, <M as Model>::Action);

/// The actions of a shortest way to a state that `ends`; none when there is no such state.
pub fn shortest<M>(model: &M, ends: impl Fn(&M::State) -> bool) -> Option<Vec<M::Action>>
where
    M: Model,
    M::State: Hash,
    M::Action: Clone,
{
    let hasher = RandomState::new();
    let mut steps: Vec<Step<M>> = Vec::new();
    let mut seen = HashSet::new();
    let mut ahead: VecDeque<_> =
        model.init_states().into_iter().map(|state| (None, state)).collect();
    while let Some((came_by, state)) = ahead.pop_front() {
        if ends(&state) {
            return Some(back(&steps, came_by));
        }
        for (action, next) in model.next_steps(&state) {
            if seen.insert(hasher.hash_one(&next)) {
                steps.push((came_by, action));
                ahead.push_back((Some(steps.len() - 1), next));
            }
        }
    }
    None
}

/// The actions up to a step, from the first one on.
fn back<A: Clone>(steps: &[(Option<usize>, A)], mut came_by: Option<usize>) -> Vec<A> {
    let mut way = Vec::new();
    while let Some(place) = came_by {
        way.push(steps[place].1.clone());
        came_by = steps[place].0;
    }
    way.reverse();
    way
}
