//! What the events of an account amount to.

use serde::{Deserialize, Serialize};

use super::Event;

/// An account, once it was opened.
pub type State = Option<Funds>;

/// What is in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Funds {
    /// In minor units; never below 0.
    pub funds: i64,
}

/// What `event` makes of `state`. The rules let no event happen that would leave the range, or
/// that comes before the opening; the fold is total all the same.
pub(super) fn apply(state: &mut State, event: &Event) {
    let funds = state.map_or(0, |account| account.funds);
    let funds = match event {
        Event::Opened {} => funds,
        Event::Deposited { amount } => funds.saturating_add(amount.minor_units()),
        Event::Withdrawn { amount } => funds.saturating_sub(amount.minor_units()),
    };
    *state = Some(Funds { funds });
}
