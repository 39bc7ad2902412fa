//! The routes, asked without a socket.

mod aggregates;
mod dead_letters;
mod health;
mod refusals;
mod views;
