//! UNKNOWN is said only when it is certain.

use tokio::task::JoinHandle;

use super::*;
use crate::Wait;
use crate::scripted::{Beats, Log, Scripted, Stored, deposit, ports, success};

struct Asked {
    log: Arc<Log>,
    outcomes: Arc<Stored>,
    owners: Arc<Owners>,
    beats: Arc<Beats>,
}

impl Asked {
    fn new(ends: &[u64], progress: &[Option<u64>]) -> Self {
        let (log, beats) = (Arc::<Log>::default(), Arc::<Beats>::default());
        let owners = Owners::start(&ports(&log, &beats), &SubmitLimits::default());
        let asked = Self { log, outcomes: Arc::default(), owners: Arc::new(owners), beats };
        asked.log.ends.send_replace(ends.to_vec());
        asked.log.progress.send_replace(progress.to_vec());
        asked
    }

    fn ask(&self, wait_ms: u64) -> JoinHandle<Found> {
        let (log, outcomes, owners) =
            (self.log.clone(), self.outcomes.clone(), self.owners.clone());
        let request = deposit("r", 1);
        tokio::spawn(async move {
            let limits = SubmitLimits::default();
            let over = tokio_util::sync::CancellationToken::new();
            let questions = Questions {
                log: log.as_ref(),
                outcomes: outcomes.as_ref(),
                owners: &owners,
                limits: &limits,
                over: &over,
            };
            let id = (request.aggregate, request.request);
            questions.ask(id, Duration::from_millis(wait_ms)).await.unwrap()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_once_every_partition_is_empty_or_done_up_to_its_end() {
    for (ends, progress) in [
        (vec![0, 0], vec![None, None]),
        (vec![5, 0], vec![Some(5), None]),
        (vec![5, 3], vec![Some(9), Some(3)]),
        (vec![], vec![]),
    ] {
        assert_eq!(Asked::new(&ends, &progress).ask(0).await.unwrap(), Found::Unknown, "{ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn pending_while_any_partition_lags() {
    for (ends, progress, records) in [
        (vec![5, 0], vec![Some(4), None], 1),
        (vec![5, 3], vec![Some(5), None], 3),
        // A partition that is newer than the answer about progress.
        (vec![5, 3], vec![Some(5)], 3),
        (vec![5, 3], vec![Some(2), Some(1)], 5),
    ] {
        let found = Asked::new(&ends, &progress).ask(200).await.unwrap();
        assert_eq!(found, Found::Pending(Behind { records, ms: 200 }), "{ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lagging_partition_is_waited_for() {
    let asked = Asked::new(&[5, 3], &[Some(5), Some(2)]);
    let answer = asked.ask(5_000);
    sleep(Duration::from_millis(300)).await;
    assert!(!answer.is_finished());
    // What comes after the question does not prolong the wait.
    asked.log.ends.send_replace(vec![5, 9]);
    asked.log.progress.send_replace(vec![Some(5), Some(3)]);
    let begun = Instant::now();
    assert_eq!(answer.await.unwrap(), Found::Unknown);
    assert!(begun.elapsed() <= Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_there_is_found_at_once_however_far_the_workers_are_behind() {
    let asked = Asked::new(&[5], &[None]);
    let scripted = Scripted::start().await;
    scripted.submit(deposit("r", 1), Wait::Outcome(Duration::from_secs(5)));
    let command = scripted.log.appended(1).await;
    asked.outcomes.store(&command);
    let begun = Instant::now();
    assert_eq!(asked.ask(5_000).await.unwrap(), Found::Outcome(Arc::new(success(&command))));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_comes_with_the_last_progress_is_never_missed() {
    let asked = Asked::new(&[5], &[Some(4)]);
    let scripted = Scripted::start().await;
    scripted.submit(deposit("r", 1), Wait::Outcome(Duration::from_secs(5)));
    let command = scripted.log.appended(1).await;
    // While the progress is being read, the worker stores the outcome and then saves progress.
    let (log, outcomes) = (asked.log.clone(), asked.outcomes.clone());
    asked.log.meanwhile(move |_| {
        outcomes.store(&command);
        log.progress.send_replace(vec![Some(5)]);
    });
    let found = asked.ask(0).await.unwrap();
    assert!(matches!(found, Found::Outcome(_)), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_has_waited_as_long_as_its_oldest_record() {
    let asked = Asked::new(&[5, 3], &[Some(5), Some(1)]);
    let mut beat = crate::scripted::worker("w", 2);
    beat.lanes[1].oldest_wait_ms = 70_000;
    // Done meanwhile, as the log says.
    beat.lanes[0].oldest_wait_ms = 90_000;
    asked.beats.set(Some(vec![beat]));
    sleep(Duration::from_millis(1_500)).await;
    let found = asked.ask(0).await.unwrap();
    let Found::Pending(Behind { records: 2, ms }) = found else { panic!("{found:?}") };
    assert!((70_000..72_000).contains(&ms), "{ms}");
}
