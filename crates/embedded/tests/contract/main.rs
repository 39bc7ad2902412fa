//! The embedded home keeps every promise of every port, without a waiver; and the suites that say
//! so catch adapters that do not.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod breakages;
mod broken;
mod home;

use home::Embedded;

ordain_ports::contract!(announcements, Embedded);
ordain_ports::contract!(command_log, Embedded);
ordain_ports::contract!(commits, Embedded);
ordain_ports::contract!(crash_marks, Embedded);
ordain_ports::contract!(dead_letters, Embedded);
ordain_ports::contract!(event_log, Embedded);
ordain_ports::contract!(feed, Embedded);
ordain_ports::contract!(heartbeats, Embedded);
ordain_ports::contract!(outcomes, Embedded);
ordain_ports::contract!(replies, Embedded);
ordain_ports::contract!(snapshots, Embedded);
ordain_ports::contract!(views, Embedded);
