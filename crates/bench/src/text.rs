//! The requests, as bytes.

use std::io::Write as _;

/// A deposit of 1, and the name that it is sent under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deposit {
    pub(crate) account: u32,
    pub(crate) connection: u32,
    pub(crate) number: u64,
}

/// What all requests of a run have in common.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The server, for the header `Host`.
    pub(crate) host: String,
    /// What the accounts' ids begin with.
    pub(crate) name: String,
    /// What the request ids begin with: another in every run.
    pub(crate) run: String,
}

const DEPOSIT: &str = r#"{"amount":1}"#;

// Writing to a vector cannot fail.
macro_rules! put {
    ($into:expr, $($text:tt)*) => { drop(write!($into, $($text)*)) };
}

impl Texts {
    /// A command of its own.
    pub(crate) fn deposit(&self, into: &mut Vec<u8>, deposit: &Deposit, respond_async: bool) {
        let Self { host, name, run } = self;
        let Deposit { account, connection, number } = deposit;
        let prefer = if respond_async { "prefer: respond-async\r\n" } else { "" };
        into.clear();
        put!(
            into,
            "POST /v1/account/{name}-{account}/deposit HTTP/1.1\r\nhost: {host}\r\n\
             content-type: application/json\r\nidempotency-key: {run}-{connection}-{number}\r\n\
             {prefer}content-length: {}\r\n\r\n{DEPOSIT}",
            DEPOSIT.len()
        );
    }

    /// Many commands in one request.
    pub(crate) fn deposits(&self, into: &mut Vec<u8>, deposits: &[Deposit]) {
        let Self { name, run, .. } = self;
        let mut lines = Vec::with_capacity(deposits.len() * 128);
        for Deposit { account, connection, number } in deposits {
            put!(
                lines,
                "{{\"requestId\":\"{run}-{connection}-{number}\",\"type\":\"account\",\
                 \"id\":\"{name}-{account}\",\"command\":\"deposit\",\"data\":{DEPOSIT}}}\n"
            );
        }
        self.batch(into, &lines);
    }

    /// Opens accounts, each under one request id for ever.
    pub(crate) fn openings(&self, into: &mut Vec<u8>, accounts: impl Iterator<Item = u32>) {
        let name = &self.name;
        let mut lines = Vec::new();
        for account in accounts {
            put!(
                lines,
                "{{\"requestId\":\"bench\",\"type\":\"account\",\"id\":\"{name}-{account}\",\
                 \"command\":\"open\",\"data\":{{}}}}\n"
            );
        }
        self.batch(into, &lines);
    }

    fn batch(&self, into: &mut Vec<u8>, lines: &[u8]) {
        into.clear();
        put!(
            into,
            "POST /v1/commands HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-ndjson\r\n\
             content-length: {}\r\n\r\n",
            self.host,
            lines.len()
        );
        into.extend_from_slice(lines);
    }

    /// Asks what became of a command, and waits for it.
    pub(crate) fn outcome(&self, into: &mut Vec<u8>, deposit: &Deposit) {
        let Self { name, run, .. } = self;
        let Deposit { account, connection, number } = deposit;
        let path =
            format!("/v1/account/{name}-{account}/requests/{run}-{connection}-{number}?wait=5");
        self.get(into, &path);
    }

    /// Asks for an account.
    pub(crate) fn account(&self, into: &mut Vec<u8>, account: u32) {
        self.get(into, &format!("/v1/account/{}-{account}", self.name));
    }

    /// Asks for rows of the view of accounts, those behind a key.
    pub(crate) fn rows(&self, into: &mut Vec<u8>, after: Option<&str>) {
        let after = after.map(|key| format!("&after={key}")).unwrap_or_default();
        self.get(into, &format!("/v1/views/accounts?prefix={}-&limit=1000{after}", self.name));
    }

    fn get(&self, into: &mut Vec<u8>, path: &str) {
        into.clear();
        put!(into, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
    }
}
