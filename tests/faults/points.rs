//! Every crash point of a process, killed there once under load; and paused there for longer than
//! a session, where waking up late could do harm.

use ordain_tests::faults::{POINTS, Run, Strike};

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_or_a_pause_at_every_point_breaks_no_promise() {
    let mut run = Run::begin(2, "").await;
    for (point, role, passed) in POINTS {
        let strike = if point.starts_with('Z') { Strike::Pause } else { Strike::Kill };
        run.strike(strike, (point, role), passed).await;
    }
    let report = run.end().await;
    println!("{:?}", report.totals);
    assert!(report.is_clean(), "{report:#?}");
}
