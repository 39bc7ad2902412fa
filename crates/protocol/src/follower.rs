//! A follower of the event log: two projectors that fold aggregate 0 into the rows of one view,
//! one after the other, each event as: row after row, then the mark, then the progress.

use crate::command::{Offset, Sequence, Worker};
use crate::configuration::Configuration;
use crate::state::State;
use crate::wrong::Wrong;

/// A projector process, counted from 0 like the worker it stands beside.
pub type ProjectorName = Worker;

/// How many rows the view has for its aggregate.
pub const ROWS: usize = 2;

/// Whether an event writes a row: the first row sees every event, the second every other one.
pub fn touches(row: usize, sequence: Sequence) -> bool {
    row == 0 || sequence % 2 == 1
}

/// A row of the view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The sequence of the last event folded into it; 0 while there is no row.
    pub sequence: Sequence,
    /// The content: every event folded into it, in the order of folding.
    pub folded: Vec<Sequence>,
}

/// The stored side of the view. Its writes are conditional and durable at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The rows.
    pub rows: Vec<Row>,
    /// The sequence up to which all rows are written.
    pub mark: Sequence,
    /// The saved progress on the event log.
    pub progress: Offset,
    /// The projector that the event log is assigned to.
    pub owner: ProjectorName,
    /// Only for the properties: per row, and last for the mark, the highest sequence ever shown.
    pub shown: Vec<Sequence>,
}

impl View {
    /// A view without rows.
    pub fn empty() -> Self {
        let row = Row { sequence: 0, folded: Vec::new() };
        Self { rows: vec![row; ROWS], mark: 0, progress: 0, owner: 0, shown: vec![0; ROWS + 1] }
    }

    /// Keeps the highest sequences that anybody can have seen.
    fn note_shown(&mut self) {
        let sequences = self.rows.iter().map(|row| row.sequence).chain([self.mark]);
        for (shown, sequence) in self.shown.iter_mut().zip(sequences) {
            *shown = (*shown).max(sequence);
        }
    }
}

/// An event being folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fold {
    /// The event.
    pub sequence: Sequence,
    /// The row that is written next and what it was when it was read; none when only the mark
    /// is left.
    pub row: Option<(usize, Row)>,
}

/// The memory of a projector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Projector {
    /// The mark as it knows it; none before it has read it.
    pub known: Option<Sequence>,
    /// The offset of the event it takes next.
    pub position: Offset,
    /// The event it is folding.
    pub fold: Option<Fold>,
}

impl Projector {
    /// A projector that starts at the saved progress and has read nothing.
    pub fn cold(progress: Offset) -> Self {
        Self { known: None, position: progress, fold: None }
    }
}

/// Takes the next event: at or below the mark it is dropped, one above it is folded, and for one
/// further above the missing event is taken from the commits.
pub fn take_event(state: &mut State, rules: &Configuration, name: ProjectorName) {
    let mark = state.view.mark;
    let projector = &mut state.projectors[usize::from(name)];
    let known = *projector.known.get_or_insert(mark);
    let event = state.events[0][usize::from(projector.position)].sequence;
    if event <= known {
        projector.position += 1;
        return;
    }
    let sequence = known + 1;
    let row = match rules.wrong {
        Some(Wrong::MarkBeforeRows) => None,
        _ => read_row(state, sequence, 0),
    };
    state.projectors[usize::from(name)].fold = Some(Fold { sequence, row });
}

/// Reads the first row from `from` on that the event is to be folded into.
fn read_row(state: &State, sequence: Sequence, from: usize) -> Option<(usize, Row)> {
    let row = (from..ROWS).find(|row| touches(*row, sequence))?;
    Some((row, state.view.rows[row].clone()))
}

/// Writes the row on condition that it is as it was read, unless it already holds the event.
pub fn write_row(state: &mut State, rules: &Configuration, name: ProjectorName) {
    let Some(fold) = state.projectors[usize::from(name)].fold.take() else {
        return;
    };
    let Some((row, read)) = fold.row else { return };
    let holds_it = fold.sequence <= read.sequence && rules.wrong != Some(Wrong::RowFoldedTwice);
    if !holds_it {
        let unconditional = rules.wrong == Some(Wrong::ViewWrittenUnconditionally);
        if state.view.rows[row] != read && !unconditional {
            return forget(state, name);
        }
        let mut folded = read.folded;
        folded.push(fold.sequence);
        let sequence = fold.sequence.max(read.sequence);
        state.view.rows[row] = Row { sequence, folded };
        state.view.note_shown();
    }
    let next = read_row(state, fold.sequence, row + 1);
    state.projectors[usize::from(name)].fold = match (&next, rules.wrong) {
        (None, Some(Wrong::MarkBeforeRows)) => None,
        _ => Some(Fold { sequence: fold.sequence, row: next }),
    };
}

/// Writes the mark on condition that it is as this projector knows it.
pub fn write_mark(state: &mut State, rules: &Configuration, name: ProjectorName) {
    let projector = &mut state.projectors[usize::from(name)];
    let Some(fold) = projector.fold.take() else {
        return;
    };
    let unconditional = rules.wrong == Some(Wrong::ViewWrittenUnconditionally);
    if projector.known != Some(state.view.mark) && !unconditional {
        return forget(state, name);
    }
    projector.known = Some(fold.sequence);
    state.view.mark = fold.sequence;
    state.view.note_shown();
    if rules.wrong == Some(Wrong::MarkBeforeRows) {
        let row = read_row(state, fold.sequence, 0);
        state.projectors[usize::from(name)].fold = Some(Fold { row, ..fold });
    }
}

/// Saves the progress; who no longer owns the event log is fenced and stops.
pub fn save_view_progress(state: &mut State, name: ProjectorName) {
    if state.view.owner == name {
        state.view.progress = state.projectors[usize::from(name)].position;
    } else {
        forget(state, name);
    }
}

/// Drops all that the projector remembers: it starts again from what is stored, if it still may.
pub fn forget(state: &mut State, name: ProjectorName) {
    state.projectors[usize::from(name)] = Projector::cold(state.view.progress);
}

/// Assigns the event log to the other projector, which starts cold; the one before goes on with
/// what it has in memory until something refuses it.
pub fn move_view(state: &mut State) {
    state.view.owner = 1 - state.view.owner;
    forget(state, state.view.owner);
}
