//! Paths and queries as they stand in the request line: what is not well encoded is refused
//! before any route looks at it, so that no route sees a text that the client did not mean.

use http::Uri;

use crate::Problem;

/// Whether path and query are percent-encoded as RFC 3986 says, and UTF-8 behind that.
///
/// # Errors
/// 400, saying which of the two it is.
pub(crate) fn check(uri: &Uri) -> Result<(), Problem> {
    if !is_well_encoded(uri.path()) {
        return Err(Problem::bad_path("the path is not percent-encoded utf-8"));
    }
    if !uri.query().is_none_or(is_well_encoded) {
        return Err(Problem::bad_query("the query is not percent-encoded utf-8"));
    }
    Ok(())
}

fn is_well_encoded(text: &str) -> bool {
    if !text.contains('%') {
        return true;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        match (bytes.next().and_then(digit), bytes.next().and_then(digit)) {
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return false,
        }
    }
    std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains('\0'))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_encoded_utf_8_passes() {
        for good in ["/", "/a%2Fb", "/%C3%a4", "/a?b=%20"] {
            assert!(check(&good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in ["/%", "/%2", "/%zz", "/%ff", "/%C3", "/%00", "/a?b=%", "/a?b=%ff"] {
            assert_eq!(check(&bad.parse().unwrap()).unwrap_err().status(), 400, "{bad}");
        }
    }
}
