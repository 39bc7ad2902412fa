//! How topics are made, checked, raised and refused.

use ordain_kafka::{Kafka, Settings, TopicsWanted, ensure_topics};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

use crate::fresh::{settings, wanted};

/// Makes a topic as somebody else would.
async fn make(settings: &Settings, name: &str, configuration: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .create()
        .expect("a client");
    let name = format!("{}.{name}", settings.prefix);
    let mut topic = NewTopic::new(&name, 2, TopicReplication::Fixed(1));
    for (key, value) in configuration {
        topic = topic.set(key, value);
    }
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("asks");
    assert!(made[0].is_ok(), "{made:?}");
}

async fn refusal(settings: &Settings, wanted: &TopicsWanted) -> String {
    match ensure_topics(settings, wanted).await {
        Ok(report) => panic!("not refused: {report:?}"),
        Err(why) => why.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_once_and_found_again() {
    let settings = settings();
    let wanted = TopicsWanted { event_retention_ms: Some(86_400_000), ..wanted(3) };
    let made = ensure_topics(&settings, &wanted).await.expect("makes them");
    let names: Vec<_> = made.topics.iter().map(|topic| topic.name.as_str()).collect();
    let expected = ["requests", "finalevents", "deadletters"];
    assert_eq!(names, expected.map(|name| format!("{}.{name}", settings.prefix)));
    assert!(made.topics.iter().all(|topic| topic.made && topic.raised_from.is_none()));
    assert_eq!(made.topics.iter().map(|t| t.partitions).collect::<Vec<_>>(), [3, 2, 1]);
    let retention: Vec<_> = made.topics.iter().map(|topic| topic.retention_ms).collect();
    assert_eq!(retention, [None, Some(86_400_000), None]);
    assert!(made.warnings.iter().any(|warning| warning.contains("replicas")), "{made:?}");
    let found = ensure_topics(&settings, &wanted).await.expect("finds them");
    assert!(found.topics.iter().all(|topic| !topic.made && topic.raised_from.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_raised_and_never_lowered() {
    let settings = settings();
    ensure_topics(&settings, &wanted(2)).await.expect("makes them");
    let few = TopicsWanted { workers: Some(3), ..wanted(5) };
    let raised = ensure_topics(&settings, &few).await.expect("raises");
    assert_eq!((raised.topics[0].raised_from, raised.topics[0].partitions), (Some(2), 5));
    assert!(raised.warnings.iter().any(|warning| warning.contains("30 are better")), "{raised:?}");
    let kept = ensure_topics(&settings, &wanted(4)).await.expect("leaves them as they are");
    assert_eq!((kept.topics[0].raised_from, kept.topics[0].partitions), (None, 5));
    let says = |warning: &String| warning.contains("5 partitions") && warning.contains("lowered");
    assert!(kept.warnings.iter().any(says), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_partitions_of_finalevents_never_change() {
    let settings = settings();
    let unset = TopicsWanted { event_partitions: None, ..wanted(1) };
    let made = ensure_topics(&settings, &unset).await.expect("makes them");
    assert!(made.topics[1].partitions >= 32, "a generous number, not {made:?}");
    let why = refusal(&settings, &TopicsWanted { event_partitions: Some(100), ..wanted(1) }).await;
    assert!(why.contains("never changes"), "{why}");
    ensure_topics(&settings, &unset).await.expect("finds them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_would_lose_records_are_refused() {
    for (topic, configuration, word) in [
        ("finalevents", ("cleanup.policy", "compact"), "cleanup.policy"),
        ("finalevents", ("cleanup.policy", "compact,delete"), "cleanup.policy"),
        ("finalevents", ("max.message.bytes", "1048576"), "max.message.bytes"),
        ("requests", ("retention.ms", "86400000"), "retention.ms"),
        ("requests", ("retention.bytes", "1000000"), "retention.bytes"),
    ] {
        let settings = settings();
        for other in ["requests", "finalevents"] {
            let mut all =
                vec![("max.message.bytes", "4194304"), ("retention.ms", "-1"), configuration];
            if other != topic {
                all.pop();
            }
            // What is set last counts.
            let is_again = |key: &str| all.iter().filter(|(name, _)| *name == key).count() > 1;
            if is_again(configuration.0) {
                all.retain(|pair| pair.0 != configuration.0 || *pair == configuration);
            }
            make(&settings, other, &all).await;
        }
        let why = refusal(&settings, &wanted(2)).await;
        assert!(why.contains(topic) && why.contains(word), "{topic} {configuration:?}: {why}");
        let connected = Kafka::connect(&settings).await;
        let why = connected.expect_err("a node does not start on it").to_string();
        assert!(why.contains(topic) && why.contains(word), "{topic} {configuration:?}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_topics_connecting_says_what_to_do() {
    let why = Kafka::connect(&settings()).await.expect_err("there are no topics").to_string();
    assert!(why.contains("ordain topics ensure"), "{why}");
}
