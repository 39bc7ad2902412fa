//! Rules that take their process with them while clients send. That rules panic, too, is part of
//! the load.

use std::fmt;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Run;
use super::run::ABORTED;
use crate::Role;
use crate::server::Replaced;

/// So many processes end before such a command is given up: three that had marked it, and one or
/// two before it was known that any had to be marked.
const ENDED: RangeInclusive<usize> = 4..=5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What a process says before it ends itself because of a rule.
const OVERRUN: &str = "rule does not return";

/// How a rule takes its process with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It never returns, and the process ends itself.
    Hangs,
    /// It ends the process.
    Aborts,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangs => "hang",
            Self::Aborts => "abort",
        })
    }
}

impl Rule {
    /// Whether a process that ended so was ended by it. One that hangs is told of before.
    fn has_ended(self, status: Option<ExitStatus>, log: &str) -> bool {
        let is_aborted = status.and_then(|status| status.signal()) == Some(ABORTED);
        is_aborted && (self == Self::Aborts || log.contains(OVERRUN))
    }
}

impl Run {
    /// A client asks for what makes a rule do so, until it has a definite answer. Whatever ends
    /// meanwhile is replaced.
    ///
    /// # Panics
    /// When fewer or more processes end than have to, one ends in another way than the rule ends
    /// it, none starts in the place of one, or the clients do not get on.
    pub async fn misbehaves(&mut self, rule: Rule) {
        self.nobody_has_ended(0);
        let _before = self.server.take_replaced();
        self.victims += 1;
        let mut client = self.clients.another(self.load.clients + self.victims, &self.memory);
        let timeline = Arc::clone(&self.timeline);
        let command = rule.to_string();
        let ended = timeline.during(("rule", &command), async {
            let asked = tokio::spawn({
                let command = command.clone();
                async move { client.ask_rules(&command).await }
            });
            let mut ended = 0;
            while !asked.is_finished() {
                ended += self.replace_ended(rule).await;
                sleep(BETWEEN_LOOKS).await;
            }
            assert!(asked.await.is_ok(), "the client has a definite answer");
            ended + self.replace_ended(rule).await
        });
        let ended = ended.await;
        assert!(ENDED.contains(&ended), "{ended} processes ended by a rule: {rule}");
        self.goes_on().await;
    }

    /// Starts others in the places of those that have ended, and gives how many that were. Each has
    /// to be a worker that a rule has ended: nothing else may end by itself. Also whoever ends
    /// while others start is among them.
    async fn replace_ended(&mut self, rule: Rule) -> usize {
        if !self.server.has_any_ended() {
            return 0;
        }
        let (timeline, name) = (Arc::clone(&self.timeline), format!("worker ended by {rule}"));
        timeline.during(("crash", &name), self.heal()).await;
        let replaced = self.server.take_replaced();
        for Replaced { role, status, log } in &replaced {
            let is_worker = *role == Some(Role::Worker);
            assert!(is_worker, "a process has ended by itself: {role:?} {status:?}\n{log}");
            let is_by_rule = rule.has_ended(*status, log);
            assert!(is_by_rule, "a worker has ended by itself: {status:?}\n{log}");
        }
        replaced.len()
    }
}
