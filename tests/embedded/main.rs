//! One process on one directory, as its users meet it: over HTTP and the command line.

mod answers;
mod bad_input;
mod contest;
mod drain;
mod promises;
mod readme;
