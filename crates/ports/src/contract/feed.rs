//! The contract of feeds and lanes, for both topics.

mod flowing;
mod moving;
mod reading;

pub use super::member::{Events, Requests, Topic};
pub use flowing::*;
pub use moving::*;
pub use reading::*;
