//! Sets of servers: the one that all tests share, and those that one test has for itself.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::ensure;

use crate::run;

/// Some servers that are started and stopped together; by default those that all share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Set(Option<String>);

impl FromStr for Set {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !name.is_empty() && name.chars().all(is_part),
            "a name is of lower-case letters, digits and `-`"
        );
        Ok(Self(Some(name.to_owned())))
    }
}

impl Set {
    /// Whether it is the one that all share.
    pub(crate) const fn is_shared(&self) -> bool {
        self.0.is_none()
    }

    /// The name of its project at a container engine.
    pub(crate) fn project(&self) -> String {
        let own = self.0.as_ref().map(|name| format!("-{name}")).unwrap_or_default();
        format!("ordain-services{own}")
    }

    /// Where everything of it is.
    pub(crate) fn directory(&self) -> anyhow::Result<PathBuf> {
        let directory = match &self.0 {
            None => shared(),
            Some(name) => sets().join(name),
        };
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// Removes the directory of a set that one test had for itself.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        if let Some(name) = &self.0 {
            fs::remove_dir_all(sets().join(name))?;
        }
        Ok(())
    }
}

/// The directory of the set that all share, and of what was downloaded.
pub(crate) fn shared() -> PathBuf {
    run::root().join("target/services")
}

fn sets() -> PathBuf {
    shared().join("sets")
}

/// All sets that are not shared.
pub(crate) fn all() -> anyhow::Result<Vec<Set>> {
    let entries = match fs::read_dir(sets()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| entry?.file_name().to_string_lossy().parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_a_name_that_is_no_path() {
        assert!(Set::default().is_shared());
        assert!(!"faults-1".parse::<Set>().unwrap().is_shared());
        for name in ["", "..", "a/b", "A", "a b"] {
            assert!(name.parse::<Set>().is_err(), "{name}");
        }
    }
}
