//! The protocol as a model that stateright explores.

use stateright::{Model, Property};

use crate::action::{self, Action};
use crate::configuration::Configuration;
use crate::properties;
use crate::state::State;

/// The protocol under one configuration.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The configuration.
    pub configuration: Configuration,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(&self.configuration)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        action::possible(state, &self.configuration, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        action::perform(&mut next, &self.configuration, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.configuration)
    }
}
