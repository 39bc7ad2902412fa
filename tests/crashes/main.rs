//! Real processes killed under load, at random and at every crash point, and started again on the
//! same directory; then everything is read back.

mod check;
mod kills;
mod load;
mod rules;
