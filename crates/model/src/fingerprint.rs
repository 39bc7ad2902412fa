//! The fingerprint of a command: tells a repeat from another command under the same request id.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AggregateKey, Timestamp};

/// A 256-bit hash of all that makes a command the one it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

/// What a fingerprint is taken of.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprinted<'a> {
    /// Tenant, type and id.
    pub aggregate: &'a AggregateKey,
    /// The command's name.
    pub command: &'a str,
    /// The sequence that the client expects the aggregate to have.
    pub expected_sequence: Option<u64>,
    /// When the command must not be taken up any more.
    pub deadline: Option<Timestamp>,
    /// The body in canonical form (RFC 8785, integers written out in full).
    pub body: &'a [u8],
}

impl Fingerprint {
    /// BLAKE3 over the parts, each behind its length as 8 bytes little endian, so that no two
    /// different commands give the same bytes to hash. An absent part has a length no text has.
    #[must_use]
    pub fn of(command: &Fingerprinted<'_>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
            None => {
                hasher.update(&u64::MAX.to_le_bytes());
            }
        };
        part(Some(command.aggregate.tenant().as_bytes()));
        part(Some(command.aggregate.aggregate_type().as_bytes()));
        part(Some(command.aggregate.id().as_bytes()));
        part(Some(command.command.as_bytes()));
        part(command.expected_sequence.map(u64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
        let deadline = command.deadline.map(|time| time.nanoseconds().to_le_bytes());
        part(deadline.as_ref().map(<[u8; 8]>::as_slice));
        part(Some(command.body));
        Self(hasher.finalize().into())
    }

    /// The fingerprint of a record whose parts cannot be read: of its bytes as they are.
    #[must_use]
    pub fn of_unreadable(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let one = AggregateKey::new("default", "account", "a").unwrap();
        let base = Fingerprinted {
            aggregate: &one,
            command: "deposit",
            expected_sequence: None,
            deadline: None,
            body: b"{}",
        };
        let tenant = AggregateKey::new("other", "account", "a").unwrap();
        let id = AggregateKey::new("default", "account", "b").unwrap();
        let all = [
            base,
            Fingerprinted { aggregate: &tenant, ..base },
            Fingerprinted { aggregate: &id, ..base },
            Fingerprinted { command: "withdraw", ..base },
            Fingerprinted { expected_sequence: Some(0), ..base },
            Fingerprinted { deadline: Some(Timestamp::from_nanoseconds(0)), ..base },
            Fingerprinted { body: b"{ }", ..base },
        ];
        for (i, left) in all.iter().enumerate() {
            for (j, right) in all.iter().enumerate() {
                assert_eq!(Fingerprint::of(left) == Fingerprint::of(right), i == j, "{i} {j}");
            }
        }
    }
}
