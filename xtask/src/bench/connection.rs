//! One HTTP/1.1 connection with one request in flight, written and read with as little as can be:
//! the client takes its time from the same processors as the server.

use std::io::Write as _;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HEADERS_MAX: usize = 32;

/// One connection to the server.
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
    sent: Vec<u8>,
    got: Vec<u8>,
}

/// An answer: its status, and where its body begins among what was got.
struct Answer {
    status: u16,
    body: usize,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: address.to_owned(), sent: Vec::new(), got: Vec::new() })
    }

    /// Sends a command and gives the status.
    pub(crate) async fn command(
        &mut self,
        path: &str,
        request: &str,
        body: &str,
    ) -> anyhow::Result<u16> {
        self.sent.clear();
        write!(
            self.sent,
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             idempotency-key: {request}\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )?;
        Ok(self.exchange().await?.status)
    }

    /// Reads a document.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<serde_json::Value> {
        self.sent.clear();
        write!(self.sent, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host)?;
        let answer = self.exchange().await?;
        Ok(serde_json::from_slice(self.got.get(answer.body..).unwrap_or_default())?)
    }

    /// Sends what is to be sent, and reads one answer to its end.
    async fn exchange(&mut self) -> anyhow::Result<Answer> {
        self.stream.write_all(&self.sent).await?;
        self.got.clear();
        loop {
            let read = self.stream.read_buf(&mut self.got).await?;
            anyhow::ensure!(read > 0, "the server closed the connection before it had answered");
            if let Some((answer, length)) = head(&self.got)? {
                let rest = (answer.body + length).saturating_sub(self.got.len());
                let begun = self.got.len();
                self.got.resize(begun + rest, 0);
                self.stream.read_exact(self.got.get_mut(begun..).unwrap_or_default()).await?;
                return Ok(answer);
            }
        }
    }
}

/// The head of an answer, once it is all there, and the length of the body behind it.
fn head(got: &[u8]) -> anyhow::Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = response.parse(got)? else {
        return Ok(None);
    };
    let is_length =
        |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("content-length");
    let length = response.headers.iter().find(is_length).context("an answer without a length")?;
    let length = std::str::from_utf8(length.value)?.parse()?;
    let status = response.code.context("an answer without a status")?;
    Ok(Some((Answer { status, body }, length)))
}
