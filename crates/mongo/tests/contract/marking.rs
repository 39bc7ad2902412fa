//! Crash marks over connections that break.

use ordain_ports::Position;

use crate::database::Database;
use crate::proxy::Next;

/// A record that never ended a process must not be rejected because answers were lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_answer_is_lost_counts_once() {
    let database = Database::new();
    let direct = database.ready().await.crash_marks();
    let (proxy, mongo) = database.connect_through_proxy(|_| ()).await;
    let marks = mongo.crash_marks();
    let record = Position { partition: 1, offset: 7 };
    assert_eq!(marks.mark(record).await.expect("marks"), 1);
    assert_eq!(marks.begin(2, 5).await.expect("begins"), 0);
    for _ in 0..3 {
        proxy.next(Next::CutAfter);
        marks.mark(record).await.expect_err("the answer is lost");
        proxy.next(Next::CutAfter);
        marks.begin(2, 5).await.expect_err("the answer is lost");
    }
    assert_eq!(marks.mark(record).await.expect("marks"), 2, "a lost answer was counted");
    assert_eq!(marks.begin(2, 5).await.expect("begins"), 1, "a lost answer was counted");
    // The next is another one again, and so is another process.
    assert_eq!(marks.mark(record).await.expect("marks"), 3);
    assert_eq!(direct.mark(record).await.expect("marks"), 4);
    assert_eq!(direct.begin(2, 5).await.expect("begins"), 2);
}
