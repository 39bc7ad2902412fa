//! Ports for the servers of tests.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Below what systems give to outgoing connections unless they are told otherwise, so that a server
/// that is started again does not find such a connection at its port.
const PORTS: Range<u16> = 20_000..32_000;
const TRIES_MAX: usize = 1_000;
/// Who listens and does not answer within this time listens all the same.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// The ports that this process was given.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens at, and that nobody else in this process gets, also while its server
/// has not begun to listen, or is away.
///
/// # Panics
/// When there is none.
#[expect(clippy::panic, reason = "a test that cannot have a server has failed")]
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..TRIES_MAX {
        let port = fastrand::u16(PORTS);
        if is_free(port) && given.insert(port) {
            return port;
        }
    }
    panic!("no free port of 127.0.0.1 was found in {PORTS:?}");
}

/// Whether nobody listens there. Not asked by listening: a process that another thread starts
/// meanwhile holds the listener until it executes its program, and whoever connects takes that for
/// the server.
fn is_free(port: u16) -> bool {
    let connected =
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER_MAX);
    matches!(connected, Err(error) if error.kind() == ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        // With 500 of 12,000 some would coincide.
        let ports: BTreeSet<u16> = (0..500).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 500);
    }

    #[test]
    fn a_port_is_free_while_nobody_listens_there() {
        let port = free_port();
        assert!(is_free(port));
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
    }
}
