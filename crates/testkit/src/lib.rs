//! For tests only: faulty wrappers over ports, gates that calls stop at, a clock that the test
//! sets, worlds to run it all in, and where the real servers are.

pub mod clock;
pub mod faulty;
mod gate;
mod given;
mod port;
mod services;
mod wait;
mod world;

pub use gate::Gate;
pub use given::{Decided, Given, given};
pub use port::free_port;
pub use services::{Services, services};
pub use wait::{WAIT_MAX, until, within};
pub use world::World;
