//! A connection that is made anew when it broke, and what an answer means.

use std::time::{Duration, Instant};

use crate::http::{Answer, Connection};

/// Between attempts to reach a server that cannot be reached.
const PAUSE: Duration = Duration::from_millis(100);
/// Servers close connections that nobody uses; one is not used again after so long.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// A connection to the server, or the wish for one.
#[derive(Debug)]
pub(crate) struct Link {
    address: String,
    connection: Option<(Connection, Instant)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The server has certainly seen nothing; why.
    NotReached(String),
    /// The request may have reached it.
    NoAnswer,
}

impl Link {
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), connection: None }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Missing> {
        let kept = self.connection.take().filter(|(_, used)| used.elapsed() < IDLE_MAX);
        let mut connection = match kept {
            Some((connection, _)) => connection,
            None => match Connection::open(&self.address).await {
                Ok(connection) => connection,
                Err(why) => {
                    tokio::time::sleep(PAUSE).await;
                    return Err(Missing::NotReached(why.to_string()));
                }
            },
        };
        if connection.exchange(request).await.is_err() {
            return Err(Missing::NoAnswer);
        }
        let (connection, _) = self.connection.insert((connection, Instant::now()));
        Ok(connection.answer())
    }

    /// The last answer, while its connection is of use.
    pub(crate) fn last(&self) -> Option<Answer<'_>> {
        self.connection.as_ref().map(|(connection, _)| connection.answer())
    }
}
