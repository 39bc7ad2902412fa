//! Kafka keeps every promise of the logs and feeds, without a waiver, against a real broker, and
//! however the members of a group agree on who has which partition.
#![expect(clippy::expect_used, reason = "a test may panic")]

mod home;

use home::{Brokers, Classic, Fleet};

ordain_ports::contract!(command_log, Fleet<Classic>);
ordain_ports::contract!(event_log, Fleet<Classic>);
ordain_ports::contract!(feed, Fleet<Classic>);

/// The same feeds where the brokers say who has which partition.
mod shared_out_by_brokers {
    use super::{Brokers, Fleet};

    ordain_ports::contract!(feed, Fleet<Brokers>);
}
