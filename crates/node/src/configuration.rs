//! The configuration of a process: flags over environment over file over defaults.

mod wrong;

use std::path::{Path, PathBuf};

use figment::providers::{Env, Format, Serialized, Toml};
use figment::{Figment, Provider};
use serde::{Deserialize, Serialize};

/// The configuration of one process, in either home: each looks only at what concerns it. Every
/// limit has its unit at the end of its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// The directory that holds everything; made when there is none.
    pub data: PathBuf,
    /// Where clients are served, `address:port`; port 0 takes a free one.
    pub listen: String,
    /// Where metrics and operators are served, `address:port`; port 0 takes a free one.
    pub metrics: String,
    /// How long a process that is going down may take to answer what it has accepted.
    pub drain_ms_max: u64,
    /// What is logged, and how.
    pub log: Log,
    /// Where the spans of traces go.
    pub telemetry: ordain_otlp::Settings,
    /// The limits of the API.
    pub api: ordain_api::Settings,
    /// The limits of the worker.
    pub engine: ordain_engine::Settings,
    /// The limits of the views.
    pub views: ordain_views::Settings,
    /// The limits of the embedded home, and its partitions.
    pub embedded: ordain_embedded::Settings,
    /// What the names of a fleet's topics, groups, database and channels begin with, so that
    /// fleets can share servers: 1 to 48 characters of `a-z 0-9 - _`.
    pub prefix: String,
    /// How a process of a fleet reaches Kafka, and its limits there.
    pub kafka: ordain_kafka::Settings,
    /// How a process of a fleet reaches MongoDB, and its limits there.
    pub mongo: ordain_mongo::Settings,
    /// How a process of a fleet reaches Redis, and its limits there.
    pub redis: ordain_redis::Settings,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A filter such as `info` or `warn,ordain=info,ordain_engine=debug`.
    pub filter: String,
    /// One JSON object a line instead of text for people.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "warn,ordain=info".to_owned(), json: false }
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./ordain-data"),
            listen: "127.0.0.1:7400".to_owned(),
            metrics: "127.0.0.1:7401".to_owned(),
            drain_ms_max: 10_000,
            log: Log::default(),
            telemetry: ordain_otlp::Settings::default(),
            api: ordain_api::Settings::default(),
            engine: ordain_engine::Settings::default(),
            views: ordain_views::Settings::default(),
            embedded: ordain_embedded::Settings::default(),
            prefix: "ordain".to_owned(),
            kafka: ordain_kafka::Settings::default(),
            mongo: ordain_mongo::Settings::default(),
            redis: ordain_redis::Settings::default(),
        }
    }
}

/// What the command line says of the configuration; what it leaves out is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// `--data`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// `--listen`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// `--metrics`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// `--partitions`
    #[serde(skip)]
    pub partitions: Option<u32>,
}

/// A configuration, and where each of its values comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is in force.
    pub configuration: Configuration,
    /// Every value by its dotted name, in the order of names.
    pub values: Vec<Value>,
}

/// One value that is in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// Its dotted name, `engine.batch_records_max`.
    pub name: String,
    /// The value.
    pub value: serde_json::Value,
    /// Where it comes from: `default`, the file, the environment variable, or the flag.
    pub source: String,
}

/// Environment variables are `ORDAIN_` and the dotted name in capitals, with `__` for each dot.
const PREFIX: &str = "ORDAIN_";
/// Variables of the command line's client that are no part of a process's configuration.
const CLIENT_VARIABLES: [&str; 4] = ["server", "admin", "config", "json"];
/// What the headers of a record may take beside the command or the event in it.
const HEADERS_BYTES_MAX: u64 = 64 << 10;

impl Configuration {
    /// Puts the configuration together.
    ///
    /// # Errors
    /// Names the value, where it comes from (of a file, with the line), and what is wrong with it;
    /// unknown names are errors.
    pub fn load(file: Option<&Path>, flags: &Flags) -> anyhow::Result<Loaded> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            anyhow::ensure!(file.is_file(), "there is no configuration file {}", file.display());
            figment = figment.merge(Toml::file_exact(file));
        }
        let figment = figment
            .merge(Env::prefixed(PREFIX).ignore(&CLIENT_VARIABLES).filter(is_setting).split("__"))
            .merge(flag(flags))
            .merge(partitions_flag(flags));
        let configuration: Self = figment.extract().map_err(|error| wrong::told(&error))?;
        let configuration = configuration.prefixed();
        configuration.check()?;
        let values = values(&figment, &configuration)?;
        Ok(Loaded { configuration, values })
    }

    /// One fleet has one prefix.
    fn prefixed(mut self) -> Self {
        self.kafka.prefix.clone_from(&self.prefix);
        self.mongo.prefix.clone_from(&self.prefix);
        self.redis.prefix.clone_from(&self.prefix);
        self
    }

    /// Whether the limits fit each other: what one part accepts, the next must be able to take.
    fn check(&self) -> anyhow::Result<()> {
        self.engine.check().map_err(anyhow::Error::msg)?;
        self.telemetry.check().map_err(anyhow::Error::msg)?;
        let collector = self.telemetry.otlp_endpoint.clone().unwrap_or_default();
        anyhow::ensure!(
            !collector.contains('@'),
            "telemetry.otlp_endpoint holds a user or a password; say how to log in with the \
             variable OTEL_EXPORTER_OTLP_HEADERS"
        );
        for (name, url) in [("mongo.url", &self.mongo.url), ("redis.url", &self.redis.url)] {
            // Never repeated: whatever shows the configuration would show the password.
            anyhow::ensure!(
                !url.contains('@'),
                "{name} holds a user or a password; name the user with `username` and where the \
                 password is with `password_file` or `password_variable`"
            );
        }
        let (gathers, unsaved) = (self.views.gather_ms, self.views.unsaved_ms_max);
        anyhow::ensure!(
            gathers <= unsaved,
            "views.gather_ms is {gathers}, and what is done is to be saved within \
             views.unsaved_ms_max, which is {unsaved}"
        );
        let revoke = self.kafka.revoke_ms_max;
        anyhow::ensure!(
            gathers.saturating_mul(2) <= revoke,
            "views.gather_ms is {gathers}, and a lane that gathers has to let go well within \
             kafka.revoke_ms_max, which is {revoke}"
        );
        let record = u64::from(self.kafka.record_bytes_max);
        for (name, bytes) in [
            ("api.submit.command_bytes_max", self.api.submit.command_bytes_max),
            ("engine.event_bytes_max", self.engine.event_bytes_max),
        ] {
            anyhow::ensure!(
                bytes as u64 + HEADERS_BYTES_MAX <= record,
                "{name} is {bytes}, and with {HEADERS_BYTES_MAX} bytes of headers that does not \
                 fit into kafka.record_bytes_max, which is {record}"
            );
        }
        Ok(())
    }
}

/// Variables of the test runs are nobody's settings.
fn is_setting(name: &figment::value::UncasedStr) -> bool {
    !name.starts_with("TEST_")
}

fn flag(flags: &Flags) -> impl Provider {
    named_flags(Serialized::defaults(flags.clone()))
}

fn partitions_flag(flags: &Flags) -> Figment {
    match flags.partitions {
        Some(partitions) => {
            Figment::from(named_flags(Serialized::default("embedded.partitions", partitions)))
        }
        None => Figment::new(),
    }
}

/// A provider whose values are said to come from the command line.
struct NamedFlags<P>(P);

fn named_flags<P: Provider>(provider: P) -> NamedFlags<P> {
    NamedFlags(provider)
}

impl<P: Provider> Provider for NamedFlags<P> {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named("flag")
    }

    fn data(&self) -> figment::Result<figment::value::Map<figment::Profile, figment::value::Dict>> {
        self.0.data()
    }
}

fn values(figment: &Figment, configuration: &Configuration) -> anyhow::Result<Vec<Value>> {
    let tree = serde_json::to_value(configuration)?;
    let mut values = Vec::new();
    flatten(String::new(), &tree, &mut values);
    for value in &mut values {
        value.source = figment
            .find_metadata(&value.name)
            .map_or_else(|| "default".to_owned(), |metadata| source(metadata, &value.name));
    }
    Ok(values)
}

fn source(metadata: &figment::Metadata, name: &str) -> String {
    match &metadata.source {
        Some(figment::Source::File(file)) => file.display().to_string(),
        _ if metadata.name == "flag" => "flag".to_owned(),
        _ if metadata.name.contains("environment variable") => {
            format!("{PREFIX}{}", name.to_uppercase().replace('.', "__"))
        }
        _ => "default".to_owned(),
    }
}

fn flatten(name: String, tree: &serde_json::Value, values: &mut Vec<Value>) {
    match tree {
        serde_json::Value::Object(members) => {
            for (member, tree) in members {
                let name =
                    if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(name, tree, values);
            }
        }
        leaf => values.push(Value { name, value: leaf.clone(), source: String::new() }),
    }
}

#[cfg(test)]
mod tests;
