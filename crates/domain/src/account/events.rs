//! What can happen to an account. Facts only: the funds that they leave are the reader's to fold.

use serde::{Deserialize, Serialize};

use super::Amount;

/// What can happen to an account. This is the form in which events are stored: a change needs a
/// new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Event {
    /// It came into being, without funds.
    Opened {},
    /// Money came in.
    Deposited {
        /// How much.
        amount: Amount,
    },
    /// Money went out.
    Withdrawn {
        /// How much.
        amount: Amount,
    },
}
