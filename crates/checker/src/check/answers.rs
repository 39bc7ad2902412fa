//! Every answer to one request is the same, and is what is stored.

use super::Index;
use crate::Anomaly;
use crate::findings::Findings;
use crate::names::number;
use crate::tables::{Call, Commit, Document, Meaning, NONE, Tables};

pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    for call in &tables.calls {
        if let Some(anomaly) = answer(tables, index, call) {
            found.add(anomaly);
        }
    }
    let firsts = documents(tables, index, found);
    repeats(tables, found);
    only_sendings(tables, found);
    for looked_up in &tables.looked_up {
        let commit = index.commit(tables, looked_up.operation);
        let command = || tables.named(looked_up.operation);
        match (&looked_up.document, commit) {
            (None, None) => {}
            (None, Some(commit)) => {
                found.add(Anomaly::NotFound { command: command(), revision: commit.revision });
            }
            (Some(document), commit) => {
                let first = tables.calls.get(firsts[looked_up.operation as usize] as usize);
                let is_same = |first: &Document| first.body == document.body;
                let told = match first.and_then(|call| call.meaning.document()).map(is_same) {
                    Some(false) => format!("another document of {}", says(tables, document)),
                    _ => says(tables, document),
                };
                let stored = commit.map_or_else(|| "nothing".to_owned(), |c| stored(tables, c));
                if told != stored {
                    found.add(Anomaly::LookUpDiffers { command: command(), told, stored });
                }
            }
        }
    }
}

fn says(tables: &Tables, document: &Document) -> String {
    let verdict = tables.verdict(document.verdict);
    format!("{verdict} at revision {}, sequence {}", document.revision, document.sequence)
}

fn stored(tables: &Tables, commit: &Commit) -> String {
    let verdict = tables.verdict(commit.verdict);
    format!("{verdict} at revision {}, sequence {}", commit.revision, commit.sequence)
}

const fn is_like(document: &Document, commit: &Commit) -> bool {
    document.verdict == commit.verdict
        && document.revision == commit.revision
        && document.sequence == commit.sequence
}

fn answer(tables: &Tables, index: &Index, call: &Call) -> Option<Anomaly> {
    let command = || tables.named(call.operation);
    let commit = index.commit(tables, call.operation);
    let decided = commit.and_then(|commit| index.record(tables, commit.source));
    let decided = decided.filter(|record| record.operation == call.operation);
    // Whether it asked for what was decided, where both are known.
    let asked = decided.filter(|_| call.asked != NONE).map(|record| record.asked == call.asked);
    let call_number = call.number;
    match (&call.meaning, commit) {
        (Meaning::Told(document), None) => {
            let told = says(tables, document);
            Some(Anomaly::AnswerWithoutCommit { command: command(), call: call_number, told })
        }
        (Meaning::Accepted, None) => {
            let told = "202".to_owned();
            Some(Anomaly::AnswerWithoutCommit { command: command(), call: call_number, told })
        }
        (Meaning::Told(_), Some(_)) if asked == Some(false) => {
            Some(Anomaly::OtherCommandAnswered { command: command(), call: call_number })
        }
        (Meaning::Told(document), Some(commit)) if !is_like(document, commit) => {
            let (told, stored) = (says(tables, document), stored(tables, commit));
            Some(Anomaly::AnswerDiffers { command: command(), call: call_number, told, stored })
        }
        (Meaning::KeyReused, None) => {
            Some(Anomaly::ReusedWithoutCommit { command: command(), call: call_number })
        }
        (Meaning::KeyReused, Some(_)) if asked == Some(true) => {
            Some(Anomaly::FalselyReused { command: command(), call: call_number })
        }
        _ => None,
    }
}

/// Answers that say the same are the same document, byte for byte. Gives of each command the first
/// call whose answer says what is stored.
fn documents(tables: &Tables, index: &Index, found: &mut Findings) -> Vec<u32> {
    let mut firsts = vec![NONE; tables.operations.len()];
    for (place, call) in tables.calls.iter().enumerate() {
        let Some(document) = call.meaning.document() else { continue };
        let commit = index.commit(tables, call.operation);
        if !commit.is_some_and(|commit| is_like(document, commit)) {
            continue;
        }
        let first = &mut firsts[call.operation as usize];
        let Some(other) = tables.calls.get(*first as usize) else {
            *first = number(place);
            continue;
        };
        if other.meaning.document().is_some_and(|other| other.body != document.body) {
            let command = tables.named(call.operation);
            found.add(Anomaly::BodiesDiffer { command, first: other.number, second: call.number });
        }
    }
    firsts
}

/// Only the call that produced the record that was decided is told so without a mark; and whoever
/// sends a command whose outcome was answered before did not.
fn repeats(tables: &Tables, found: &mut Findings) {
    let mut answered = vec![u64::MAX; tables.operations.len()];
    for call in tables.calls.iter().filter(|call| call.meaning.document().is_some()) {
        let first = &mut answered[call.operation as usize];
        *first = (*first).min(call.answered);
    }
    let mut unmarked = vec![false; tables.operations.len()];
    for call in tables.calls.iter().filter(|call| call.is_marking) {
        let Some(false) = call.meaning.document().map(|document| document.replayed) else {
            continue;
        };
        let is_second = std::mem::replace(&mut unmarked[call.operation as usize], true);
        if is_second || answered[call.operation as usize] < call.at {
            let command = tables.named(call.operation);
            found.add(Anomaly::NotMarkedAsRepeat { command, call: call.number });
        }
    }
}

/// Whoever is told of a repeat is not the only one who may have had the command accepted.
fn only_sendings(tables: &Tables, found: &mut Findings) {
    let mut sendings = vec![0_u32; tables.operations.len()];
    let sent = || tables.calls.iter().filter(|call| call.asked != NONE);
    for call in sent().filter(|call| call.meaning != Meaning::NotAccepted) {
        sendings[call.operation as usize] += 1;
    }
    let is_marking = |call: &&Call| call.is_marking;
    for call in sent().filter(is_marking).filter(|call| sendings[call.operation as usize] == 1) {
        if call.meaning.document().is_some_and(|document| document.replayed) {
            let command = tables.named(call.operation);
            found.add(Anomaly::FalselyMarkedAsRepeat { command, call: call.number });
        }
    }
}
