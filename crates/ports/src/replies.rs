//! Replies: from the worker to the API process that waits. They may get lost; outcomes do not.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, ReplyAddress, RequestId};

use crate::Error;

/// The answer to one sending of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Who waits, and for which sending.
    pub to: ReplyAddress,
    /// The aggregate.
    pub aggregate: AggregateKey,
    /// The request id.
    pub request: RequestId,
    /// What to say.
    pub answer: Answer,
}

/// What a reply says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What became of the command: decided and durable.
    Commit(Arc<Commit>),
    /// There is an outcome, too large for a reply: look it up.
    LookUp,
}

/// The worker's end.
///
/// # Contract
/// 1. `send` never waits; what the channel cannot take now is dropped.
/// 2. A reply reaches the process whose channel it names, or nobody.
/// 3. What arrives is what was sent.
pub trait ReplySender: Send + Sync {
    /// Sends all of these.
    fn send(&self, replies: Vec<Reply>);
}

/// The API's end.
///
/// # Contract
/// 4. Once `subscribe` has returned, every reply sent to its channel and not lost reaches the
///    sink, whether or not anyone waits for it there.
/// 5. No two subscriptions ever have the same channel.
/// 6. After replies may have been lost, the sink is told, once it can receive again.
#[async_trait]
pub trait Replies: Send + Sync {
    /// Opens the reply channel of this process. It lives as long as the sink does.
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error>;
}

/// Takes the replies of one process. Must not block.
pub trait ReplySink: Send + Sync {
    /// A reply arrived.
    fn reply(&self, reply: Reply);

    /// Replies may have been lost: look up the outcomes of all that wait.
    fn lost(&self);
}
