//! Redis as the system packages it, keeping nothing on disk.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::server::{Server, connect};
use crate::tools;

/// The server.
pub(crate) struct Redis;

impl Server for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn ports(&self) -> usize {
        1
    }

    fn service(&self) -> (&'static str, u16) {
        ("redis", 6_379)
    }

    fn address(&self, ports: &[u16]) -> String {
        format!("redis://127.0.0.1:{}", ports[0])
    }

    fn prepare(&self) -> anyhow::Result<PathBuf> {
        tools::ensure_program("redis-server", "--version", &["redis-server"])?;
        Ok(PathBuf::from("redis-server"))
    }

    fn command(&self, program: &Path, _directory: &Path, ports: &[u16]) -> anyhow::Result<Command> {
        let mut command = Command::new(program);
        command.args(["--port", &ports[0].to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]);
        Ok(command)
    }

    fn answers(&self, port: u16) -> anyhow::Result<()> {
        const PONG: &[u8; 7] = b"+PONG\r\n";
        let mut stream = connect(port)?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; PONG.len()];
        stream.read_exact(&mut answer)?;
        ensure!(answer == *PONG, "it answered {:?}", String::from_utf8_lossy(&answer));
        Ok(())
    }
}
