//! The object-safe face of an aggregate type: what the engine, the API and the views work with,
//! whether the type is written in Rust or defined by data.

use std::any::Any;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess};
use thiserror::Error;

use crate::{Aggregate, BadDefinition, Code, Event, Json, Name, Rules, Schema};

/// An aggregate type: its names and schemas, its rules, its fold. Pure.
pub trait Handler: Send + Sync + 'static {
    /// The type's names and schemas.
    fn definition(&self) -> &Definition;

    /// Whether a body can be decoded into the command's own type. The schema comes before this
    /// and should refuse all that this refuses; where it does not, this is the last word.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    fn check(&self, command: &str, data: &Json) -> Result<(), Unprocessable>;

    /// The state of an aggregate that nothing has happened to.
    fn initial(&self) -> State;

    /// What the rules say of `command` in `state`.
    ///
    /// # Errors
    /// The command is not this type's, or its body or a new event has not the form it must have.
    fn decide(&self, state: &State, command: &str, data: &Json) -> Result<Decision, Unprocessable>;

    /// Folds one event into the state.
    ///
    /// # Errors
    /// The event is not one that this version of the type can fold.
    fn apply(&self, state: &mut State, event: &Event) -> Result<(), Unprocessable>;

    /// The state as JSON: for snapshots and for readers.
    ///
    /// # Errors
    /// The state cannot be written as JSON.
    fn save(&self, state: &State) -> Result<Json, Unprocessable>;

    /// The state that `save` wrote.
    ///
    /// # Errors
    /// The text is no such state.
    fn restore(&self, saved: &Json) -> Result<State, Unprocessable>;
}

impl fmt::Debug for dyn Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler({})", self.definition().name)
    }
}

/// What cannot be decoded, folded or written, and why; for operators.
#[derive(Debug, Error)]
#[error("{what}: {why}")]
pub struct Unprocessable {
    /// Which command, event or state.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
}

impl Unprocessable {
    fn new(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self { what: what.to_string(), why: why.to_string() }
    }
}

/// What the rules say.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The command is accepted, and this happens; it may be nothing.
    Accepted(Vec<NewEvent>),
    /// A rule refuses it.
    Refused(Code),
}

/// An event that has been decided but has no sequence and time yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happens, in the past tense.
    pub name: Name,
    /// The version of its schema.
    pub version: u32,
    /// Its data.
    pub data: Json,
}

/// A state of any type.
pub struct State(Box<dyn AnyState>);

trait AnyState: Any + Send + Sync {
    fn duplicate(&self) -> Box<dyn AnyState>;
}

impl<S: Any + Clone + Send + Sync> AnyState for S {
    fn duplicate(&self) -> Box<dyn AnyState> {
        Box::new(self.clone())
    }
}

impl State {
    /// Wraps the state of one type.
    pub fn new<S: Any + Clone + Send + Sync>(state: S) -> Self {
        Self(Box::new(state))
    }

    /// The state as its own type, if it is of that type.
    #[must_use]
    pub fn get<S: Any>(&self) -> Option<&S> {
        (self.0.as_ref() as &dyn Any).downcast_ref()
    }

    /// The state as its own type, to be changed.
    pub fn get_mut<S: Any>(&mut self) -> Option<&mut S> {
        (self.0.as_mut() as &mut dyn Any).downcast_mut()
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().duplicate())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

/// The names and schemas of an aggregate type.
#[derive(Debug)]
pub struct Definition {
    /// The type's name.
    pub name: Name,
    /// The version of its fold.
    pub fold_version: u32,
    /// Its commands, in the order given.
    pub commands: Vec<CommandType>,
    /// Its events, in the order given.
    pub events: Vec<EventType>,
}

/// A command of a type.
#[derive(Debug)]
pub struct CommandType {
    /// The command's name.
    pub name: Name,
    /// Whether it brings the aggregate into being.
    pub creates: bool,
    /// What its body looks like.
    pub schema: Schema,
}

/// An event of a type.
#[derive(Debug)]
pub struct EventType {
    /// The event's name.
    pub name: Name,
    /// The version that is written now.
    pub version: u32,
    /// What its data looks like.
    pub schema: Schema,
}

impl Definition {
    pub(crate) fn of<A: Aggregate>() -> Result<Self, BadDefinition> {
        let schema = |name: &str, text: &str| {
            Schema::compile(text)
                .map_err(|bad| BadDefinition::new(format!("{}/{name}", A::TYPE), bad))
        };
        let commands = A::COMMANDS.iter().map(|command| {
            Ok(CommandType {
                name: named(command.name)?,
                creates: command.creates,
                schema: schema(command.name, command.schema)?,
            })
        });
        let events = A::EVENTS.iter().map(|event| {
            Ok(EventType {
                name: named(event.name)?,
                version: event.version,
                schema: schema(event.name, event.schema)?,
            })
        });
        Ok(Self {
            name: named(A::TYPE)?,
            fold_version: A::FOLD_VERSION,
            commands: commands.collect::<Result<_, _>>()?,
            events: events.collect::<Result<_, _>>()?,
        })
    }

    /// The command of that name.
    #[must_use]
    pub fn command(&self, name: &str) -> Option<&CommandType> {
        self.commands.iter().find(|command| command.name.as_str() == name)
    }

    /// The event of that name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&EventType> {
        self.events.iter().find(|event| event.name.as_str() == name)
    }
}

fn named(name: &str) -> Result<Name, BadDefinition> {
    name.parse().map_err(|bad| BadDefinition::new(name, bad))
}

impl<A: Aggregate> Handler for Rules<A> {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn check(&self, command: &str, data: &Json) -> Result<(), Unprocessable> {
        variant::<A::Command>(command, data).map(drop)
    }

    fn initial(&self) -> State {
        State::new(A::State::default())
    }

    fn decide(&self, state: &State, command: &str, data: &Json) -> Result<Decision, Unprocessable> {
        let decoded = variant::<A::Command>(command, data)?;
        match A::decide(own::<A>(state)?, decoded) {
            Ok(events) => events
                .iter()
                .map(|event| new_event(&self.0, event))
                .collect::<Result<_, _>>()
                .map(Decision::Accepted),
            Err(code) => Ok(Decision::Refused(code)),
        }
    }

    fn apply(&self, state: &mut State, event: &Event) -> Result<(), Unprocessable> {
        let known = self.0.event(event.name.as_str());
        if known.is_none_or(|known| known.version != event.version) {
            let what = format_args!("event {} version {}", event.name, event.version);
            return Err(Unprocessable::new(what, "no such event in this build"));
        }
        let decoded = variant::<A::Event>(event.name.as_str(), &event.data)?;
        let state = state
            .get_mut::<A::State>()
            .ok_or_else(|| Unprocessable::new("state", "of another aggregate type"))?;
        A::apply(state, decoded);
        Ok(())
    }

    fn save(&self, state: &State) -> Result<Json, Unprocessable> {
        Json::of(own::<A>(state)?).map_err(|why| Unprocessable::new("state", why))
    }

    fn restore(&self, saved: &Json) -> Result<State, Unprocessable> {
        saved
            .decode::<A::State>()
            .map(State::new)
            .map_err(|why| Unprocessable::new("saved state", why))
    }
}

fn own<A: Aggregate>(state: &State) -> Result<&A::State, Unprocessable> {
    state.get::<A::State>().ok_or_else(|| Unprocessable::new("state", "of another aggregate type"))
}

/// Serde writes an enum variant as `{"name":data}`; the name tells which event it is.
fn new_event<E: serde::Serialize>(
    definition: &Definition,
    event: &E,
) -> Result<NewEvent, Unprocessable> {
    let text = serde_json::to_string(event).map_err(|why| Unprocessable::new("new event", why))?;
    let (name, data) = text
        .strip_prefix("{\"")
        .and_then(|rest| rest.strip_suffix('}'))
        .and_then(|rest| rest.split_once("\":"))
        .ok_or_else(|| Unprocessable::new("new event", "not a newtype or struct variant"))?;
    let known = definition
        .event(name)
        .ok_or_else(|| Unprocessable::new(format_args!("new event {name}"), "has no schema"))?;
    let data = Json::try_from(data.to_owned())
        .map_err(|why| Unprocessable::new(format_args!("new event {name}"), why))?;
    Ok(NewEvent { name: known.name.clone(), version: known.version, data })
}

/// Decodes `data` into the variant of the enum `T` that serde calls `name`.
fn variant<T: DeserializeOwned>(name: &str, data: &Json) -> Result<T, Unprocessable> {
    let mut content = serde_json::Deserializer::from_str(data.as_str());
    T::deserialize(MapAccessDeserializer::new(Variant { name: Some(name), data: &mut content }))
        .map_err(|why| Unprocessable::new(name, why))
}

/// A map with one entry, which serde reads as an externally tagged enum.
struct Variant<'a, 'de> {
    name: Option<&'a str>,
    data: &'a mut serde_json::Deserializer<serde_json::de::StrRead<'de>>,
}

impl<'de> MapAccess<'de> for Variant<'_, 'de> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        self.name.take().map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        seed.deserialize(&mut *self.data)
    }
}
