//! Nobody is told that a command is unknown after somebody was told that it is known.

use crate::Anomaly;
use crate::findings::Findings;
use crate::tables::{Call, Meaning, Tables};

pub(super) fn check(tables: &Tables, found: &mut Findings) {
    // Of each command the call that was first told of it.
    let mut firsts: Vec<Option<&Call>> = vec![None; tables.operations.len()];
    for call in tables.calls.iter().filter(|call| says(&call.meaning).is_some()) {
        let first = &mut firsts[call.operation as usize];
        if first.is_none_or(|first| call.answered < first.answered) {
            *first = Some(call);
        }
    }
    for call in tables.calls.iter().filter(|call| call.meaning == Meaning::Unknown) {
        let Some(first) = firsts[call.operation as usize] else { continue };
        if let Some(told) = says(&first.meaning).filter(|_| first.answered < call.at) {
            let (command, earlier) = (tables.named(call.operation), first.number);
            found.add(Anomaly::UnknownAfter { command, call: call.number, earlier, told });
        }
    }
}

/// What an answer says that makes the command known for good.
const fn says(meaning: &Meaning) -> Option<&'static str> {
    match meaning {
        Meaning::Told(_) => Some("an outcome"),
        Meaning::Accepted => Some("202"),
        Meaning::KeyReused => Some("KEY_REUSED"),
        Meaning::NotAccepted | Meaning::Unknown | Meaning::Nothing => None,
    }
}
