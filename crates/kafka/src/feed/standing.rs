//! How a member stands with the brokers: who wants to know is told when they refuse it, and when
//! they no longer do.

use std::cell::RefCell;
use std::sync::Arc;

use crate::fault::Fault;

/// Is told, by group, why the brokers do not let this process be a member; `None` once they do.
pub type ReportMember = Arc<dyn Fn(&str, Option<&str>) + Send + Sync>;

/// How one member stands.
pub(crate) struct Standing {
    group: String,
    report: ReportMember,
    /// Why it was last refused, if it still is.
    refused: RefCell<Option<Refused>>,
}

struct Refused {
    why: String,
    /// It is the group that does not let it be a member.
    by_group: bool,
}

impl Standing {
    pub(crate) fn new(group: &str, report: &ReportMember) -> Self {
        let (group, report) = (group.to_owned(), Arc::clone(report));
        Self { group, report, refused: RefCell::default() }
    }

    /// The brokers refuse it, and will until a person has changed something. Told once.
    pub(crate) fn refused(&self, fault: &Fault) {
        let why = fault.told();
        if self.refused.borrow().as_ref().is_some_and(|refused| refused.why == why) {
            return;
        }
        tracing::error!(group = self.group, why, "kafka_member_refused");
        (self.report)(&self.group, Some(&why));
        self.refused.replace(Some(Refused { why, by_group: fault.is_of_group() }));
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
