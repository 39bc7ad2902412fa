//! What is killed under load, or ended by a rule, loses nothing and repeats nothing: on each home,
//! which says in a main of its own what `crate::Home` is.

pub(crate) mod check;
pub(crate) mod kills;
pub(crate) mod rules;
