//! What is wrong with a configuration, in words that lead to the place: the line of the file, the
//! environment variable, or the flag.

use std::fs;

use figment::error::{Error, Kind};
use figment::{Metadata, Source};

use super::PREFIX;

/// Every error in a configuration, one a line.
pub(super) fn told(errors: &Error) -> anyhow::Error {
    let told: Vec<String> = errors.clone().into_iter().map(|error| one(&error)).collect();
    anyhow::anyhow!(told.join("\n"))
}

fn one(error: &Error) -> String {
    let mut name = error.path.clone();
    if let Kind::UnknownField(field, _) = &error.kind
        && name.last() != Some(field)
    {
        name.push(field.clone());
    }
    // What a file that is not TOML at all is told spans lines, with the place in it.
    let what = error.kind.to_string().trim_end().to_owned();
    let place = error.metadata.as_ref().map(|metadata| place(metadata, &name));
    match (place, name.is_empty()) {
        (Some(place), true) => format!("{place}: {what}"),
        (Some(place), false) => format!("{place}: {}: {what}", name.join(".")),
        (None, true) => what,
        (None, false) => format!("{}: {what}", name.join(".")),
    }
}

fn place(metadata: &Metadata, name: &[String]) -> String {
    match &metadata.source {
        Some(Source::File(file)) => {
            let text = fs::read_to_string(file).unwrap_or_default();
            match line_of(&text, name) {
                Some(line) => format!("{}:{line}", file.display()),
                None => file.display().to_string(),
            }
        }
        _ if metadata.name.contains("environment variable") => {
            format!("{PREFIX}{}", name.join("__").to_uppercase())
        }
        _ => format!("--{}", name.join(".")),
    }
}

/// The line, counted from 1, that sets the value of that name, or else begins its table.
fn line_of(text: &str, name: &[String]) -> Option<usize> {
    let mut table = Vec::new();
    let mut begins = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            table = dotted(header);
            if table == name {
                begins = Some(number);
            }
        } else if let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let full: Vec<String> = table.iter().cloned().chain(dotted(key)).collect();
            if full == name {
                return Some(number);
            }
        }
    }
    begins
}

fn dotted(key: &str) -> Vec<String> {
    let parts = key.split('.').map(|part| part.trim().trim_matches(['"', '\'']).to_owned());
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn a_value_is_found_by_its_line() {
        let text = "a = 1\n# b = 2\n[c.d]\nb = 3\n\n[e]\nf.g = 4\n";
        let line = |name: &str| line_of(text, &super::dotted(name));
        assert_eq!(line("a"), Some(1));
        assert_eq!(line("b"), None, "only in a comment");
        assert_eq!(line("c.d.b"), Some(4));
        assert_eq!(line("e.f.g"), Some(7));
        assert_eq!(line("e"), Some(6), "a table as a whole");
    }
}
