//! The fleet under fire: clients write down what they saw while things fail, all that was left
//! behind is read back, and the checker decides.

mod kills;
mod mutants;
mod points;
