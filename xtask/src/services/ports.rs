//! Free ports.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::bail;
use uuid::Uuid;

/// Below the ports that systems give to outgoing connections, so that a server that is started
/// again does not find such a connection at its port.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
const TRIES_MAX: usize = 1_000;

/// Whether nobody listens there now.
pub(crate) fn is_free(port: &u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
}

/// So many different ports that nobody listens at now.
pub(crate) fn free(count: usize) -> anyhow::Result<Vec<u16>> {
    let mut ports = Vec::new();
    for _ in 0..TRIES_MAX {
        if ports.len() == count {
            return Ok(ports);
        }
        let (random, _) = Uuid::new_v4().as_u64_pair();
        let port = FIRST + (random % u64::from(COUNT)) as u16;
        if !ports.contains(&port) && is_free(&port) {
            ports.push(port);
        }
    }
    bail!("no free port of 127.0.0.1 was found from {FIRST} to {}", FIRST + COUNT - 1);
}
