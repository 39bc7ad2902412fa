//! What could not be processed is kept for people to look at.

use foldhash::{HashMap, HashSet};

use crate::evidence::Topic;
use crate::findings::Findings;
use crate::tables::Tables;
use crate::{Anomaly, Outcome, Place};

pub(super) fn check(tables: &Tables, found: &mut Findings) {
    let mut codes: HashMap<u32, Vec<&str>> = HashMap::default();
    let mut places: HashSet<(&str, Place)> = HashSet::default();
    for letter in &tables.letters {
        places.insert((&letter.topic, letter.place));
        let named = letter.named.as_ref();
        if let Some(operation) = named.and_then(|(of, request)| tables.find(of, request)) {
            codes.entry(operation).or_default().push(&letter.code);
        }
    }
    for commit in &tables.commits {
        let (outcome, code) = tables.verdicts.value(commit.verdict).as_ref();
        let code = code.as_deref().unwrap_or_default();
        let letters = codes.get(&commit.operation);
        let is_kept = letters.is_some_and(|codes| codes.contains(&code));
        if *outcome == Outcome::Rejected && !is_kept {
            let command = tables.named(commit.operation);
            found.add(Anomaly::LetterMissing { command, code: code.to_owned() });
        }
    }
    for (topic, place) in tables.unreadable.iter().copied() {
        if !tables.planted.contains(&(topic, place)) {
            found.add(Anomaly::Unreadable { topic, place });
        }
        // Nobody follows dead letters.
        if topic != Topic::DeadLetters && !places.contains(&(topic.name(), place)) {
            found.add(Anomaly::UnreadableWithoutLetter { topic, place });
        }
    }
}
