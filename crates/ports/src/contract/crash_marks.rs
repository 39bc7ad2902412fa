//! The contract of the keeper of crash marks.

use super::{Marks, Setup};
use crate::Position;

const fn at(partition: u32, offset: u64) -> Position {
    Position { partition, offset }
}

/// Promise 1: beginnings are counted per partition and progress, also over restarts.
pub async fn beginnings_at_one_progress_add_up<W: Marks>() {
    let mut world = W::fresh(Setup::DEFAULT).await;
    for before in 0..3 {
        let marks = world.crash_marks().await;
        assert_eq!(marks.begin(1, 50).await.expect("begins"), before, "the beginnings before");
        drop(marks);
        world = world.restart(Setup::DEFAULT).await;
    }
    let marks = world.crash_marks().await;
    assert_eq!(marks.begin(1, 50).await.expect("begins"), 3);
    assert_eq!(marks.begin(1, 50).await.expect("begins"), 4);
}

/// Promise 1: another progress starts from 0, and so does another partition.
pub async fn beginnings_elsewhere_do_not_count<W: Marks>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let marks = world.crash_marks().await;
    for before in 0..2 {
        assert_eq!(marks.begin(1, 0).await.expect("begins"), before);
        assert_eq!(marks.begin(2, 0).await.expect("begins"), before, "another partition");
    }
    assert_eq!(marks.begin(1, 7).await.expect("begins"), 0, "another progress");
    assert_eq!(marks.begin(1, 7).await.expect("begins"), 1);
    assert_eq!(marks.begin(2, 0).await.expect("begins"), 2, "the other partition");
}

/// Promise 1: a mark that remains says that the lane did not end well, wherever it begins now.
pub async fn a_mark_that_remains_counts_as_a_beginning<W: Marks>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let marks = world.crash_marks().await;
    marks.mark(at(1, 9)).await.expect("marks");
    drop(marks);
    let world = world.restart(Setup::DEFAULT).await;
    let marks = world.crash_marks().await;
    assert_eq!(marks.begin(1, 7).await.expect("begins"), 1, "below the mark");
    assert_eq!(marks.begin(1, 9).await.expect("begins"), 1, "at the mark");
    assert_eq!(marks.begin(0, 7).await.expect("begins"), 0, "another partition");
    assert_eq!(marks.begin(1, 10).await.expect("begins"), 0, "above the mark");
    marks.mark(at(1, 12)).await.expect("marks");
    marks.unmark(at(1, 12)).await.expect("unmarks");
    assert_eq!(marks.begin(1, 11).await.expect("begins"), 0, "no mark remains");
}

/// Promise 2: marks of one record are counted, and durable before the call returns.
pub async fn marks_of_a_record_survive_a_restart<W: Marks>() {
    let mut world = W::fresh(Setup::DEFAULT).await;
    for count in 1..=4 {
        let marks = world.crash_marks().await;
        assert_eq!(marks.mark(at(0, 9)).await.expect("marks"), count, "a mark was lost");
        drop(marks);
        world = world.restart(Setup::DEFAULT).await;
    }
}

/// Promise 3: a record whose mark was removed starts from 1, also after a restart; removing what
/// is not there does nothing.
pub async fn a_removed_mark_is_forgotten<W: Marks>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let marks = world.crash_marks().await;
    marks.unmark(at(0, 1)).await.expect("unmarks");
    for _ in 0..2 {
        assert_eq!(marks.mark(at(0, 1)).await.expect("marks"), 1, "a removed mark came back");
        assert_eq!(marks.mark(at(0, 1)).await.expect("marks"), 2);
        marks.unmark(at(0, 1)).await.expect("unmarks");
    }
    drop(marks);
    let world = world.restart(Setup::DEFAULT).await;
    let marks = world.crash_marks().await;
    assert_eq!(marks.mark(at(0, 1)).await.expect("marks"), 1, "a removed mark came back");
}

/// Promise 3: marks of other records, in this partition or another, do not add up.
pub async fn marks_of_other_records_do_not_add_up<W: Marks>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let marks = world.crash_marks().await;
    let records = [at(0, 1), at(0, 2), at(1, 1), at(256, 0), at(0, 256)];
    for count in 1..=3 {
        for record in records {
            assert_eq!(marks.mark(record).await.expect("marks"), count, "{record:?}");
        }
    }
    marks.unmark(at(0, 1)).await.expect("unmarks");
    assert_eq!(marks.mark(at(0, 2)).await.expect("marks"), 4, "another mark was removed");
    assert_eq!(marks.mark(at(1, 1)).await.expect("marks"), 4, "another mark was removed");
    assert_eq!(marks.mark(at(0, 1)).await.expect("marks"), 1);
}
