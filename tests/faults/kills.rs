//! Processes of every role are killed while clients send.

use ordain_tests::Role;
use ordain_tests::faults::Run;

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_break_no_promise() {
    let mut run = Run::begin(1, "").await;
    for role in [Role::Worker, Role::Api, Role::View, Role::Worker] {
        run.kill(role).await;
    }
    let report = run.end().await;
    println!("{:?}", report.totals);
    assert!(report.is_clean(), "{report:#?}");
}
