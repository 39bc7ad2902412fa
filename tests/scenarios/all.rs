//! What holds wherever ordain runs, as its users meet it: over HTTP and the command line. Each home
//! has a main of its own, which says what `crate::Home` is.

mod answers;
mod bad_input;
mod batch;
mod bench;
mod contest;
mod dead_letters;
mod drain;
mod health;
mod partitions;
mod promises;
mod readme;
mod traces;
