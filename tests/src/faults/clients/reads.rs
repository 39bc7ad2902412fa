//! Reading rows and states beside all that is sent.

use ordain_checker::history::{Line, Operation, ReadBroken, StateRead, ViewRead};
use ordain_checker::{Outcome, Told as Document};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::One;
use crate::Told;

/// A success that can be asked of a view.
#[derive(Debug, Clone)]
pub(super) struct Receipt {
    view: &'static str,
    key: String,
    sequence: u64,
    text: String,
}

impl Receipt {
    /// That of this answer, if it is one of a success.
    pub(super) fn of(operation: &Operation, document: &Document, told: &Told) -> Option<Self> {
        let view = match operation.kind.as_str() {
            "account" => "accounts",
            "job-request" => "job-requests",
            _ => return None,
        };
        let text = told.at("/receipt").as_str()?.to_owned();
        let (key, sequence) = (operation.id.clone(), document.sequence);
        (document.outcome == Outcome::Success).then_some(Self { view, key, sequence, text })
    }
}

impl One {
    /// Reads the row and the state of an account that many use.
    pub(super) async fn read(&mut self) {
        let account = self.shared_account();
        self.read_row(("accounts", &account), None).await;
        self.read_state(("account", &account)).await;
    }

    /// Reads what it has done itself: the view is asked to have come so far.
    pub(super) async fn read_own(&mut self) {
        let Some(receipt) = self.receipt.clone() else { return };
        self.read_row((receipt.view, &receipt.key), Some(&receipt)).await;
        let kind = if receipt.view == "accounts" { "account" } else { "job-request" };
        self.read_state((kind, &receipt.key)).await;
    }

    async fn read_row(&mut self, (view, key): (&str, &str), receipt: Option<&Receipt>) {
        let Some(api) = self.api().await else { return };
        let called = self.memory.now();
        let asked = receipt.map(|receipt| format!("?wait=2&receipt={}", receipt.text));
        let path = format!("/v1/views/{view}/{key}{}", asked.unwrap_or_default());
        let Ok(told) = api.get(&path).await else { return };
        let is_row = told.status == 200 && told.at("/sequence").is_u64();
        if is_row || is_missing(&told, "UNKNOWN_ROW") {
            self.memory.write(&Line::ViewRead(ViewRead {
                called,
                at: self.memory.now(),
                session: self.number,
                view: view.to_owned(),
                key: key.to_owned(),
                sequence: told.at("/sequence").as_u64(),
                reached: receipt.map(|receipt| receipt.sequence),
            }));
        } else if told.status != 503 && !(told.status == 504 && receipt.is_some()) {
            self.is_broken(path, &told);
        }
    }

    /// Reads an aggregate's state; gives its sequence.
    pub(super) async fn read_state(&mut self, (kind, id): (&str, &str)) -> Option<u64> {
        let api = self.api().await?;
        let called = self.memory.now();
        let path = format!("/v1/{kind}/{id}");
        let told = api.get(&path).await.ok()?;
        let aggregate = format!("default/{kind}/{id}");
        let read = StateRead {
            called,
            at: self.memory.now(),
            session: self.number,
            aggregate,
            revision: 0,
            sequence: 0,
            state: "null".to_owned(),
        };
        let read = if is_missing(&told, "UNKNOWN_AGGREGATE") {
            Some(read)
        } else {
            found(&told, read).filter(|_| told.status == 200)
        };
        match read {
            Some(read) => {
                let sequence = read.sequence;
                self.memory.write(&Line::StateRead(read));
                Some(sequence)
            }
            None => {
                if told.status != 503 {
                    self.is_broken(path, &told);
                }
                None
            }
        }
    }

    fn is_broken(&self, path: String, told: &Told) {
        let (at, session, status) = (self.memory.now(), self.number, told.status);
        self.memory.write(&Line::ReadBroken(ReadBroken { at, session, path, status }));
    }
}

fn is_missing(told: &Told, code: &str) -> bool {
    told.status == 404 && told.at("/code").as_str() == Some(code)
}

/// What was told of a state, if it is one.
pub(in crate::faults) fn found(told: &Told, read: StateRead) -> Option<StateRead> {
    #[derive(Deserialize)]
    struct Read<'a> {
        revision: u64,
        sequence: u64,
        #[serde(borrow)]
        state: &'a RawValue,
    }
    let Read { revision, sequence, state } = serde_json::from_str(&told.body).ok()?;
    Some(StateRead { revision, sequence, state: state.get().to_owned(), ..read })
}
