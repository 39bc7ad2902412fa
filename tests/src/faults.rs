//! What a run under faults is made of: clients that write down what they saw, and a reading of all
//! that the run left behind, both for the checker.

mod clients;
mod evidence;
mod memory;
mod topics;

pub use clients::Clients;
pub use evidence::Evidence;
pub use memory::Memory;
