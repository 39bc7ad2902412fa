//! The stores in MongoDB keep every promise of their ports, on a real server; and what the suites
//! cannot ask for: limits, cut connections, passwords, databases that are not set up.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod beating;
mod database;
mod inserting;
mod marking;
mod proxy;
mod reading;
mod setting_up;
mod stores;
mod tls;
mod travelling;

use stores::Stored;

ordain_ports::contract!(announcements, Stored);
ordain_ports::contract!(commits, Stored);
ordain_ports::contract!(crash_marks, Stored);
ordain_ports::contract!(dead_letters, Stored);
ordain_ports::contract!(heartbeats, Stored);
ordain_ports::contract!(outcomes, Stored);
ordain_ports::contract!(snapshots, Stored);
ordain_ports::contract!(views, Stored);
