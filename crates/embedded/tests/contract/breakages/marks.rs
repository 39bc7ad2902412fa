//! Keepers of crash marks, dead letters and announcements that break a promise.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::RequestId;
use ordain_ports::{
    Announced, Announcements, CrashMarks, DeadLetter, DeadLetters, Error, LetterId, Position,
};

use crate::broken::{Breakage, Forgets};

super::caught! {
    marks_that_are_forgotten: Forgets,
        crash_marks::marks_of_a_record_survive_a_restart, "a mark was lost";
    beginnings_that_are_forgotten: Forgets,
        crash_marks::beginnings_at_one_progress_add_up, "the beginnings before";
    beginnings_that_all_add_up: AddsUp,
        crash_marks::beginnings_elsewhere_do_not_count, "another progress";
    marks_that_all_add_up: AddsUp,
        crash_marks::marks_of_other_records_do_not_add_up, "assertion";
    marks_that_cannot_be_removed: AddsUp,
        crash_marks::a_removed_mark_is_forgotten, "a removed mark came back";
    letters_that_are_forgotten: Forgets,
        dead_letters::letters_survive_a_restart, "was lost";
    letters_that_are_replaced: Replaces,
        dead_letters::the_first_letter_stays, "the second letter has won";
    letters_that_are_replaced_at_once: Replaces,
        dead_letters::one_of_many_letters_at_once_is_kept, "the letter has changed";
    letters_that_stand_in_the_order_of_their_texts: OrdersTexts,
        dead_letters::letters_are_listed_in_the_order_of_their_ids, "pages of";
    retries_that_are_kept_twice: KeepsTwice,
        dead_letters::retries_are_kept_in_order_and_once, "the retries of the letter";
    retries_that_overwrite_one_another: Replaces,
        dead_letters::retries_at_once_are_all_kept, "a retry got lost";
    announcements_that_are_forgotten: Forgets,
        announcements::what_was_announced_is_known_for_good, "one was forgotten";
    announcements_that_take_the_place_of_others: KnowsTheLast,
        announcements::announcements_at_once_are_all_known, "one was forgotten";
}

#[derive(Default)]
struct AddsUp;

struct Sum(Arc<dyn CrashMarks>);

impl Breakage for AddsUp {
    fn crash_marks(self: &Arc<Self>, port: Arc<dyn CrashMarks>) -> Arc<dyn CrashMarks> {
        Arc::new(Sum(port))
    }
}

#[async_trait]
impl CrashMarks for Sum {
    async fn begin(&self, partition: u32, _: u64) -> Result<u32, Error> {
        self.0.begin(partition, 0).await
    }

    async fn mark(&self, position: Position) -> Result<u32, Error> {
        self.0.mark(Position { offset: 0, ..position }).await
    }

    async fn unmark(&self, _: Position) -> Result<(), Error> {
        Ok(())
    }
}

/// Keeps letters in memory, the newest under each id, with the newest retry.
#[derive(Default)]
struct Replaces(Arc<Mutex<Vec<DeadLetter>>>);

struct Newest(Arc<Mutex<Vec<DeadLetter>>>);

impl Breakage for Replaces {
    fn dead_letters(self: &Arc<Self>, _: Arc<dyn DeadLetters>) -> Arc<dyn DeadLetters> {
        Arc::new(Newest(Arc::clone(&self.0)))
    }
}

#[async_trait]
impl DeadLetters for Newest {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let mut all = self.0.lock().expect("lock");
        for letter in letters {
            all.retain(|other| other.id != letter.id);
            all.push(letter);
        }
        Ok(())
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let all = self.0.lock().expect("lock");
        let behind = all.iter().filter(|letter| after.is_none_or(|after| *after < letter.id));
        Ok(behind.take(limit).cloned().collect())
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        Ok(self.0.lock().expect("lock").iter().find(|letter| letter.id == *id).cloned())
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        let mut all = self.0.lock().expect("lock");
        let letter = all.iter_mut().find(|letter| letter.id == *id);
        Ok(letter.map(|letter| letter.retries = vec![request]).is_some())
    }
}

#[derive(Default)]
struct OrdersTexts;

struct Texts(Arc<dyn DeadLetters>);

impl Breakage for OrdersTexts {
    fn dead_letters(self: &Arc<Self>, port: Arc<dyn DeadLetters>) -> Arc<dyn DeadLetters> {
        Arc::new(Texts(port))
    }
}

#[async_trait]
impl DeadLetters for Texts {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        self.0.put(letters).await
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let mut all = self.0.list(None, 10_000).await?;
        all.sort_by_key(|letter| letter.id.to_string());
        let after = after.map(ToString::to_string);
        let is_behind =
            |letter: &DeadLetter| after.as_ref().is_none_or(|after| *after < letter.id.to_string());
        Ok(all.into_iter().filter(is_behind).take(limit).collect())
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        self.0.get(id).await
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        self.0.retried(id, request).await
    }
}

#[derive(Default)]
struct KeepsTwice;

struct Twice(Arc<dyn DeadLetters>);

impl Breakage for KeepsTwice {
    fn dead_letters(self: &Arc<Self>, port: Arc<dyn DeadLetters>) -> Arc<dyn DeadLetters> {
        Arc::new(Twice(port))
    }
}

#[async_trait]
impl DeadLetters for Twice {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        self.0.put(letters).await
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.0.list(after, limit).await
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        let mut letter = self.0.get(id).await?;
        if let Some(letter) = &mut letter {
            letter.retries.extend(letter.retries.clone());
        }
        Ok(letter)
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        self.0.retried(id, request).await
    }
}

#[derive(Default)]
struct KnowsTheLast(Arc<Mutex<Vec<Announced>>>);

struct LastOnly(Arc<Mutex<Vec<Announced>>>);

impl Breakage for KnowsTheLast {
    fn announcements(self: &Arc<Self>, _: Arc<dyn Announcements>) -> Arc<dyn Announcements> {
        Arc::new(LastOnly(Arc::clone(&self.0)))
    }
}

#[async_trait]
impl Announcements for LastOnly {
    async fn announce(&self, commands: Vec<Announced>) -> Result<(), Error> {
        *self.0.lock().expect("lock") = commands;
        Ok(())
    }

    async fn known(&self) -> Result<Vec<Announced>, Error> {
        Ok(self.0.lock().expect("lock").clone())
    }
}
