//! The ids that are made here, for callers who bring none.

use ordain_model::{AggregateKey, BadId, RequestId};
use uuid::{Uuid, uuid};

/// The namespace of the ids of aggregates that were created without one. It never changes: a
/// retry must find the same aggregate.
const CREATED: Uuid = uuid!("5b0cf0ae-3a52-5c1a-9d3c-7c1b1d0c8a54");

/// A new request id, UUIDv7.
#[must_use]
pub fn new_request_id() -> RequestId {
    #[expect(clippy::expect_used, reason = "the text of a uuid has only the letters of an id")]
    Uuid::now_v7().to_string().parse().expect("a uuid is a request id")
}

/// The aggregate that a create without an id is about: UUIDv5 of tenant, type and request id, so
/// that a retry lands on the same aggregate and partition.
///
/// # Errors
/// Says which part is not a name.
pub fn created_id(
    tenant: &str,
    aggregate_type: &str,
    request: &RequestId,
) -> Result<AggregateKey, BadId> {
    // No name contains a slash, so no two different triples give the same text.
    let name = format!("{tenant}/{aggregate_type}/{request}");
    let id = Uuid::new_v5(&CREATED, name.as_bytes()).to_string();
    AggregateKey::new(tenant, aggregate_type, &id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_creates_the_same_aggregate_for_good() {
        let request: RequestId = "r1".parse().unwrap();
        let key = created_id("default", "account", &request).unwrap();
        assert_eq!(key.as_str(), "default/account/25a2a63c-ba03-5541-a775-e8757ef3a5e9");
        for (tenant, kind, request) in [
            ("other", "account", "r1"),
            ("default", "job-request", "r1"),
            ("default", "account", "r2"),
        ] {
            let request: RequestId = request.parse().unwrap();
            assert_ne!(created_id(tenant, kind, &request).unwrap().id(), key.id());
        }
        assert!(created_id("default", "Account", &request).is_err());
    }

    #[test]
    fn new_request_ids_differ_and_grow() {
        let (one, other) = (new_request_id(), new_request_id());
        assert!(one < other);
    }
}
