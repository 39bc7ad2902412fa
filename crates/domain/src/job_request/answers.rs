//! Who has answered what: a map that keeps the order in which the answers were given.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::CleanerId;

/// What a cleaner says to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// I take it.
    Accepted,
    /// I do not want it.
    Declined,
}

/// The answers to an offer, in the order given. As JSON an object, whose members stand in that
/// order too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers(Vec<(CleanerId, Answer)>);

impl Answers {
    /// What that cleaner answered.
    #[must_use]
    pub fn of(&self, cleaner: &CleanerId) -> Option<Answer> {
        self.0.iter().find(|(id, _)| id == cleaner).map(|(_, answer)| *answer)
    }

    /// All answers, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&CleanerId, Answer)> {
        self.0.iter().map(|(id, answer)| (id, *answer))
    }

    /// Adds an answer behind the others.
    pub(super) fn push(&mut self, cleaner: CleanerId, answer: Answer) {
        self.0.push((cleaner, answer));
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Answers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the answers by cleaner")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Answers, M::Error> {
                let mut answers = Answers::default();
                while let Some((cleaner, answer)) = map.next_entry()? {
                    answers.push(cleaner, answer);
                }
                Ok(answers)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
