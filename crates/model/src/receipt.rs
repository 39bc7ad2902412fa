//! A receipt: names an aggregate and its sequence, opaque to clients.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::AggregateKey;

/// Names an aggregate and a sequence of it. As text it is base64url of `tenant/type/id@sequence`,
/// which clients must not rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Whose events.
    pub aggregate: AggregateKey,
    /// Up to which of them.
    pub sequence: u64,
}

/// A text that is not a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this is not a receipt that an answer carried")]
pub struct BadReceipt;

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}@{}", self.aggregate, self.sequence);
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for Receipt {
    type Err = BadReceipt;
    fn from_str(text: &str) -> Result<Self, BadReceipt> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadReceipt)?;
        let text = String::from_utf8(bytes).map_err(|_| BadReceipt)?;
        let (aggregate, sequence) = text.rsplit_once('@').ok_or(BadReceipt)?;
        Ok(Self {
            aggregate: aggregate.parse().map_err(|_| BadReceipt)?,
            sequence: sequence.parse().map_err(|_| BadReceipt)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_survives_its_text_and_anything_else_is_refused() {
        let receipt = Receipt {
            aggregate: AggregateKey::new("default", "account", "a").unwrap(),
            sequence: 7,
        };
        assert_eq!(receipt.to_string().parse(), Ok(receipt));
        for bad in ["", "7", "ZGVmYXVsdC9hY2NvdW50L2E", "%%"] {
            assert_eq!(bad.parse::<Receipt>(), Err(BadReceipt), "{bad}");
        }
    }
}
