//! Kafka keeps every promise of the logs and feeds, without a waiver, against a real broker.
#![expect(clippy::expect_used, reason = "a test may panic")]

mod home;

use home::Fleet;

ordain_ports::contract!(command_log, Fleet);
ordain_ports::contract!(event_log, Fleet);
ordain_ports::contract!(feed, Fleet);
