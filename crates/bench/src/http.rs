//! One HTTP/1.1 connection with one request in flight (RFC 9112).

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const HEADERS_MAX: usize = 32;
/// No answer within this time counts as none. Longer than the server lets anyone wait by default.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    got: Vec<u8>,
    status: u16,
    replayed: bool,
    body: Vec<u8>,
}

/// What the server answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// It is the answer to an earlier request with the same id.
    pub(crate) replayed: bool,
    pub(crate) body: &'a [u8],
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken(String);

/// How long the body behind a head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// A head that has arrived whole.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    replayed: bool,
    framing: Framing,
    /// Where the body begins.
    body: usize,
}

impl<E: std::error::Error> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Broken {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self, Broken> {
        let connected = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
        let stream = connected
            .map_err(|_| Broken::new(format!("no connection within {CONNECT_MAX:?}")))??;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            got: Vec::with_capacity(4096),
            status: 0,
            replayed: false,
            body: Vec::new(),
        })
    }

    /// Sends a request and reads its answer. After an error the connection is of no more use.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Broken> {
        timeout(ANSWER_MAX, self.request_and_answer(request))
            .await
            .map_err(|_| Broken::new(format!("no answer within {ANSWER_MAX:?}")))??;
        Ok(self.answer())
    }

    /// The last answer.
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer { status: self.status, replayed: self.replayed, body: &self.body }
    }

    async fn request_and_answer(&mut self, request: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(request).await?;
        self.got.clear();
        self.body.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = head(&self.got)? {
                break head;
            }
        };
        match head.framing {
            Framing::Length(length) => {
                while self.got.len() < head.body + length {
                    self.read().await?;
                }
                let body = self.got.get(head.body..head.body + length).unwrap_or_default();
                self.body.extend_from_slice(body);
            }
            Framing::Chunked => self.read_chunks(head.body).await?,
        }
        (self.status, self.replayed) = (head.status, head.replayed);
        Ok(())
    }

    /// Reads chunk by chunk, up to the empty one (RFC 9112 §7.1); the server sends no trailers.
    async fn read_chunks(&mut self, mut at: usize) -> Result<(), Broken> {
        loop {
            let size = httparse::parse_chunk_size(self.got.get(at..).unwrap_or_default());
            let Ok(size) = size else {
                return Err(Broken::new("a chunk without a size"));
            };
            let httparse::Status::Complete((begins, length)) = size else {
                self.read().await?;
                continue;
            };
            let length = usize::try_from(length)?;
            at += begins;
            while self.got.len() < at + length + b"\r\n".len() {
                self.read().await?;
            }
            if length == 0 {
                return Ok(());
            }
            let chunk = self.got.get(at..at + length).unwrap_or_default();
            self.body.extend_from_slice(chunk);
            at += length + b"\r\n".len();
        }
    }

    async fn read(&mut self) -> Result<(), Broken> {
        match self.stream.read_buf(&mut self.got).await {
            Ok(0) => Err(Broken::new("the server closed the connection before it had answered")),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn head(got: &[u8]) -> Result<Option<Head>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = response.parse(got)? else {
        return Ok(None);
    };
    let status = response.code.ok_or_else(|| Broken::new("an answer without a status"))?;
    let header = |name: &str| {
        let mut headers = response.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    };
    let framing = match header("content-length") {
        Some(length) => {
            let length = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok());
            Framing::Length(length.ok_or_else(|| Broken::new("a length that is no number"))?)
        }
        None if header("transfer-encoding").is_some() => Framing::Chunked,
        None => return Err(Broken::new("an answer whose end nothing tells")),
    };
    Ok(Some(Head { status, replayed: header("idempotency-replayed").is_some(), framing, body }))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that sends these pieces one by one, whatever it is asked.
    async fn answering(pieces: &'static [&'static str]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut asked = [0; 1024];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Connection::open(&address).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_its_length_says() {
        let mut connection = answering(&[
            "HTTP/1.1 201 Created\r\nIdempotency-Replayed: true\r\ncontent-",
            "length: 7\r\n\r\nabc",
            "defg",
        ])
        .await;
        let answer = connection.exchange(b"?").await.unwrap();
        assert_eq!((answer.status, answer.replayed, answer.body), (201, true, &b"abcdefg"[..]));
    }

    #[tokio::test]
    async fn chunks_are_put_together_wherever_they_are_cut() {
        let mut connection = answering(&[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "4\r\nab",
            "cd\r\n1",
            "0\r\n0123456789abcdef\r",
            "\n0\r\n",
            "\r\n",
        ])
        .await;
        let answer = connection.exchange(b"?").await.unwrap();
        assert_eq!((answer.status, answer.replayed), (200, false));
        assert_eq!(answer.body, b"abcd0123456789abcdef");
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_none() {
        for pieces in [
            &["HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nabc"][..],
            &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n"],
            &["HTTP/1.1 200 OK\r\n\r\n"],
            &["HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"],
            &[],
        ] {
            assert!(answering(pieces).await.exchange(b"?").await.is_err(), "{pieces:?}");
        }
    }
}
