//! For tests only: faulty wrappers over ports, gates that calls stop at, a clock that the test
//! sets, and worlds to run it all in.

pub mod clock;
pub mod faulty;
mod gate;
mod given;
mod wait;
mod world;

pub use gate::Gate;
pub use given::{Decided, Given, given};
pub use wait::{WAIT_MAX, until, within};
pub use world::World;
