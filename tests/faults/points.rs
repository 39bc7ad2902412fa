//! Every crash point, killed there once under load; and paused there for longer than a session,
//! where waking up late could do harm.

use ordain_tests::Role;

use crate::run::{Run, Strike};

/// Crash points, with who meets them and how often each is passed before it strikes.
const KILLS: [(&str, Role, u32); 13] = [
    ("C0", Role::Api, 40),
    ("C1", Role::Api, 40),
    ("C2", Role::Api, 40),
    ("C3", Role::Worker, 40),
    ("C4", Role::Worker, 40),
    ("C5", Role::Worker, 40),
    ("C6", Role::Worker, 40),
    ("C7", Role::Worker, 30),
    ("C8", Role::Worker, 10),
    ("C9", Role::Worker, 30),
    ("C10", Role::Worker, 30),
    ("C11", Role::View, 30),
    ("C12", Role::View, 30),
];
const PAUSES: [(&str, Role, u32); 3] =
    [("Z1", Role::Worker, 40), ("Z2", Role::Worker, 30), ("Z4", Role::View, 30)];

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_or_a_pause_at_every_point_breaks_no_promise() {
    let mut run = Run::begin(2, "").await;
    for (point, role, passed) in KILLS {
        run.strike(Strike::Kill, (point, role), passed).await;
    }
    for (point, role, passed) in PAUSES {
        run.strike(Strike::Pause, (point, role), passed).await;
    }
    let report = run.end().await;
    println!("{:?}", report.totals);
    assert!(report.is_clean(), "{report:#?}");
}
