//! The words of ordain: ids, command, decision, commit, event, outcome, and the traits that an
//! aggregate fulfils. Pure: no I/O, no clock, no randomness.

pub mod json;
