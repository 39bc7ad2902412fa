//! A batch at work: what is still to be decided, the aggregates it touches, and what is settled.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use ordain_model::{AggregateKey, Commit, Outcome, RequestId};
use ordain_ports::{Answer, DeadLetter, Reply, Span};

use crate::broken;
use crate::decide::Decided;
use crate::entry::Entry;
use crate::receive::Item;
use crate::traced;

/// A batch at work.
#[derive(Default)]
pub(crate) struct Batch {
    /// What is not settled yet, in the order of the records.
    pub(crate) pending: Vec<Item>,
    /// Records under a request id that stands in the batch before them: repeats for certain.
    twins: HashMap<(AggregateKey, RequestId), Vec<Item>>,
    /// The aggregates that the batch touches.
    pub(crate) entries: HashMap<AggregateKey, Entry>,
    /// Commits of this batch that are stored, in order.
    pub(crate) stored: Vec<Arc<Commit>>,
    /// Dead letters that go with them.
    pub(crate) letters: Vec<DeadLetter>,
    /// Replies that are due.
    replies: Vec<Reply>,
    /// The spans of what is settled.
    spans: Vec<Span>,
}

impl Batch {
    /// A batch of these items.
    pub(crate) fn new(items: Vec<Item>) -> Self {
        let mut batch = Self::default();
        let mut ids = HashSet::with_capacity(items.len());
        for item in items {
            if ids.insert((item.aggregate.clone(), item.request.clone())) {
                batch.pending.push(item);
            } else {
                let id = (item.aggregate.clone(), item.request.clone());
                batch.twins.entry(id).or_default().push(item);
            }
        }
        batch
    }

    /// About how many bytes its aggregates take in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.values().map(Entry::held_bytes).sum()
    }

    /// The ids of what is pending.
    pub(crate) fn ids(&self) -> Vec<(AggregateKey, RequestId)> {
        let id = |item: &Item| (item.aggregate.clone(), item.request.clone());
        self.pending.iter().map(id).collect()
    }

    /// Settles what is pending and has a stored outcome already. `outcomes` stands in the order of
    /// `ids`. Gives the commits found.
    pub(crate) fn settle_repeats(
        &mut self,
        outcomes: Vec<Option<Arc<Commit>>>,
    ) -> Vec<Arc<Commit>> {
        let mut found = Vec::new();
        let pending = std::mem::take(&mut self.pending);
        for (item, outcome) in pending.into_iter().zip(outcomes) {
            match outcome {
                Some(commit) => {
                    self.reply(&item, &commit);
                    self.settle_twins(&commit);
                    self.letters.extend(lost_letter(&item, &commit));
                    found.push(commit);
                }
                None => self.pending.push(item),
            }
        }
        found
    }

    /// Settles the first `stored` of what was decided; the rest was never true.
    ///
    /// # Errors
    /// The key of an aggregate that could not be folded again and has to be loaded anew.
    pub(crate) fn settle_stored(
        &mut self,
        decided: Vec<Decided>,
        stored: usize,
    ) -> Vec<AggregateKey> {
        let mut counts: HashMap<&AggregateKey, usize> = HashMap::new();
        for (index, decided) in decided.iter().enumerate() {
            let count = counts.entry(&decided.commit.aggregate).or_default();
            *count += usize::from(index < stored || broken::keeps_cache());
        }
        let mut broken = Vec::new();
        for (key, count) in counts {
            let settled = self.entries.get_mut(key).map(|entry| entry.settle(count));
            if matches!(settled, Some(Err(_))) {
                broken.push(key.clone());
            }
        }
        let behind = self.pending.split_off(stored);
        let items = std::mem::replace(&mut self.pending, behind);
        for (item, decided) in items.into_iter().zip(decided) {
            self.reply(&item, &decided.commit);
            self.settle_twins(&decided.commit);
            self.letters.extend(decided.letter);
            self.stored.push(decided.commit);
        }
        broken
    }

    /// Nothing of what was decided is known to be stored: forget it.
    pub(crate) fn forget_decided(&mut self) {
        // Nothing stored needs no fold, so this cannot fail.
        self.entries.values_mut().for_each(|entry| drop(entry.settle(0)));
    }

    /// Answers the first that is pending with a commit that is stored nowhere.
    pub(crate) fn answer_first(&mut self, commit: &Arc<Commit>) {
        let item = self.pending.remove(0);
        self.reply(&item, commit);
        self.settle_twins(commit);
    }

    fn settle_twins(&mut self, commit: &Arc<Commit>) {
        if self.twins.is_empty() {
            return;
        }
        let id = (commit.aggregate.clone(), commit.request.clone());
        let twins = self.twins.remove(&id).unwrap_or_default();
        twins.iter().for_each(|twin| self.reply(twin, commit));
    }

    fn reply(&mut self, item: &Item, commit: &Arc<Commit>) {
        self.spans.extend(traced::decided(item, commit));
        let Some(to) = item.reply_to() else { return };
        self.replies.push(Reply {
            to: to.clone(),
            aggregate: item.aggregate.clone(),
            request: item.request.clone(),
            answer: Answer::Commit(Arc::clone(commit)),
        });
    }

    /// The spans of what was settled.
    pub(crate) fn take_spans(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.spans)
    }

    /// The replies that are due, with those over the limit saying only where to look.
    pub(crate) fn take_replies(&mut self, bytes_max: usize) -> Vec<Reply> {
        let mut replies = std::mem::take(&mut self.replies);
        for reply in &mut replies {
            let bytes = match &reply.answer {
                Answer::Commit(commit) => event_bytes(commit),
                Answer::LookUp => 0,
            };
            if bytes > bytes_max {
                reply.answer = Answer::LookUp;
            }
        }
        replies
    }
}

/// The dead letter of a record that was rejected before: whoever rejected it may have ended before
/// the letter was kept. Keeping it twice does nothing.
fn lost_letter(item: &Item, commit: &Commit) -> Option<DeadLetter> {
    let source = (commit.source.partition, commit.source.offset);
    let is_own = source == (item.position.partition, item.position.offset);
    match &commit.outcome {
        Outcome::Rejected(code) if is_own => {
            let why = "rejected when it was decided first".to_owned();
            Some(item.dead_letter(code.clone(), why, commit.time))
        }
        _ => None,
    }
}

fn event_bytes(commit: &Commit) -> usize {
    commit.events.iter().map(|event| event.data.as_str().len()).sum()
}
