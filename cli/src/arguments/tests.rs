//! The help is true: its examples parse, and it fits a terminal.

use clap::{CommandFactory, Parser};

use super::*;

fn all_help() -> Vec<(String, String)> {
    fn collect(command: &mut clap::Command, path: &str, found: &mut Vec<(String, String)>) {
        found.push((path.to_owned(), command.render_long_help().to_string()));
        found.push((path.to_owned(), command.render_help().to_string()));
        for inner in command.get_subcommands_mut() {
            let path = format!("{path} {}", inner.get_name());
            collect(inner, &path, found);
        }
    }
    let mut command = Arguments::command();
    command.build();
    let mut found = Vec::new();
    collect(&mut command, "ordain", &mut found);
    found
}

/// The words of a line of a shell: single quotes are understood, redirections and what follows a
/// pipe are not ours.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '|' | '>' if !quoted => break,
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn examples(help: &str) -> Vec<String> {
    let joined = help.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.trim().strip_prefix("$ "));
    lines
        .map(|line| {
            let at = line.find("ordain").expect("an example runs ordain");
            line[at..].to_owned()
        })
        .collect()
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn every_example_in_the_help_parses() {
    let mut seen = 0;
    for (path, help) in all_help() {
        for example in examples(&help) {
            let parsed = Arguments::try_parse_from(words(&example));
            let arguments = match parsed {
                Ok(arguments) => arguments,
                Err(error) => panic!("{path}: {example}\n{error}"),
            };
            if let Command::Client(ClientCommand::Send(send)) = arguments.command {
                let target = send.target().unwrap_or_else(|why| panic!("{example}: {why:?}"));
                if let Target::One { body: Body::Text(text), .. } = target {
                    serde_json::from_str::<serde_json::Value>(&text).expect(&example);
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 30, "only {seen} examples found");
}

#[test]
fn every_command_has_an_example() {
    for command in Arguments::command().get_subcommands() {
        let help = command.clone().render_long_help().to_string();
        assert!(!examples(&help).is_empty(), "{} has none", command.get_name());
    }
}

#[test]
fn help_fits_eighty_columns() {
    for (path, help) in all_help() {
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{path}: {line}");
        }
    }
}

fn target(line: &str) -> Result<Target, String> {
    let arguments = Arguments::try_parse_from(words(line)).map_err(|error| error.to_string())?;
    match arguments.command {
        Command::Client(ClientCommand::Send(send)) => send.target().map_err(|why| why.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn send_means_one_of_three_things() {
    let one = |id: Option<&str>, body| Target::One {
        aggregate_type: "t".to_owned(),
        id: id.map(str::to_owned),
        command: "c".to_owned(),
        body,
    };
    let text = |text: &str| Body::Text(text.to_owned());
    assert_eq!(target("ordain send t i c"), Ok(one(Some("i"), text("{}"))));
    assert_eq!(target("ordain send t i c '[1]'"), Ok(one(Some("i"), text("[1]"))));
    assert_eq!(target("ordain send t i c -"), Ok(one(Some("i"), Body::Stdin)));
    assert_eq!(target("ordain send t i c @f"), Ok(one(Some("i"), Body::File("f".into()))));
    assert_eq!(target("ordain send t c --create"), Ok(one(None, text("{}"))));
    assert_eq!(target("ordain send --create t c '{}'"), Ok(one(None, text("{}"))));
    assert_eq!(
        target("ordain send --file a/b.ndjson"),
        Ok(Target::File {
            path: Some("a/b.ndjson".into()),
            batch: "b.ndjson".to_owned(),
            in_flight_max: 64
        })
    );
    assert_eq!(
        target("ordain send --file - --batch march --in-flight 2"),
        Ok(Target::File { path: None, batch: "march".to_owned(), in_flight_max: 2 })
    );
}

#[test]
fn what_send_cannot_mean_is_refused() {
    for bad in [
        "ordain send",
        "ordain send t",
        "ordain send t i",
        "ordain send --create t",
        "ordain send --create t i c '{}'",
        "ordain send --file -",
        "ordain send --file f --batch ''",
        "ordain send --file f t i c",
        "ordain send --file f --create",
        "ordain send --file f --request-id r",
        "ordain send t i c --batch b",
        "ordain send t i c --in-flight 2",
        "ordain send t i c --deadline tomorrow",
        "ordain send t i c --timeout 5",
        "ordain send t i c --if-match -1",
    ] {
        assert!(target(bad).is_err(), "{bad}");
    }
}

#[test]
fn json_goes_anywhere() {
    for line in ["ordain --json types", "ordain types --json", "ordain deadletters list --json"] {
        assert!(Arguments::try_parse_from(words(line)).expect(line).json, "{line}");
    }
}
