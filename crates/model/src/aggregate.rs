//! The trait that an aggregate written in Rust fulfils, and the codes that its rules refuse with.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a command was refused or rejected: `[A-Z][A-Z0-9_]*`, for programs to compare.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// The aggregate has another sequence than the client expects.
    pub const SEQUENCE_MISMATCH: Self = Self::new("SEQUENCE_MISMATCH");

    /// A code that is known when the program is written.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// The code's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Code {
    fn from(code: String) -> Self {
        Self(Cow::Owned(code))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command of an aggregate: its name and what its body looks like.
#[derive(Debug, Clone, Copy)]
pub struct CommandSchema {
    /// The command's name, in the imperative.
    pub name: &'static str,
    /// Whether it brings the aggregate into being: it may then be sent without an id, and its
    /// success is answered 201.
    pub creates: bool,
    /// JSON Schema (draft 2020-12) of the body.
    pub schema: &'static str,
}

/// An event of an aggregate: its name, version and what its data looks like.
#[derive(Debug, Clone, Copy)]
pub struct EventSchema {
    /// The event's name, in the past tense.
    pub name: &'static str,
    /// The version that is written now.
    pub version: u32,
    /// JSON Schema (draft 2020-12) of the data.
    pub schema: &'static str,
}

/// An aggregate written in Rust: a state, what is asked of it, what happens to it, and the rules.
///
/// The rules are pure: the same state and command give the same decision, on every machine and in
/// every run. They read no clock, draw no random number and follow no order of a hash map.
pub trait Aggregate: Send + Sync + 'static {
    /// What its events amount to. The default is an aggregate that nothing has happened to.
    type State: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What can be asked of it: an enum with one newtype or struct variant a command, which serde
    /// names as the command is named (`#[serde(rename_all = "kebab-case")]`).
    type Command: DeserializeOwned;
    /// What can happen to it: an enum with one newtype or struct variant an event, which serde
    /// names as the event is named.
    type Event: Serialize + DeserializeOwned;

    /// The type's name.
    const TYPE: &'static str;
    /// Raise it when `apply` or the state's form changes: snapshots of other versions are not
    /// read.
    const FOLD_VERSION: u32;
    /// All its commands.
    const COMMANDS: &'static [CommandSchema];
    /// All its events.
    const EVENTS: &'static [EventSchema];

    /// The rules: what happens when `command` meets `state`.
    ///
    /// # Errors
    /// The code of the rule that refuses.
    fn decide(state: &Self::State, command: Self::Command) -> Result<Vec<Self::Event>, Code>;

    /// The fold: what `event` makes of `state`. Never fails, for the event has happened.
    fn apply(state: &mut Self::State, event: Self::Event);
}

/// Turns an [`Aggregate`] written in Rust into a [`Handler`](crate::Handler).
pub struct Rules<A>(pub(crate) crate::Definition, PhantomData<fn() -> A>);

impl<A: Aggregate> Rules<A> {
    /// The handler of `A`.
    ///
    /// # Errors
    /// Says which name is none or which schema cannot be compiled.
    pub fn new() -> Result<Self, crate::BadDefinition> {
        crate::Definition::of::<A>().map(|definition| Self(definition, PhantomData))
    }
}
