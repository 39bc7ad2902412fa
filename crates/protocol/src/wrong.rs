//! Ways to get the protocol wrong. Each changes one rule, and the tests show what it breaks.

/// One rule of the protocol that is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// After a failed insert the lane goes on from what it had decided, as if all were stored.
    CacheKeptAfterFailure,
    /// After a repeat the lane sends the rest of the batch with the numbers it already has.
    NumberedRestSent,
    /// A lane publishes the events of its own batch only.
    OwnEventsOnly,
    /// A repeat is answered, but its aggregate is not published.
    RepeatNotPublished,
    /// Reads show what the primary has, durable or not, and what they show is relied on.
    ReadsNotDurable,
    /// A projector writes rows and marks without a condition.
    ViewWrittenUnconditionally,
    /// A duplicate that is not durable is waited for, and the insert is never sent again.
    WaitsForDuplicate,
    /// A projector folds an event into a row without looking at the sequence of the row.
    RowFoldedTwice,
    /// The store has no unique key on (aggregate, request).
    RequestNotUnique,
    /// The store has no unique key on (aggregate, revision).
    RevisionNotUnique,
    /// Progress is saved before the events are published.
    ProgressBeforePublishing,
    /// The progress of a lane that no longer owns its partition is taken all the same.
    ZombieProgressTaken,
    /// A repeat is answered with the stored outcome, even if it is another command.
    FingerprintIgnored,
    /// The deadline is looked at when a batch is taken, and not again when it is sent again.
    DeadlineCheckedOnce,
    /// The view's mark is written before the rows of the event.
    MarkBeforeRows,
}
