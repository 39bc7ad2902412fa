//! When a lane lets records gather before it takes the next batch. Time stands still in these
//! tests but where all wait for it.

use std::time::Duration;

use ordain_views::{CleanerJobs, Settings};
use tokio::time::{Instant, sleep};

use crate::scripted::Script;
use crate::unsaved::strange;
use crate::world::{Running, World, run_with};

const GATHER: Duration = Duration::from_secs(2);

/// Saves behind every batch, so that the saves tell how the batches were.
fn follow(world: &World, script: &Script) -> Running {
    let settings = Settings {
        gather_ms: GATHER.as_millis() as u64,
        unsaved_records_max: 1,
        ..Settings::default()
    };
    run_with(CleanerJobs, world.ports(), script.feed(), settings)
}

#[tokio::test(start_paused = true)]
async fn where_records_come_several_at_a_time_more_gather() {
    let (world, script) = (World::new(), Script::default());
    script.add(strange(2));
    let running = follow(&world, &script);
    script.saved_up_to(2).await;
    script.add(strange(1));
    sleep(GATHER / 2).await;
    script.add(strange(1));
    script.saved_up_to(4).await;
    running.leave().await;
    assert_eq!(script.saves(), [2, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_lone_record_lets_nothing_wait() {
    let (world, script) = (World::new(), Script::default());
    let running = follow(&world, &script);
    let begun = Instant::now();
    for progress in 1..=3 {
        script.add(strange(1));
        script.saved_up_to(progress).await;
    }
    running.leave().await;
    assert_eq!(script.saves(), [1, 2, 3]);
    assert!(begun.elapsed() < GATHER, "{:?}", begun.elapsed());
}
