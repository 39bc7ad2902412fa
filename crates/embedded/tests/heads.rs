//! Revisions stay unique when the writer remembers next to nothing of the aggregates it wrote.

#![expect(clippy::unwrap_used, reason = "a test fails so")]

use std::sync::Arc;

use ordain_embedded::{Home, Settings};
use ordain_model::{AggregateKey, Commit, Fingerprint, Outcome, Source, Timestamp};

fn commit(id: &str, revision: u64, request: &str) -> Arc<Commit> {
    Arc::new(Commit {
        aggregate: AggregateKey::new("default", "account", id).unwrap(),
        request: request.parse().unwrap(),
        command: "open".parse().unwrap(),
        fingerprint: Fingerprint::of_unreadable(request.as_bytes()),
        revision,
        sequence: 0,
        outcome: Outcome::Success,
        events: Vec::new(),
        time: Timestamp::from_nanoseconds(1),
        source: Source { partition: 0, offset: 0, nonce: 0 },
        trace: None,
    })
}

#[tokio::test]
async fn a_rival_in_the_same_batch_is_a_conflict_though_the_head_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { heads_max: 1, ..Settings::default() };
    let home = Home::open(directory.path(), &settings).unwrap();
    let mut commits = vec![commit("a", 1, "first")];
    commits.extend((0..100).map(|n| commit(&format!("other-{n}"), 1, "filler")));
    commits.push(commit("a", 1, "rival"));
    let inserted = home.commits().insert(&commits).await;
    assert_eq!(inserted.stored, 101, "all but the rival");
    assert!(matches!(inserted.stop, Some(ordain_ports::Stop::Conflict)), "{inserted:?}");
    let request = ("first".parse().unwrap(), "rival".parse().unwrap());
    let key = commit("a", 1, "first").aggregate.clone();
    let ids = [(key.clone(), request.0), (key, request.1)];
    let found = home.outcomes().find(&ids).await.unwrap();
    assert_eq!(found.first().unwrap().as_deref(), Some(commits.first().unwrap().as_ref()));
    assert_eq!(found.get(1).unwrap(), &None);
}
