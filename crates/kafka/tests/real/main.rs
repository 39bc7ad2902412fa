//! What Kafka does beyond the contracts, against a real broker: what stands in the topics, how
//! topics are made and refused, and what running members do when things change or fail.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod failing;
mod fresh;
mod gone;
mod members;
mod records;
mod topics;
