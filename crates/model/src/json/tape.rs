//! The tape: a whole JSON document as one flat list, and the handles that walk it.

use std::borrow::Cow;

use super::reader::{self, Limits, Malformed};

/// One value on the tape. What a container holds follows it directly, a member as its name (a
/// string) and then its value; `end` is the place behind all of it.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(Cow<'a, str>),
    Array { count: usize, end: usize },
    Object { count: usize, end: usize },
}

/// A JSON document (RFC 8259) that was read strictly, in one pass, without a tree: accepted means
/// that it can be stored, decoded and told apart from every document of another meaning.
///
/// Beyond malformed text these are refused: duplicate member names (compared after unescaping),
/// lone surrogates, U+0000 in a member name, integers outside `i64`, numbers that overflow
/// `f64`, and nesting deeper than the limit. An integer is a number written without fraction
/// and exponent, except `-0`, which is the float -0.0: `i64` has no such value. A number too
/// small for `f64` is 0.0.
///
/// Strings are borrowed from the text unless they contain escapes. An entry takes 24 bytes, and
/// no text has more than one entry for every two of its bytes, and one.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    tape: Vec<Entry<'a>>,
}

impl<'a> Document<'a> {
    /// Reads a document that fills the text (white space around it aside).
    ///
    /// # Errors
    /// What was refused, and where it was noticed.
    pub fn parse(text: &'a [u8], limits: &Limits) -> Result<Self, Malformed> {
        let (text, tape) = reader::read(text, limits)?;
        Ok(Self { text, tape })
    }

    /// The text as it was given, without the white space around it.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node { tape: &self.tape, at: 0 }
    }

    /// How many values and member names the document has.
    pub(super) fn entries(&self) -> usize {
        self.tape.len()
    }
}

/// A handle on one value of a document; a copy costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t> {
    tape: &'t [Entry<'t>],
    at: usize,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without fraction and exponent.
    Integer(i64),
    /// Any other number; always finite.
    Float(f64),
    /// A string, unescaped.
    String(&'t str),
    /// An array, as its elements in order.
    Array(Elements<'t>),
    /// An object, as its members in the order of the text.
    Object(Members<'t>),
}

impl<'t> Node<'t> {
    /// The first value of a tape of its own.
    pub(super) fn first(tape: &'t [Entry<'t>]) -> Self {
        Self { tape, at: 0 }
    }

    /// What the value is.
    #[must_use]
    pub fn kind(self) -> Kind<'t> {
        match self.entry() {
            Entry::Null => Kind::Null,
            Entry::Bool(value) => Kind::Bool(*value),
            Entry::Integer(value) => Kind::Integer(*value),
            Entry::Float(value) => Kind::Float(*value),
            Entry::String(value) => Kind::String(value),
            Entry::Array { count, .. } => {
                Kind::Array(Elements { next: self.inner(), left: *count })
            }
            Entry::Object { count, .. } => {
                Kind::Object(Members { next: self.inner(), left: *count })
            }
        }
    }

    /// The value of a member, when this is an object that has it. Looks at one member after the
    /// other.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Node<'t>> {
        match self.kind() {
            Kind::Object(mut members) => {
                members.find(|member| member.0 == name).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// Where the value lives: no two values of living documents share it.
    pub(super) fn address(self) -> usize {
        std::ptr::from_ref(self.entry()) as usize
    }

    pub(super) fn entry(self) -> &'t Entry<'t> {
        &self.tape[self.at]
    }

    /// The place directly behind this entry: what a container holds, or the value of a name.
    fn inner(self) -> Self {
        Self { at: self.at + 1, ..self }
    }

    /// The place behind this value and all that it holds.
    fn behind(self) -> Self {
        Self { at: end(self.tape, self.at), ..self }
    }
}

/// The place behind the value at a place, and behind all that it holds.
pub(super) fn end(tape: &[Entry<'_>], at: usize) -> usize {
    match &tape[at] {
        Entry::Array { end, .. } | Entry::Object { end, .. } => *end,
        _ => at + 1,
    }
}

/// The elements of an array, in order.
#[derive(Debug, Clone)]
pub struct Elements<'t> {
    next: Node<'t>,
    left: usize,
}

impl<'t> Iterator for Elements<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        self.left = self.left.checked_sub(1)?;
        let element = self.next;
        self.next = element.behind();
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// The members of an object, in the order of the text.
#[derive(Debug, Clone)]
pub struct Members<'t> {
    next: Node<'t>,
    left: usize,
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Node<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (name, value) = (self.next.entry(), self.next.inner());
        self.next = value.behind();
        match name {
            Entry::String(name) => Some((name, value)),
            _ => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Members<'_> {}
