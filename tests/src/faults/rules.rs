//! Rules that take their process with them while clients send. That rules panic, too, is part of
//! the load.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Run;

/// So many processes end before such a command is given up: three that had marked it, and one or
/// two before it was known that any had to be marked.
const ENDED: RangeInclusive<usize> = 4..=5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

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

impl Run {
    /// A client asks for what makes a rule do so, until it has a definite answer. Whatever ends
    /// meanwhile is replaced.
    ///
    /// # Panics
    /// When fewer or more processes end than have to, none starts in the place of one, or the
    /// clients do not get on.
    pub async fn misbehaves(&mut self, rule: Rule) {
        self.nobody_has_ended(0);
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

    /// Notes how many have ended, and starts others in their places.
    async fn replace_ended(&mut self, rule: Rule) -> usize {
        let ended = self.server.ended_count();
        let (timeline, name) = (Arc::clone(&self.timeline), format!("worker ended by {rule}"));
        for _ in 0..ended {
            // The first replaces them all.
            timeline.during(("crash", &name), self.heal()).await;
        }
        ended
    }
}
