//! Accounts: money comes in and goes out, and never more goes out than is in.

use serde::Deserialize;

/// What can be asked of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Come into being.
    Open,
    /// Take so much in, in minor units.
    Deposit(i64),
    /// Give so much out, in minor units.
    Withdraw(i64),
}

/// What can happen to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It came into being.
    Opened,
    /// So much came in.
    Deposited(i64),
    /// So much went out.
    Withdrawn(i64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    amount: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Funds {
    funds: i64,
}

fn nothing(data: &str) -> Option<()> {
    serde_json::from_str(data).ok().map(|Nothing {}| ())
}

fn amount(data: &str) -> Option<i64> {
    let Amount { amount } = serde_json::from_str(data).ok()?;
    (amount > 0).then_some(amount)
}

pub(super) fn read_state(text: &str) -> Option<i64> {
    serde_json::from_str(text).ok().map(|Funds { funds }| funds)
}

impl Command {
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        match name {
            "open" => nothing(data).map(|()| Self::Open),
            "deposit" => amount(data).map(Self::Deposit),
            "withdraw" => amount(data).map(Self::Withdraw),
            _ => None,
        }
    }
}

impl Event {
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        match name {
            "opened" => nothing(data).map(|()| Self::Opened),
            "deposited" => amount(data).map(Self::Deposited),
            "withdrawn" => amount(data).map(Self::Withdrawn),
            _ => None,
        }
    }

    /// What it adds to the funds of an account that is open; none where it cannot happen there.
    #[must_use]
    pub const fn gain(self) -> Option<i64> {
        match self {
            Self::Opened => None,
            Self::Deposited(amount) => Some(amount),
            Self::Withdrawn(amount) => amount.checked_neg(),
        }
    }
}

/// What the rules say, given the funds of an account that is open.
///
/// # Errors
/// The code of the rule that refuses.
pub fn decide(funds: Option<i64>, command: Command) -> Result<Event, &'static str> {
    match (funds, command) {
        (None, Command::Open) => Ok(Event::Opened),
        (None, Command::Deposit(_) | Command::Withdraw(_)) => Err("NOT_FOUND"),
        (Some(_), Command::Open) => Err("ALREADY_EXISTS"),
        (Some(funds), Command::Deposit(amount)) if amount > i64::MAX - funds => {
            Err("AMOUNT_OVERFLOW")
        }
        (Some(funds), Command::Withdraw(amount)) if amount > funds => Err("INSUFFICIENT_FUNDS"),
        (Some(_), Command::Deposit(amount)) => Ok(Event::Deposited(amount)),
        (Some(_), Command::Withdraw(amount)) => Ok(Event::Withdrawn(amount)),
    }
}
