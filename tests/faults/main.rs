//! The fleet under fire: clients write down what they saw while things fail, all that was left
//! behind is read back, and the checker decides.

#![expect(clippy::unwrap_used, reason = "a test that meets what must not be has failed")]

mod kills;
mod mutants;
mod points;
mod run;
