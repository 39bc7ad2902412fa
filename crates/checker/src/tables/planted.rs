//! Foreign and damaged records stand beside what is checked.

use super::Tables;
use crate::evidence::Topic;

impl Tables {
    /// Takes what was planted out of what is checked. In the requests it stands for something that
    /// cannot be read, even where it can.
    pub(crate) fn set_planted_apart(&mut self) {
        let planted = &self.planted;
        let is_planted = |topic, place| planted.contains(&(topic, place));
        for record in &self.records {
            if is_planted(Topic::Requests, record.place) {
                self.unreadable.push((Topic::Requests, record.place));
            }
        }
        self.records.retain(|record| !is_planted(Topic::Requests, record.place));
        self.published.retain(|event| !is_planted(Topic::FinalEvents, event.place));
    }
}
