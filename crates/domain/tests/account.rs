//! The rules of accounts, as examples.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ordain_domain::account::{
    ALREADY_EXISTS, AMOUNT_OVERFLOW, Account, Amount, Command, Event, Funds, INSUFFICIENT_FUNDS,
    NOT_FOUND,
};
use ordain_testkit::given;

fn amount(minor_units: i64) -> Amount {
    Amount::try_from(minor_units).unwrap()
}

fn deposited(minor_units: i64) -> Event {
    Event::Deposited { amount: amount(minor_units) }
}

fn withdrawn(minor_units: i64) -> Event {
    Event::Withdrawn { amount: amount(minor_units) }
}

fn deposit(minor_units: i64) -> Command {
    Command::Deposit { amount: amount(minor_units) }
}

fn withdraw(minor_units: i64) -> Command {
    Command::Withdraw { amount: amount(minor_units) }
}

fn opened() -> Event {
    Event::Opened {}
}

#[test]
fn an_account_is_opened_once_and_is_empty_then() {
    let opened = given::<Account>([]).when(Command::Open {}).then([opened()]);
    assert_eq!(*opened.state(), Some(Funds { funds: 0 }));
    opened.when(Command::Open {}).then_refused(ALREADY_EXISTS);
}

#[test]
fn nothing_goes_in_or_out_before_it_is_opened() {
    given::<Account>([]).when(deposit(1)).then_refused(NOT_FOUND);
    given::<Account>([]).when(withdraw(i64::MAX)).then_refused(NOT_FOUND);
    assert_eq!(*given::<Account>([]).state(), None);
}

#[test]
fn what_came_in_may_go_out_to_the_last_unit_and_no_further() {
    let full = given::<Account>([opened()]).when(deposit(7)).then([deposited(7)]);
    let empty = full.when(withdraw(8)).then_refused(INSUFFICIENT_FUNDS);
    let empty = empty.when(withdraw(7)).then([withdrawn(7)]);
    assert_eq!(*empty.state(), Some(Funds { funds: 0 }));
    empty.when(withdraw(1)).then_refused(INSUFFICIENT_FUNDS);
}

#[test]
fn the_same_deposit_again_is_another_deposit() {
    let once = given::<Account>([opened()]).when(deposit(5)).then([deposited(5)]);
    let twice = once.when(deposit(5)).then([deposited(5)]);
    assert_eq!(*twice.state(), Some(Funds { funds: 10 }));
}

#[test]
fn an_account_holds_what_can_be_counted_and_no_unit_more() {
    let full = given::<Account>([opened(), deposited(1)]).when(deposit(i64::MAX - 1));
    let full = full.then([deposited(i64::MAX - 1)]);
    assert_eq!(*full.state(), Some(Funds { funds: i64::MAX }));
    full.when(deposit(1)).then_refused(AMOUNT_OVERFLOW);
    given::<Account>([opened(), deposited(i64::MAX)])
        .when(deposit(i64::MAX))
        .then_refused(AMOUNT_OVERFLOW);
}

#[test]
fn an_amount_is_positive() {
    for none in [0, -1, i64::MIN] {
        assert!(Amount::try_from(none).is_err(), "{none}");
    }
}
