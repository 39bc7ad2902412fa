//! Ports for the servers of tests.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below what systems give to outgoing connections, so that a server that is started again does not
/// find such a connection at its port.
const PORTS: Range<u16> = 20_000..32_000;

/// The ports that this process was given.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens at, that no outgoing connection is given, and that nobody else in
/// this process gets, also while its server has not begun to listen, or is away.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = fastrand::u16(PORTS);
        // Not asked by listening there: a process that another thread starts meanwhile holds the
        // listener until it executes its program, and whoever connects takes that for the server.
        let is_free = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err();
        if is_free && given.insert(port) {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        // With 500 of 12,000 some would coincide.
        let ports: BTreeSet<u16> = (0..500).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 500);
    }
}
