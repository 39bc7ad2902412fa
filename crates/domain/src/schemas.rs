//! How an aggregate names its JSON Schemas: one file each below `config/schemas/<type>/`, built
//! into the program.

/// The text of `config/schemas/<path>.json`.
macro_rules! schema {
    ($($path:literal),+) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../config/schemas/",
            $($path,)+
            ".json"
        ))
    };
}

/// The commands of a type. The first, after `creates`, brings the aggregate into being.
macro_rules! commands {
    ($type:literal, creates $first:literal $(, $name:literal)* $(,)?) => {
        &[
            commands!(@one $type, $first, true),
            $(commands!(@one $type, $name, false),)*
        ]
    };
    (@one $type:literal, $name:literal, $creates:literal) => {
        ordain_model::CommandSchema {
            name: $name,
            creates: $creates,
            schema: schema!($type, "/commands/", $name),
        }
    };
}

/// The events of a type, each with the version that is written now.
macro_rules! events {
    ($type:literal, $($name:literal version $version:literal),+ $(,)?) => {
        &[$(ordain_model::EventSchema {
            name: $name,
            version: $version,
            schema: schema!($type, "/events/", $name),
        },)+]
    };
}
