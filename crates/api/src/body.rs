//! Bodies: what type they have, and reading them whole within limits on bytes and time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::{Problem, Settings};

/// A type of body that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyType {
    /// One JSON value: `application/json`, or a type that ends in `+json`.
    Json,
    /// JSON values, one a line: `application/x-ndjson`, `application/ndjson`.
    Ndjson,
}

impl BodyType {
    /// The type that the headers say; `None` when they say none, or one that is not known.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = text.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" => Some(Self::Ndjson),
            other if other.starts_with("application/") && other.ends_with("+json") => {
                Some(Self::Json)
            }
            _ => None,
        }
    }
}

/// 415 unless the body is one JSON value.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    match BodyType::of(headers) {
        Some(BodyType::Json) => Ok(()),
        _ => Err(Problem::unsupported_media_type("application/json")),
    }
}

/// Reads a body of at most `bytes_max`, within the time that the settings allow.
///
/// # Errors
/// 413, 408, or 400 when the client broke off.
pub(crate) async fn whole(
    headers: &HeaderMap,
    mut body: Body,
    bytes_max: usize,
    settings: &Settings,
) -> Result<Bytes, Problem> {
    let declared = declared_bytes(headers);
    let read = async {
        if declared.is_some_and(|declared| declared > bytes_max as u64) {
            // Whoever asked first whether to send is told in time by the answer.
            if !headers.contains_key(EXPECT) {
                discard(&mut body, declared, settings).await;
            }
            return Err(Problem::body_too_large(bytes_max));
        }
        let room = declared.and_then(|declared| usize::try_from(declared).ok()).unwrap_or(0);
        collect(&mut body, room, bytes_max, settings).await
    };
    timeout(Duration::from_millis(settings.body_ms_max), read)
        .await
        .unwrap_or_else(|_| Err(Problem::slow_body()))
}

async fn collect(
    body: &mut Body,
    room: usize,
    bytes_max: usize,
    settings: &Settings,
) -> Result<Bytes, Problem> {
    let mut whole = BytesMut::with_capacity(room);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(crate::ProblemKind::BadRequest, "BROKEN_BODY")
                .because("the body ended before it was complete")
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if whole.len() + data.len() > bytes_max {
            discard(body, None, settings).await;
            return Err(Problem::body_too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads what the client is still sending and throws it away, as far as that is worth it: an
/// answer on a connection with unread bytes may never be seen.
async fn discard(body: &mut Body, declared: Option<u64>, settings: &Settings) {
    let mut left = settings.body_discard_bytes_max;
    if declared.is_some_and(|declared| declared > left as u64) {
        return;
    }
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn typed(text: &'static str) -> Option<BodyType> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
        BodyType::of(&headers)
    }

    #[test]
    fn only_json_and_lines_of_json_are_types() {
        assert_eq!(typed("application/json"), Some(BodyType::Json));
        assert_eq!(typed("Application/JSON; charset=utf-8"), Some(BodyType::Json));
        assert_eq!(typed("application/vnd.x+json"), Some(BodyType::Json));
        assert_eq!(typed("application/x-ndjson"), Some(BodyType::Ndjson));
        for other in ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", ""] {
            assert_eq!(typed(other), None, "{other}");
        }
        assert_eq!(BodyType::of(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_body_may_be_as_large_as_allowed_and_no_larger() {
        let settings = Settings::default();
        let none = HeaderMap::new();
        let read = whole(&none, Body::from("12345"), 5, &settings).await;
        assert_eq!(read.as_deref(), Ok(&b"12345"[..]));
        let read = whole(&none, Body::from("123456"), 5, &settings).await;
        assert_eq!(read.unwrap_err().status(), 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, String>>());
        let read = whole(&HeaderMap::new(), never, 5, &Settings::default()).await;
        assert_eq!(read.unwrap_err().status(), 408);
    }
}
