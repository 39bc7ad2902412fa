//! The configuration: what outweighs what, where values come from, and that the annotated file
//! tells the truth.

use std::path::PathBuf;

use super::*;

/// An annotated file, and the settings of the other home, which it leaves out.
const ANNOTATED: [(&str, &[&str]); 2] =
    [("dev.toml", &["prefix", "kafka", "mongo", "redis"]), ("fleet.toml", &["data", "embedded"])];

fn annotated(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(file)
}

fn source<'a>(loaded: &'a Loaded, name: &str) -> &'a str {
    let value = loaded.values.iter().find(|value| value.name == name);
    value.map_or("", |value| value.source.as_str())
}

#[test]
fn the_annotated_files_say_every_default() {
    for (file, elsewhere) in ANNOTATED {
        let loaded = Configuration::load(Some(&annotated(file)), &Flags::default()).unwrap();
        assert_eq!(loaded.configuration, Configuration::default());
        let text = std::fs::read_to_string(annotated(file)).unwrap();
        let is_here = |value: &&Value| {
            let section = value.name.split('.').next().unwrap();
            !elsewhere.contains(&section)
        };
        for value in loaded.values.iter().filter(is_here) {
            let name = value.name.rsplit('.').next().unwrap();
            if value.value.is_null() {
                assert!(text.contains(&format!("# {name} = ")), "{} is not in {file}", value.name);
            } else {
                assert!(value.source.ends_with(file), "{} is not in {file}", value.name);
            }
        }
    }
}

#[test]
fn the_examples_in_the_annotated_files_can_be_used() {
    for (file, _) in ANNOTATED {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(file);
        let text = std::fs::read_to_string(annotated(file)).unwrap();
        let is_example = |line: &str| {
            line.strip_prefix("# ").is_some_and(|rest| {
                rest.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '))
            })
        };
        let lines: Vec<&str> =
            text.lines().map(|line| if is_example(line) { &line[2..] } else { line }).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let loaded = Configuration::load(Some(&path), &Flags::default()).unwrap();
        let unset = loaded.values.iter().filter(|value| value.value.is_null());
        let unset = unset.filter(|value| value.source.ends_with(file)).count();
        assert_eq!(unset, 0);
        assert_ne!(loaded.configuration, Configuration::default(), "{file} has examples");
    }
}

#[test]
fn one_prefix_is_that_of_all_three() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    std::fs::write(&file, "prefix = \"mine\"\n").unwrap();
    let Configuration { kafka, mongo, redis, .. } =
        Configuration::load(Some(&file), &Flags::default()).unwrap().configuration;
    assert_eq!([kafka.prefix, mongo.prefix, redis.prefix], ["mine", "mine", "mine"]);
    std::fs::write(&file, "[kafka]\nprefix = \"mine\"\n").unwrap();
    let why = Configuration::load(Some(&file), &Flags::default()).unwrap_err().to_string();
    assert!(why.contains("kafka.prefix"), "{why}");
}

#[test]
fn limits_that_do_not_fit_each_other_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    for text in [
        "[kafka]\nrecord_bytes_max = 900_000\n",
        "[api.submit]\ncommand_bytes_max = 3_000_000\n",
        "[engine]\nevent_bytes_max = 3_000_000\n",
    ] {
        std::fs::write(&file, text).unwrap();
        let why = Configuration::load(Some(&file), &Flags::default()).unwrap_err().to_string();
        assert!(why.contains("kafka.record_bytes_max"), "{why}");
    }
}

#[test]
fn a_view_gathers_no_longer_than_it_may_put_off_saving_or_letting_go() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    for (text, limit) in [
        ("[views]\ngather_ms = 201\n", "views.unsaved_ms_max"),
        ("[views]\ngather_ms = 200\n[kafka]\nrevoke_ms_max = 399\n", "kafka.revoke_ms_max"),
    ] {
        std::fs::write(&file, text).unwrap();
        let why = Configuration::load(Some(&file), &Flags::default()).unwrap_err().to_string();
        assert!(why.contains("views.gather_ms") && why.contains(limit), "{why}");
    }
    std::fs::write(&file, "[views]\ngather_ms = 200\n[kafka]\nrevoke_ms_max = 400\n").unwrap();
    assert!(Configuration::load(Some(&file), &Flags::default()).is_ok());
}

#[test]
fn a_flag_outweighs_the_file_and_the_file_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\nmetrics = \"127.0.0.1:2\"\n").unwrap();
    let flags =
        Flags { listen: Some("127.0.0.1:3".to_owned()), partitions: Some(5), ..Flags::default() };
    let loaded = Configuration::load(Some(&file), &flags).unwrap();
    assert_eq!(loaded.configuration.listen, "127.0.0.1:3");
    assert_eq!(loaded.configuration.metrics, "127.0.0.1:2");
    assert_eq!(loaded.configuration.embedded.partitions, Some(5));
    assert_eq!(source(&loaded, "listen"), "flag");
    assert_eq!(source(&loaded, "embedded.partitions"), "flag");
    assert!(source(&loaded, "metrics").ends_with("some.toml"));
    assert_eq!(source(&loaded, "drain_ms_max"), "default");
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    for (text, place, name) in [
        ("\nlisen = \"a\"", ":2: ", "lisen"),
        ("drain_ms_max = \"long\"", ":1: ", "drain_ms_max"),
        ("[kafka]\n\nsession = 3", ":3: ", "kafka.session"),
        ("[api]\n[api.submit]\nin_flight_commands_max = -3", ":3: ", "in_flight_commands_max"),
        ("[kafka]\nsecurity = \"none\"", ":2: ", "sasl_ssl"),
        ("[kafka\n", "line 1", "some.toml"),
    ] {
        std::fs::write(&file, text).unwrap();
        let why = Configuration::load(Some(&file), &Flags::default()).unwrap_err().to_string();
        assert!(why.contains("some.toml") && why.contains(place) && why.contains(name), "{why}");
    }
    let absent = Configuration::load(Some(Path::new("/nowhere.toml")), &Flags::default());
    assert!(absent.unwrap_err().to_string().contains("/nowhere.toml"));
}

/// Whoever shows a configuration shows every URL in it.
#[test]
fn a_url_with_a_password_is_refused_and_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    for (name, text) in [
        ("mongo.url", "[mongo]\nurl = \"mongodb://user:hunter2@localhost\""),
        ("redis.url", "[redis]\nurl = \"redis://:hunter2@localhost:6379\""),
    ] {
        std::fs::write(&file, text).unwrap();
        let why = Configuration::load(Some(&file), &Flags::default()).unwrap_err();
        let why = format!("{why:#} {why:?}");
        assert!(why.contains(name) && why.contains("password_file"), "{why}");
        assert!(!why.contains("hunter2"), "{why}");
    }
}
