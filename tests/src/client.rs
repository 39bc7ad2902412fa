//! A client over HTTP that writes down what it was told.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::until;

/// A client of one server, over kept-alive connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: String,
}

impl Told {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// A member of the body, by JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The text of a header, empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Client {
    /// A client of the server at `http://address:port`.
    ///
    /// # Panics
    /// When the client cannot be built.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .timeout(Duration::from_secs(30))
            .build();
        #[expect(clippy::expect_used, reason = "nothing it is built of can be missing")]
        let http = http.expect("a client");
        Self { http, address: address.to_owned() }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The connection failed: whether the command was accepted is unknown.
    pub async fn send(
        &self,
        path: &str,
        request: &str,
        body: &str,
    ) -> Result<Told, reqwest::Error> {
        self.send_with(path, &[("idempotency-key", request)], body).await
    }

    /// Sends a command, and again when a 503 says to, for at most a minute.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send_obeying(
        &self,
        path: &str,
        request: &str,
        body: &str,
    ) -> Result<Told, reqwest::Error> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let told = self.send(path, request, body).await?;
            let asked = told.header("retry-after").parse().map(Duration::from_secs);
            match asked {
                Ok(pause) if told.status == 503 && Instant::now() + pause < until => {
                    tokio::time::sleep(pause).await;
                }
                _ => return Ok(told),
            }
        }
    }

    /// Sends a command with these headers.
    ///
    /// # Errors
    /// The connection failed: whether the command was accepted is unknown.
    pub async fn send_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Told, reqwest::Error> {
        let mut request = self
            .http
            .post(format!("{}{path}", self.address))
            .header("content-type", "application/json")
            .body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        told(request.send().await?).await
    }

    /// Sends lines of JSON and reads the lines that come back.
    ///
    /// # Errors
    /// The connection failed: which of them were accepted is unknown.
    pub async fn send_lines(&self, path: &str, body: String) -> Result<Told, reqwest::Error> {
        let request = self.http.post(format!("{}{path}", self.address));
        let request = request.header("content-type", "application/x-ndjson");
        told(request.body(body).send().await?).await
    }

    /// Reads.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn get(&self, path: &str) -> Result<Told, reqwest::Error> {
        told(self.http.get(format!("{}{path}", self.address)).send().await?).await
    }

    /// A row of a view, or some of them, once the view has come as far as the path asks.
    ///
    /// # Panics
    /// When it does not, or there is no such row.
    pub async fn caught_up(&self, path: &str) -> Told {
        until("a view to catch up", || async {
            let told = self.get(path).await.ok()?;
            assert!([200, 504].contains(&told.status), "{path}: {} {}", told.status, told.body);
            (told.status == 200).then_some(told)
        })
        .await
    }
}

async fn told(answer: reqwest::Response) -> Result<Told, reqwest::Error> {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Told { status, headers, body: answer.text().await? })
}
