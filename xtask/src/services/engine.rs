//! The servers in containers, where there is an engine for them: those of `docker-compose.yml`,
//! without what that file runs of ordain itself.
//!
//! They are a project of their own, apart from a fleet that somebody tries out; their ports are
//! those of the file, so there can be only one such set at a time.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::records::Listening;
use super::server::Server;
use super::set::Set;
use crate::{run, tools};

/// The programs that may be an engine, in the order in which they are tried.
const PROGRAMS: [&str; 2] = ["docker", "podman"];
const FILE: &str = "docker-compose.yml";
const MONGO: &str = "mongo";
/// Makes the replica set of MongoDB, and ends.
const MONGO_SET: &str = "mongo-set";

/// How servers run. Without a word: as they do already; else those that all share in containers,
/// where there is an engine for them, and those of a set of one's own as processes.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct How {
    /// As processes of this machine.
    #[arg(long, conflicts_with = "engine")]
    pub(crate) native: bool,
    /// In containers, by Docker or Podman, as `docker-compose.yml` says.
    #[arg(long)]
    pub(crate) engine: bool,
}

impl How {
    /// The engine that is to run servers which do not run in containers yet, if one is to; `runs`:
    /// they run as processes.
    pub(crate) fn engine(
        self,
        (runs, set): (bool, &Set),
        find: impl FnOnce() -> Option<Engine>,
    ) -> anyhow::Result<Option<Engine>> {
        if self.engine {
            return find().map(Some).context(
                "no container engine: of neither `docker` nor `podman` both `compose version` \
                 and `info` succeed",
            );
        }
        let may_choose = !self.native && !runs && set.is_shared();
        Ok(if may_choose { find() } else { None })
    }
}

/// A container engine that knows compose files and whose daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Engine {
    program: String,
}

/// Servers in containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Containers {
    engine: Engine,
    /// The servers, and where each listens.
    pub(crate) servers: Vec<Listening>,
}

impl Engine {
    /// The first that there is.
    pub(crate) fn find() -> Option<Self> {
        let is_there = |program: &&&str| {
            let succeeds =
                |arguments: &[&str]| tools::succeeds(Command::new(program).args(arguments));
            succeeds(&["compose", "version"]) && succeeds(&["info"])
        };
        PROGRAMS.iter().find(is_there).map(|program| Self { program: (*program).to_owned() })
    }

    fn compose(&self, set: &Set) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["compose", "--project-name", &set.project(), "--file"]);
        command.arg(run::root().join(FILE));
        command
    }

    fn run(&self, set: &Set, arguments: &[&str]) -> anyhow::Result<()> {
        let what = format!("{} compose {}", self.program, arguments.join(" "));
        run::run(self.compose(set).args(arguments), &what)
    }

    /// At which port of this machine a server listens.
    fn port(&self, set: &Set, server: &dyn Server) -> anyhow::Result<u16> {
        let (service, inside) = server.service();
        let mut command = self.compose(set);
        command.args(["port", service, &inside.to_string()]);
        let output = command.output().with_context(|| format!("cannot start {}", self.program))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let port = said.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let failed = || {
            let why = String::from_utf8_lossy(&output.stderr);
            format!("{} does not say where {service} listens: {said}{why}", self.program)
        };
        port.filter(|_| output.status.success()).with_context(failed)
    }
}

fn path(set: &Set) -> anyhow::Result<PathBuf> {
    Ok(set.directory()?.join("containers.json"))
}

impl Containers {
    /// None yet.
    pub(crate) const fn of(engine: Engine) -> Self {
        Self { engine, servers: Vec::new() }
    }

    /// Starts these servers, as far as they do not run, and learns where they listen.
    pub(crate) fn up(&mut self, set: &Set, servers: &[&dyn Server]) -> anyhow::Result<()> {
        // At once, so that `down` finds them whatever happens next.
        self.write(set)?;
        let services = servers.iter().map(|server| server.service().0);
        let up: Vec<&str> = ["up", "--detach", "--wait"].into_iter().chain(services).collect();
        self.engine.run(set, &up)?;
        for server in servers {
            let name = server.name();
            if server.service().0 == MONGO {
                self.engine.run(set, &["run", "--rm", "--no-deps", "-T", MONGO_SET])?;
            }
            let ports = vec![self.engine.port(set, *server)?];
            self.servers.retain(|(known, _)| known != name);
            self.servers.push((name.to_owned(), ports));
        }
        self.write(set)
    }

    /// Where a server of theirs listens.
    pub(crate) fn port(&self, server: &dyn Server) -> Option<u16> {
        let (_, ports) = self.servers.iter().find(|(name, _)| name == server.name())?;
        ports.first().copied()
    }

    /// The containers of a set, if it has any.
    pub(crate) fn read(set: &Set) -> anyhow::Result<Option<Self>> {
        let path = path(set)?;
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("{} is damaged; remove it", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, set: &Set) -> anyhow::Result<()> {
        Ok(fs::write(path(set)?, serde_json::to_vec_pretty(self)?)?)
    }

    /// Stops them, and removes them with all that they have stored.
    pub(crate) fn down(&self, set: &Set) -> anyhow::Result<()> {
        let down = ["down", "--volumes", "--remove-orphans"];
        self.engine.run(set, &down)?;
        Ok(fs::remove_file(path(set)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_chosen_for_what_all_share_unless_something_speaks_against_it() {
        let (own, shared) = ("own".parse().unwrap(), Set::default());
        let engine = || Some(Engine { program: "docker".to_owned() });
        let chosen = |how: How, runs, set, find: fn() -> Option<Engine>| {
            how.engine((runs, set), find).map_err(|error| error.to_string())
        };
        let [any, native, asked] = [(false, false), (true, false), (false, true)]
            .map(|(native, engine)| How { native, engine });
        assert_eq!(chosen(any, false, &shared, engine), Ok(engine()));
        assert_eq!(chosen(any, false, &shared, || None), Ok(None));
        assert_eq!(chosen(any, true, &shared, engine), Ok(None), "they run already");
        assert_eq!(chosen(any, false, &own, engine), Ok(None), "to be killed");
        assert_eq!(chosen(native, false, &shared, engine), Ok(None));
        assert_eq!(chosen(asked, false, &own, engine), Ok(engine()));
        assert!(chosen(asked, false, &own, || None).is_err_and(|why| why.contains("docker")));
    }
}
