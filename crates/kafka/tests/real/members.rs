//! Members that run while things change.

use std::time::{Duration, Instant};

use ordain_kafka::{Settings, ensure_topics};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::fresh::{
    LIMIT, append, connected, lane, lanes, numbered, read, settings, wanted, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_raised_while_running_are_used_and_read() {
    let settings = settings();
    let kafka = connected(&settings, 2).await;
    let mut feed = kafka.join_requests();
    let old = lanes(&mut feed, 2).await;
    let began = Instant::now();
    ensure_topics(&settings, &wanted(5)).await.expect("raises");
    let new = lanes(&mut feed, 3).await;
    let noticed = began.elapsed();
    assert!(noticed < Duration::from_secs(5), "noticed after {noticed:?}");
    assert!(old.values().all(|lane| !lane.is_revoked()), "an old lane moved without need");
    within("the appender to notice", async {
        while kafka.partitions() < 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut highest = 0;
    for number in 0..40 {
        let position = append(&kafka, numbered(&format!("a{number}"), number)).await;
        highest = highest.max(position.partition);
    }
    assert_eq!(highest, 4, "a new partition is not written to");
    let first = &read(&new[&4], 1).await[0];
    assert_eq!(first.position.offset, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_with_little_room_gives_everything() {
    let settings = Settings {
        lane_records_max: 3,
        lane_bytes_max: 2_000,
        fetch_queue_records_max: 2,
        fetch_queue_kib_max: 1,
        ..settings()
    };
    let kafka = connected(&settings, 2).await;
    for number in 0..200 {
        append(&kafka, numbered(&format!("a{}", number % 4), number)).await;
    }
    let mut feed = kafka.join_requests();
    let lanes = lanes(&mut feed, 2).await;
    let ends = kafka.command_log().ends().await.expect("reads");
    // One lane is left alone meanwhile: it must not stand in the way of the other.
    for partition in [1, 0] {
        let count = usize::try_from(ends[partition as usize]).expect("small");
        let records = read(&lanes[&partition], count).await;
        let offsets: Vec<_> = records.iter().map(|record| record.position.offset).collect();
        assert_eq!(offsets, (0..ends[partition as usize]).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_is_given_out_again_reads_again_what_is_not_saved() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    for number in 0..20 {
        append(&kafka, numbered("a", number)).await;
    }
    let mut feed = kafka.join_requests();
    for progress in [None, Some(4), Some(9)] {
        let held = lane(&mut feed).await;
        assert_eq!(held.progress(), progress);
        let from = progress.unwrap_or(0);
        let count = usize::try_from(20 - from).expect("small");
        let offsets =
            read(&held, count).await.iter().map(|r| r.position.offset).collect::<Vec<_>>();
        assert_eq!(offsets, (from..20).collect::<Vec<_>>());
        held.save(if from == 0 { 4 } else { 9 }).await.expect("saves");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_with_a_name_comes_back_to_its_partitions() {
    let named = |name: &str, settings: &Settings| Settings {
        instance: Some(name.to_owned()),
        ..settings.clone()
    };
    let settings = settings();
    let kafka = connected(&named("one", &settings), 2).await;
    let other = connected(&named("two", &settings), 2).await;
    let mut feed = kafka.join_requests();
    let mut lane_of_one = lanes(&mut feed, 2).await;
    let mut feed_of_other = other.join_requests();
    within("a lane to be revoked", async {
        while lane_of_one.values().all(|lane| !lane.is_revoked()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    lane_of_one.retain(|_, lane| !lane.is_revoked());
    let of_other = lane(&mut feed_of_other).await;
    // Away for less than the session: nothing moves meanwhile.
    let kept: Vec<u32> = lane_of_one.keys().copied().collect();
    drop((feed, lane_of_one));
    let mut again = kafka.join_requests();
    let came_back = lane(&mut again).await;
    assert_eq!(vec![came_back.partition()], kept);
    assert!(!of_other.is_revoked(), "the lane of the other member moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_of_one_name_are_not_both_members() {
    let settings = Settings { instance: Some("one".to_owned()), ..settings() };
    let kafka = connected(&settings, 1).await;
    let mut first = kafka.join_requests();
    let held = lane(&mut first).await;
    let mut second = kafka.join_requests();
    let new = lane(&mut second).await;
    let told = within("the first to be told", async {
        loop {
            match first.lane().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it has not left"),
                Err(error) => return error,
            }
        }
    })
    .await;
    assert!(told.to_string().contains("same instance"), "{told}");
    assert!(held.is_revoked() && held.save(1).await.is_err_and(|error| error.is_stop()));
    new.save(1).await.expect("the second saves");
}

/// How many members the brokers know of in the workers' group.
fn known_members(settings: &Settings) -> usize {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .create()
        .expect("a client");
    let group = format!("{}.workers", settings.prefix);
    let groups = consumer.fetch_group_list(Some(&group), LIMIT).expect("asks");
    groups.groups().iter().map(|group| group.members().len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_all_have_left_the_brokers_know_of_no_member() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    within("nobody to leave", kafka.left()).await;
    let mut feed = kafka.join_requests();
    let held = lane(&mut feed).await;
    assert_eq!(known_members(&settings), 1);
    // Leaving takes its time.
    fail::cfg("kafka-feed-close", "sleep(2000)").expect("a crash point");
    feed.leave();
    drop(held);
    within("the member to leave", kafka.left()).await;
    assert_eq!(known_members(&settings), 0);
    fail::remove("kafka-feed-close");
}
