//! What the types and their commands look like.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::client::Answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json_text;
use crate::output::{self, printable};
use crate::read::{print_raw, understood};

#[derive(Deserialize)]
struct Types<'a> {
    #[serde(borrow)]
    types: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Type {
    #[serde(rename = "type")]
    name: String,
    commands: Vec<Command>,
}

#[derive(Deserialize)]
struct Command {
    command: String,
    #[serde(default)]
    creates: bool,
    schema: Schema,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    properties: Members,
    #[serde(default)]
    required: BTreeSet<String>,
}

/// The names of an object's members, in the order in which they stand there.
#[derive(Default)]
struct Members(Vec<String>);

/// Prints all types or one of them: a row per command, or the documents with their schemas.
///
/// # Errors
/// There is no such type, or the answer is something else.
pub(crate) fn print(answer: &Answer, only: Option<&str>, json: bool) -> Result<Exit, Box<Failure>> {
    if json && only.is_none() {
        print_raw(answer)?;
        return Ok(Exit::Success);
    }
    let list: Types<'_> = understood(answer)?;
    let mut rows = Vec::new();
    let mut found = only.is_none();
    for document in list.types {
        let kind: Type = serde_json::from_str(document.get()).map_err(|error| {
            Failure::new(Exit::Unknown, format!("a type cannot be understood: {error}"))
        })?;
        if only.is_some_and(|only| only != kind.name) {
            continue;
        }
        found = true;
        if json {
            output::print(&json_text::one_line(document.get()))?;
        }
        rows.extend(kind.commands.iter().enumerate().map(|(at, command)| {
            let name = if at == 0 { kind.name.as_str() } else { "" };
            row(name, command)
        }));
    }
    if !found {
        let text = format!("there is no type {}", only.unwrap_or_default());
        return Err(Failure::usage(text).hint("`ordain types` lists them"));
    }
    if !json {
        output::print(&output::table(["TYPE", "COMMAND", "CREATES", "BODY"], &rows))?;
    }
    Ok(Exit::Success)
}

fn row(name: &str, command: &Command) -> [String; 4] {
    let members: Vec<_> = command
        .schema
        .properties
        .0
        .iter()
        .map(|member| {
            let optional = !command.schema.required.contains(member);
            format!("{member}{}", if optional { "?" } else { "" })
        })
        .collect();
    let creates = if command.creates { "yes" } else { "" };
    let cells = [name, &command.command, creates, &format!("{{{}}}", members.join(", "))];
    cells.map(|cell| printable(cell).into_owned())
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(Members(names))
    }
}
