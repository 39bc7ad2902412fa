//! How a member stands with the brokers: who wants to know is told when they refuse it, and when
//! they no longer do.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fault::Fault;

/// Is told, by group, why the brokers do not let this process be a member; `None` once they do.
pub type ReportMember = Arc<dyn Fn(&str, Option<&str>) + Send + Sync>;

/// As long as a member is refused, the log says so once in this time.
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// How one member stands.
pub(crate) struct Standing {
    group: String,
    report: ReportMember,
    /// Why it was last refused, if it still is.
    refused: RefCell<Option<Refused>>,
    /// Why its group has refused it last, also when it does no longer.
    refused_by_group: RefCell<Option<String>>,
}

struct Refused {
    why: String,
    /// It is the group that does not let it be a member.
    by_group: bool,
    /// When the log last said so.
    said: Instant,
}

impl Standing {
    pub(crate) fn new(group: &str, report: &ReportMember) -> Self {
        let (group, report) = (group.to_owned(), Arc::clone(report));
        let (refused, refused_by_group) = (RefCell::default(), RefCell::default());
        Self { group, report, refused, refused_by_group }
    }

    /// The brokers refuse it, and will until a person has changed something. Each is counted; told
    /// is what is new, and said in the log also what stays so, now and then.
    pub(crate) fn refused(&self, fault: &Fault) {
        metrics::counter!("ordain_kafka_refused_members").increment(1);
        let (why, by_group) = (fault.told(), fault.is_of_group());
        if by_group {
            self.refused_by_group.replace(Some(why.clone()));
        }
        self.refused_at(Instant::now(), why, by_group);
    }

    /// The driver goes on without a coordinator of the group. Why, it says only once: a member that
    /// is refused again for the reason for which it was refused before hears nothing else of it.
    pub(crate) fn is_away(&self) {
        let still = self.refused.borrow().as_ref().map(|still| (still.why.clone(), still.by_group));
        let before = self.refused_by_group.borrow().clone();
        let again =
            before.map(|why| (format!("the group is out of reach, and before: {why}"), true));
        if let Some((why, by_group)) = still.or(again) {
            self.refused_at(Instant::now(), why, by_group);
        }
    }

    /// Says whether the log was told.
    fn refused_at(&self, now: Instant, why: String, by_group: bool) -> bool {
        let mut refused = self.refused.borrow_mut();
        let is_known = refused.as_ref().is_some_and(|refused| refused.why == why);
        let said = refused.as_ref().filter(|_| is_known).map(|refused| refused.said);
        if said.is_some_and(|said| now.duration_since(said) < ALARM_EVERY) {
            return false;
        }
        tracing::error!(group = self.group, why, "kafka_member_refused");
        if !is_known {
            (self.report)(&self.group, Some(&why));
        }
        *refused = Some(Refused { why, by_group, said: now });
        true
    }

    /// The group counts it among its members, which says nothing of what else it may be refused.
    pub(crate) fn is_member(&self) {
        if self.refused.borrow().as_ref().is_some_and(|refused| refused.by_group) {
            self.accepted();
        }
    }

    /// The brokers have done for it what they do for members only.
    pub(crate) fn accepted(&self) {
        if self.refused.take().is_some() {
            tracing::info!(group = self.group, "kafka_member_accepted");
            (self.report)(&self.group, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_refusal_that_stays_is_told_once_and_said_once_a_minute() {
        let told = Arc::<Mutex<Vec<Option<String>>>>::default();
        let telling = Arc::clone(&told);
        let report: ReportMember = Arc::new(move |_, why| {
            telling.lock().unwrap().push(why.map(str::to_owned));
        });
        let standing = Standing::new("workers", &report);
        let begun = Instant::now();
        let said = |seconds: u64, why: &str| {
            standing.refused_at(begun + Duration::from_secs(seconds), why.to_owned(), true)
        };
        let first: Vec<u64> = (0..=180).filter(|seconds| said(*seconds, "first")).collect();
        assert_eq!(first, [0, 60, 120, 180]);
        assert!(said(181, "second") && !said(182, "second"), "what is new is said at once");
        standing.is_member();
        assert!(said(183, "second"), "it is new again");
        let told = told.lock().unwrap();
        let told: Vec<_> = told.iter().map(Option::as_deref).collect();
        assert_eq!(told, [Some("first"), Some("second"), None, Some("second")]);
    }
}
