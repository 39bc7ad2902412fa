//! What each of the servers is for `cargo xtask services`.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A kind of server.
pub(crate) trait Server {
    /// Its name in the addresses, and of its directory.
    fn name(&self) -> &'static str;

    /// How many ports it listens at. The first is the one that clients connect to.
    fn ports(&self) -> usize;

    /// The service that it is in the compose file, and the port inside its container.
    fn service(&self) -> (&'static str, u16);

    /// Where clients find it, given its ports.
    fn address(&self, ports: &[u16]) -> String;

    /// Fetches what is not there yet; gives the path of the program, or of what it is made of.
    fn prepare(&self) -> anyhow::Result<PathBuf>;

    /// The command that runs it on a directory, which may hold what it wrote before.
    fn command(&self, program: &Path, directory: &Path, ports: &[u16]) -> anyhow::Result<Command>;

    /// Whether it does its work at this port. Sets it up when it answers for the first time.
    fn answers(&self, port: u16) -> anyhow::Result<()>;
}

/// Connects to a port of this machine; nothing that is then read or written takes long.
pub(crate) fn connect(port: u16) -> anyhow::Result<TcpStream> {
    const WAIT_MAX: Duration = Duration::from_secs(5);
    let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), WAIT_MAX)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.set_write_timeout(Some(WAIT_MAX))?;
    Ok(stream)
}
