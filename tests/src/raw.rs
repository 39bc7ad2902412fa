//! A client without a library between it and the server: it knows whether a single byte of an
//! answer has arrived, and never sends anything again by itself.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One kept-alive connection to a server.
#[derive(Debug)]
pub struct RawConnection(TcpStream);

/// What came back for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawAnswer {
    /// The whole answer.
    Whole {
        /// The status.
        status: u16,
        /// Status line and headers, in lower case.
        head: String,
        /// The body.
        body: String,
    },
    /// The connection ended before a single byte of an answer.
    Nothing,
    /// The connection ended within the answer.
    Broken(String),
}

impl RawConnection {
    /// Connects to the server at `http://address:port`.
    ///
    /// # Errors
    /// The server takes no connection.
    pub async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address.trim_start_matches("http://")).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a command and reads what comes back.
    pub async fn send(&mut self, path: &str, request: &str, body: &str) -> RawAnswer {
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
             idempotency-key: {request}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // A server that has closed may refuse the bytes; what it has said before still counts.
        drop(self.0.write_all(text.as_bytes()).await);
        self.answer().await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Reads the next answer.
    pub async fn answer(&mut self) -> RawAnswer {
        let mut read = Vec::new();
        loop {
            if let Some(answer) = whole(&read) {
                return answer;
            }
            let mut part = [0; 4096];
            match self.0.read(&mut part).await {
                Ok(bytes) if bytes > 0 => read.extend(part.iter().take(bytes)),
                _ if read.is_empty() => return RawAnswer::Nothing,
                _ => return RawAnswer::Broken(String::from_utf8_lossy(&read).into_owned()),
            }
        }
    }
}

/// The answer, once all of it is there.
fn whole(read: &[u8]) -> Option<RawAnswer> {
    let text = String::from_utf8_lossy(read);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let length: usize = length.trim().parse().ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    (body.len() >= length).then(|| RawAnswer::Whole {
        status,
        head: head.clone(),
        body: body.to_owned(),
    })
}
