//! The protocol of the workers and of the followers as a model that is explored exhaustively.
//!
//! The model holds what the promises rest on and nothing else: a command log, lanes that decide
//! batches and insert them, a store with two unique keys whose newest commits may be rolled back,
//! an event log, and projectors that fold it into the rows of a view. [`action::Action`] lists all
//! that can happen, [`state::State`] what there is; [`worker`], [`store`], [`follower`] and
//! [`fault`] hold the steps, one small function for each.
//!
//! # Configurations
//!
//! It is one model with several [`configurations`], because all features at once would be too many
//! states. All have batches of two and two workers; `small` runs in the tests, `deep` has batches
//! of one or two and more faults.
//!
//! | configuration | command log | faults, each so often | what it adds |
//! |---|---|---|---|
//! | `lane` | 1 partition, 4 records, 2 aggregates | 1 crash, 1 move, 1 lost answer | repeats, one request id at two aggregates, a refusal, the prefix of a failed insert, late inserts, zombies, the stored hint of what is published |
//! | `rollback` | 1 partition, 4 records, 2 aggregates | 1 move, 1 lost answer, 1 step-down | what is not durable is rolled back; clients look outcomes up at any time |
//! | `refusals` | 1 partition, 6 records, 1 aggregate | 1 move, 1 lost answer, 1 deadline | one of two may be first, expected sequences met and missed, a deadline, a reused request id |
//! | `raised` | 2 partitions, 2 + 3 records, 2 aggregates in both | 1 crash | two lanes reach one aggregate, in opposite orders, with a repeat across them |
//! | `raised and moved` | 2 partitions, 2 + 2 records, 2 aggregates in both | 1 move | a zombie beside its successor and a second lane |
//! | `raised and rolled back` | 2 partitions, 2 + 2 records, 2 aggregates | 1 lost answer, 1 step-down | a lane waits for the other one's commit, which is rolled back |
//! | `follower` | all handled; event log `2 3 1 2 3 4` | 1 projector crash, 2 projector moves | repeats, an event that retention took, rows and mark written by zombies |
//! | `fleet` | 1 partition, 3 records, 1 aggregate | 1 move, 1 projector move | from the command to the row |
//!
//! A late insert is one whose sender has crashed, was revoked or has lost the answer: the documents
//! that it has left may still land at any later moment, one by one, or never.
//!
//! # Properties
//!
//! Each is named after a promise, by its number:
//!
//! 1. an accepted command is never lost;
//! 2. a request takes effect once; every answer is the stored and durable one;
//! 3. a request id names one command;
//! 4. revisions have no gap; a decision stands on the line before it; events neither overtake nor
//!    skip; no event is left unpublished; only durable events are published;
//! 5. a refusal stays a refusal;
//! 7. a late command is not executed;
//! 8. a zombie changes nothing that its successor relies on;
//! 11. views never go back; a row is the fold of its events; the mark never runs ahead of the rows;
//!     views never miss an event.
//!
//! Promise 10, more partitions, is the same properties under the three raised configurations. The
//! two that are not here: 6 (what a client is told when nothing is known) is about the API, and
//! 9 (one bad command stops nobody) about errors that the model does not have. The rule that lets
//! the API say "unknown" follows from 8: below the saved progress every command is durably decided.
//!
//! What must happen in the end is checked as a condition on states of rest; [`properties`] tells
//! why that is enough. What a configuration is there for must also be met on the way: [`reached`]
//! holds those conditions.
//!
//! # Wrong variants
//!
//! A property that nothing can break shows nothing. [`wrong::Wrong`] names rules that may be left
//! out, and [`mod@variants`] which promises break then, as complete lists:
//!
//! | left out | breaks first |
//! |---|---|
//! | forgetting the cache after a failed insert | 4 revisions |
//! | deciding the rest anew after a repeat | 4 revisions |
//! | publishing what others have committed | 4 unpublished, overtaking |
//! | publishing on a repeat | 4 unpublished |
//! | reads that show only what is durable | 2 answers, and nearly all others |
//! | sending again when a duplicate may have been rolled back | 1 |
//! | the unique key on the request | 2 once |
//! | the unique key on the revision | 4 revisions |
//! | publishing before saving progress | 4 unpublished |
//! | fencing the progress of a zombie | 8 |
//! | comparing the fingerprint | 3 |
//! | looking at the deadline before every sending | 7 |
//! | the condition on writes of rows and marks | 11 back |
//! | leaving a row alone that holds the event | 11 fold |
//! | writing the mark after the rows | 11 mark |
//!
//! # What is left out of the model
//!
//! - A resending that is bound to be refused again changes nothing and is no step.
//! - Reading and deciding are one step; the time between reading and storing is the way of the
//!   insert. A reload reads outcomes before aggregates.
//! - Commits become durable one by one in the order in which the primary took them, and a step-down
//!   removes all others. An insert that the old primary had begun takes no further document.
//! - The two unique keys are checked in a fixed order; a lane treats both refusals alike.
//! - A lost reply or a failed publication is a crash at that point; snapshots are not told apart
//!   from commits, except for the sequence up to which events are known to be published.
//! - A view is folded from one aggregate, since every row belongs to exactly one.
//! - Two states are taken to be the same when their 64-bit hashes are.

pub mod action;
pub mod check;
pub mod command;
pub mod configuration;
pub mod configurations;
pub mod cycle;
pub mod fault;
pub mod follower;
pub mod lane;
pub mod model;
pub mod properties;
pub mod reached;
pub mod state;
pub mod store;
pub mod variants;
pub mod way;
pub mod worker;
pub mod wrong;

pub use check::{Effort, Found, Report, can_go_on_for_ever, explore, explore_deep};
pub use configuration::Configuration;
pub use configurations::{deep, small};
pub use variants::{Variant, variants};
pub use wrong::Wrong;
