//! Every crash point of a process, killed there once under load; and paused there for longer than
//! a session, where waking up late could do harm. At last a worker is killed while partitions are
//! raised.

use std::time::Duration;

use ordain_tests::faults::{POINTS, Run, Strike};

/// So soon after it could insert what it held a worker is killed.
const SOON: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_or_a_pause_at_every_point_breaks_no_promise() {
    let mut run = Run::begin(2, "").await;
    for (point, role, passed) in POINTS {
        let strike = if point.starts_with('Z') { Strike::Pause } else { Strike::Kill };
        run.strike(strike, (point, role), passed).await;
    }
    run.raised(Strike::Kill, SOON).await;
    let report = run.end().await;
    println!("{:?}", report.totals);
    assert!(report.is_clean(), "{report:#?}");
}
