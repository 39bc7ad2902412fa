//! The rules of accounts.

use ordain_model::Code;

use super::{Amount, Command, Event, Funds};

/// The account was opened before.
pub const ALREADY_EXISTS: Code = Code::new("ALREADY_EXISTS");
/// The account was never opened.
pub const NOT_FOUND: Code = Code::new("NOT_FOUND");
/// More would go out than is in.
pub const INSUFFICIENT_FUNDS: Code = Code::new("INSUFFICIENT_FUNDS");
/// More would be in than can be counted: `i64::MAX` minor units.
pub const AMOUNT_OVERFLOW: Code = Code::new("AMOUNT_OVERFLOW");

pub(super) fn decide(account: Option<&Funds>, command: Command) -> Result<Vec<Event>, Code> {
    let event = match (account, command) {
        (None, Command::Open {}) => Event::Opened {},
        (Some(_), Command::Open {}) => return Err(ALREADY_EXISTS),
        (None, _) => return Err(NOT_FOUND),
        (Some(account), Command::Deposit { amount }) => deposit(*account, amount)?,
        (Some(account), Command::Withdraw { amount }) => withdraw(*account, amount)?,
    };
    Ok(vec![event])
}

fn deposit(account: Funds, amount: Amount) -> Result<Event, Code> {
    if account.funds.checked_add(amount.minor_units()).is_none() {
        return Err(AMOUNT_OVERFLOW);
    }
    Ok(Event::Deposited { amount })
}

fn withdraw(account: Funds, amount: Amount) -> Result<Event, Code> {
    if amount.minor_units() > account.funds {
        return Err(INSUFFICIENT_FUNDS);
    }
    Ok(Event::Withdrawn { amount })
}
