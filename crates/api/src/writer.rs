//! Writes JSON text member by member, in the order of the calls, with parts that are JSON already
//! copied in byte for byte.

use std::fmt::Display;
use std::io::Write as _;

/// An object being written.
#[derive(Debug)]
pub(crate) struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    /// An object without members yet.
    pub(crate) fn new() -> Self {
        Self::with_capacity(256)
    }

    /// The same, with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut text = Vec::with_capacity(bytes);
        text.push(b'{');
        Self(text)
    }

    /// A member that is a text. The name must need no escaping.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        let mut object = self.name(name);
        push_text(&mut object.0, value);
        object
    }

    /// A member that is a text whose characters need no escaping, such as an id or a time.
    pub(crate) fn plain(self, name: &str, value: impl Display) -> Self {
        let mut object = self.name(name);
        object.0.push(b'"');
        object.display(value);
        object.0.push(b'"');
        object
    }

    /// A member that is a number.
    pub(crate) fn number(self, name: &str, value: u64) -> Self {
        let mut object = self.name(name);
        object.display(value);
        object
    }

    /// A member that is JSON text already.
    pub(crate) fn json(self, name: &str, value: &[u8]) -> Self {
        let mut object = self.name(name);
        object.0.extend_from_slice(value);
        object
    }

    /// A member that is an array of what is JSON text already.
    pub(crate) fn array<I>(self, name: &str, items: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut object = self.name(name);
        object.0.push(b'[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                object.0.push(b',');
            }
            object.0.extend_from_slice(item.as_ref());
        }
        object.0.push(b']');
        object
    }

    /// The object, complete.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    #[expect(clippy::expect_used, reason = "writing to memory has no way to fail")]
    fn display(&mut self, value: impl Display) {
        write!(self.0, "{value}").expect("memory can be written to");
    }

    fn name(mut self, name: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        self
    }
}

/// Appends a text as a JSON string.
fn push_text(text: &mut Vec<u8>, value: &str) {
    #[expect(clippy::expect_used, reason = "writing a string to memory has no way to fail")]
    serde_json::to_writer(text, value).expect("a string can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_json_its_bytes() {
        let object = ObjectWriter::new()
            .text("b", "a\"\n")
            .plain("a", 7)
            .number("n", u64::MAX)
            .json("j", b"{ \"x\":1.0}")
            .array("l", ["1", " 2"])
            .finish();
        let text = r#"{"b":"a\"\n","a":"7","n":18446744073709551615,"j":{ "x":1.0},"l":[1, 2]}"#;
        assert_eq!(String::from_utf8(object).unwrap(), text);
        assert_eq!(ObjectWriter::new().finish(), b"{}");
    }
}
