//! What was answered earlier: the look-up for whoever is refused, who may be sending again what has
//! an outcome already. One query at a time asks for all that wait; where more come than it may ask
//! for, they are refused without it.

use std::sync::Arc;
use std::time::Duration;

use ordain_model::Commit;
use ordain_ports::Outcomes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::SubmitLimits;
use super::flight::Id;

/// Looks up what was decided earlier, until it is dropped.
#[derive(Debug)]
pub(super) struct Earlier {
    questions: mpsc::Sender<Question>,
    within: Duration,
}

#[derive(Debug)]
struct Question {
    id: Id,
    found: oneshot::Sender<Arc<Commit>>,
}

impl Earlier {
    pub(super) fn start(outcomes: &Arc<dyn Outcomes>, limits: &SubmitLimits) -> Self {
        let commands_max = limits.refused_look_up_commands_max.max(1);
        let (questions, asked) = mpsc::channel(commands_max);
        tokio::spawn(answer(Arc::clone(outcomes), asked, commands_max));
        let within = Duration::from_millis(limits.refused_look_up_ms_max);
        Self { questions, within }
    }

    /// What is stored under this id, if that is known soon and by then; nothing also where it
    /// cannot be asked.
    pub(super) async fn find(&self, id: Id, by: Instant) -> Option<Arc<Commit>> {
        let now = Instant::now();
        if by <= now {
            // The answer would come too late, and the place in the queue be lost to others.
            return None;
        }
        let (found, finds) = oneshot::channel();
        self.questions.try_send(Question { id, found }).ok()?;
        timeout_at(by.min(now + self.within), finds).await.ok()?.ok()
    }
}

async fn answer(
    outcomes: Arc<dyn Outcomes>,
    mut asked: mpsc::Receiver<Question>,
    commands_max: usize,
) {
    let counted = metrics::counter!("ordain_api_looked_up_commands");
    let failed = metrics::counter!("ordain_api_failed_look_ups");
    let mut questions = Vec::new();
    while asked.recv_many(&mut questions, commands_max).await > 0 {
        // Who has waited for too long is refused by now.
        questions.retain(|question| !question.found.is_closed());
        let ids: Vec<Id> = questions.iter().map(|question| question.id.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        counted.increment(ids.len() as u64);
        match outcomes.find(&ids).await {
            Ok(found) => tell(questions.drain(..), found),
            Err(error) => {
                failed.increment(1);
                tracing::warn!(%error, "look_up_failed");
                questions.clear();
            }
        }
    }
}

fn tell(questions: impl Iterator<Item = Question>, found: Vec<Option<Arc<Commit>>>) {
    let counted = metrics::counter!("ordain_api_looked_up_outcomes");
    for (question, commit) in questions.zip(found) {
        if let Some(commit) = commit {
            counted.increment(1);
            // Who asked may have gone.
            drop(question.found.send(commit));
        }
    }
}
