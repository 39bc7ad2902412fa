//! One HTTP/1.1 connection with one request in flight.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One connection to the server.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_owned() })
    }

    /// Sends a command and gives the status.
    pub(crate) async fn command(
        &mut self,
        path: &str,
        request: &str,
        body: &'static str,
    ) -> anyhow::Result<u16> {
        let sent = http::Request::post(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("idempotency-key", request)
            .body(Full::new(Bytes::from_static(body.as_bytes())))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(sent).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok(status)
    }

    /// Reads a document.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<serde_json::Value> {
        let sent = http::Request::get(path).header("host", &self.host).body(Full::default())?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(sent).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}
