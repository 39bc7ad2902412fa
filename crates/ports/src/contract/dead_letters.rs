//! The contract of the keeper of dead letters.

use ordain_model::Code;
use tokio::task::JoinSet;

use super::samples::{aggregate, request, time};
use super::{Letters, Setup};
use crate::{DeadLetter, DeadLetters, LetterId, Position};

fn id(topic: &str, partition: u32, offset: u64) -> LetterId {
    LetterId::new(topic, Position { partition, offset })
}

fn letter(id: LetterId) -> DeadLetter {
    let is_named = id.offset.is_multiple_of(2);
    DeadLetter {
        named: is_named.then(|| (aggregate("a"), request("r1"))),
        command: is_named.then(|| "deposit".to_owned()),
        code: Code::new("UNREADABLE"),
        why: "it says: \"ü\0\"".to_owned(),
        data: vec![0, 255, 128, 10, b'"', 0],
        time: time(id.offset),
        retries: vec![],
        id,
    }
}

async fn list(letters: &dyn DeadLetters, limit: usize) -> Vec<DeadLetter> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = letters.list(after.as_ref(), limit).await.expect("lists");
        assert!(page.len() <= limit, "a page is longer than {limit}");
        let Some(last) = page.last() else { return all };
        after = Some(last.id.clone());
        all.extend(page);
    }
}

/// Promise 1: letters are there after an abrupt end, byte for byte.
pub async fn letters_survive_a_restart<W: Letters>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let letters = world.dead_letters().await;
    let written = vec![letter(id("requests", 0, 1)), letter(id("requests", 0, 2))];
    letters.put(written.clone()).await.expect("puts");
    letters.put(vec![]).await.expect("puts nothing");
    assert!(letters.retried(&written[0].id, request("again")).await.expect("notes"));
    drop(letters);
    let world = world.restart(Setup::DEFAULT).await;
    let letters = world.dead_letters().await;
    let mut retried = written[0].clone();
    retried.retries.push(request("again"));
    let found = letters.get(&written[0].id).await.expect("gets");
    assert_eq!(found, Some(retried), "a letter or its retry was lost");
    let found = letters.get(&written[1].id).await.expect("gets");
    assert_eq!(found, Some(written[1].clone()), "a letter was lost");
    assert_eq!(letters.get(&id("requests", 1, 2)).await.expect("gets"), None);
}

/// Promise 2: the first letter under an id stays, with its retries, also within one call.
pub async fn the_first_letter_stays<W: Letters>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let letters = world.dead_letters().await;
    let mut first = letter(id("requests", 3, 4));
    let other = DeadLetter { why: "another".to_owned(), ..first.clone() };
    letters.put(vec![first.clone(), other.clone()]).await.expect("puts");
    assert_eq!(list(&*letters, 10).await, [first.clone()], "the second letter has won");
    assert!(letters.retried(&first.id, request("again")).await.expect("notes"));
    let behind = letter(id("requests", 3, 5));
    letters.put(vec![other, behind.clone()]).await.expect("puts");
    first.retries.push(request("again"));
    assert_eq!(list(&*letters, 10).await, [first, behind], "the second letter has won");
}

/// Promise 2: of many that put one letter at once, one is kept whole.
pub async fn one_of_many_letters_at_once_is_kept<W: Letters>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut running = JoinSet::new();
    for nth in 0..8 {
        let letters = world.dead_letters().await;
        let one = DeadLetter { why: format!("{nth}"), ..letter(id("requests", 0, 0)) };
        running.spawn(async move {
            letters.put(vec![one]).await.expect("puts");
            let kept = letters.get(&id("requests", 0, 0)).await.expect("gets").expect("a letter");
            kept.why
        });
    }
    let seen = running.join_all().await;
    assert!(seen.iter().all(|why| *why == seen[0]), "the letter has changed: {seen:?}");
}

/// Promise 3: by topic, then partition, then offset, as numbers, whatever the size of a page.
pub async fn letters_are_listed_in_the_order_of_their_ids<W: Letters>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let letters = world.dead_letters().await;
    assert_eq!(letters.list(None, 10).await.expect("lists"), []);
    let mut written = Vec::new();
    for topic in ["requests", "finalevents"] {
        for partition in [10, 9, 0, 255, 256] {
            for offset in [9, 10, 0, 100, u64::from(u32::MAX) + 1, 255, 256] {
                written.push(letter(id(topic, partition, offset)));
            }
        }
    }
    letters.put(written.clone()).await.expect("puts");
    written.sort_by(|one, other| one.id.cmp(&other.id));
    for limit in [1, 2, 7, 1_000] {
        assert_eq!(list(&*letters, limit).await, written, "pages of {limit}");
    }
    let between = id("requests", 9, 50);
    let behind = letters.list(Some(&between), 2).await.expect("lists");
    let expected = [letter(id("requests", 9, 100)), letter(id("requests", 9, 255))];
    assert_eq!(behind, expected, "behind an id that is not there");
}

/// Promise 4: retries are kept in order, each once; an unknown letter is not made up.
pub async fn retries_are_kept_in_order_and_once<W: Letters>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let letters = world.dead_letters().await;
    let (one, other) = (letter(id("requests", 0, 1)), letter(id("requests", 0, 2)));
    letters.put(vec![one.clone(), other.clone()]).await.expect("puts");
    for retry in ["z", "a", "z", "m", "a"] {
        assert!(letters.retried(&one.id, request(retry)).await.expect("notes"));
    }
    let kept = letters.get(&one.id).await.expect("gets").expect("the letter");
    assert_eq!(kept.retries, ["z", "a", "m"].map(request), "the retries of the letter");
    assert_eq!(letters.get(&other.id).await.expect("gets"), Some(other), "another was touched");
    let unknown = id("requests", 0, 3);
    assert!(!letters.retried(&unknown, request("a")).await.expect("notes"));
    assert_eq!(letters.get(&unknown).await.expect("gets"), None, "a letter was made up");
}

/// Promise 4: of retries noted at once none gets lost.
pub async fn retries_at_once_are_all_kept<W: Letters>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let one = letter(id("requests", 0, 1));
    world.dead_letters().await.put(vec![one.clone()]).await.expect("puts");
    let mut running = JoinSet::new();
    for nth in 0..8 {
        let (letters, one) = (world.dead_letters().await, one.id.clone());
        running.spawn(async move {
            assert!(letters.retried(&one, request(&format!("r{nth}"))).await.expect("notes"));
        });
    }
    running.join_all().await;
    let kept = world.dead_letters().await.get(&one.id).await.expect("gets").expect("the letter");
    let mut retries = kept.retries;
    retries.sort();
    let expected: Vec<_> = (0..8).map(|nth| request(&format!("r{nth}"))).collect();
    assert_eq!(retries, expected, "a retry got lost");
}
