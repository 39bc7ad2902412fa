//! The configuration: what outweighs what, where values come from, and that the annotated file
//! tells the truth.

use std::path::PathBuf;

use super::*;

fn annotated() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/dev.toml")
}

fn source<'a>(loaded: &'a Loaded, name: &str) -> &'a str {
    let value = loaded.values.iter().find(|value| value.name == name);
    value.map_or("", |value| value.source.as_str())
}

#[test]
fn the_annotated_file_says_every_default() {
    let loaded = Configuration::load(Some(&annotated()), &Flags::default()).unwrap();
    assert_eq!(loaded.configuration, Configuration::default());
    for value in loaded.values.iter().filter(|value| !value.value.is_null()) {
        assert!(value.source.ends_with("dev.toml"), "{} is not in the file", value.name);
    }
    let text = std::fs::read_to_string(annotated()).unwrap();
    for value in loaded.values.iter().filter(|value| value.value.is_null()) {
        let name = value.name.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("# {name} = ")), "{name} is not in the file");
    }
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
fn a_wrong_name_or_value_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.toml");
    for (text, named) in [("lisen = \"a\"", "lisen"), ("drain_ms_max = \"long\"", "drain_ms_max")] {
        std::fs::write(&file, text).unwrap();
        let why = Configuration::load(Some(&file), &Flags::default()).unwrap_err().to_string();
        assert!(why.contains(named), "{why}");
    }
    let absent = Configuration::load(Some(Path::new("/nowhere.toml")), &Flags::default());
    assert!(absent.unwrap_err().to_string().contains("/nowhere.toml"));
}
