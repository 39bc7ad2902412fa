//! What a run under faults is made of: clients that write down what they saw, and a reading of all
//! that the run left behind, both for the checker.

mod clients;
mod clocks;
mod evidence;
mod expired;
mod links;
mod memory;
pub mod mutants;
mod owners;
mod points;
mod ready;
mod rules;
mod run;
mod strange;
mod timeline;
mod topics;

pub use clients::Clients;
pub use clocks::Off;
pub use evidence::Evidence;
pub use links::{Harm, Links, PLACES, SERVERS};
pub use memory::Memory;
pub use points::POINTS;
pub use ready::Readiness;
pub use rules::Rule;
pub use run::{Load, Run, Strike};
pub use strange::{plant, replay};
pub use timeline::{Blow, Timeline};
