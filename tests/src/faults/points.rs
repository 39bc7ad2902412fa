//! The crash points of a fleet.

use crate::Role;

/// The crash points of processes, with who meets them and how often each is passed before it
/// strikes. Two owners (Z3) and raised partitions (P1) are no places in the code:
/// [`Run::two_owners`](super::Run::two_owners) and [`Run::raised`](super::Run::raised) stand for
/// them.
pub const POINTS: [(&str, Role, u32); 16] = [
    ("C0", Role::Api, 40),
    ("C1", Role::Api, 40),
    ("C2", Role::Api, 40),
    ("C3", Role::Worker, 40),
    ("C4", Role::Worker, 40),
    ("C5", Role::Worker, 40),
    ("C6", Role::Worker, 40),
    ("C7", Role::Worker, 30),
    ("C8", Role::Worker, 10),
    ("C9", Role::Worker, 30),
    ("C10", Role::Worker, 30),
    ("C11", Role::View, 30),
    ("C12", Role::View, 30),
    ("Z1", Role::Worker, 40),
    ("Z2", Role::Worker, 30),
    ("Z4", Role::View, 30),
];
