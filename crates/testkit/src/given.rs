//! Given, when, then: rules told as examples. Pure, so an example takes microseconds.

use std::fmt::Debug;

use ordain_model::{Aggregate, Code};

/// An aggregate to which these events have happened, in this order.
#[must_use]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::State::default();
    for event in events {
        A::apply(&mut state, event);
    }
    Given { state }
}

/// An aggregate in the middle of an example.
#[derive(Debug)]
pub struct Given<A: Aggregate> {
    state: A::State,
}

/// What the rules said in an example.
#[derive(Debug)]
pub struct Decided<A: Aggregate> {
    state: A::State,
    decision: Result<Vec<A::Event>, Code>,
}

impl<A: Aggregate> Given<A> {
    /// What the events amount to.
    #[must_use]
    pub fn state(&self) -> &A::State {
        &self.state
    }

    /// Lets the rules decide.
    #[must_use]
    pub fn when(self, command: A::Command) -> Decided<A> {
        let decision = A::decide(&self.state, command);
        Decided { state: self.state, decision }
    }
}

impl<A: Aggregate> Decided<A>
where
    A::Event: Debug + PartialEq,
{
    /// The command is accepted and exactly this happens, in this order. Gives the aggregate back
    /// as it is afterwards, for the example to go on.
    ///
    /// # Panics
    /// When the rules say anything else.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let expected: Vec<A::Event> = expected.into_iter().collect();
        assert_eq!(self.decision.as_deref(), Ok(expected.as_slice()));
        let mut state = self.state;
        for event in expected {
            A::apply(&mut state, event);
        }
        Given { state }
    }

    /// A rule refuses the command with this code. Gives the aggregate back: it is unchanged.
    ///
    /// # Panics
    /// When the rules say anything else.
    #[expect(clippy::needless_pass_by_value, reason = "codes are constants, read best bare")]
    #[track_caller]
    pub fn then_refused(self, code: Code) -> Given<A> {
        assert_eq!(self.decision.as_deref(), Err(&code));
        Given { state: self.state }
    }
}
