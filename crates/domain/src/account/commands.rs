//! What can be asked of an account.

use serde::{Deserialize, Serialize};

/// What can be asked of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Command {
    /// Come into being, without funds.
    Open {},
    /// Take money in.
    Deposit {
        /// How much.
        amount: Amount,
    },
    /// Give money out.
    Withdraw {
        /// How much.
        amount: Amount,
    },
}

/// An amount of money in minor units of the currency: 1 to `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(i64);

impl Amount {
    /// The amount, in minor units.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = &'static str;
    fn try_from(minor_units: i64) -> Result<Self, Self::Error> {
        if minor_units < 1 {
            return Err("an amount is a positive whole number of minor units");
        }
        Ok(Self(minor_units))
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}
