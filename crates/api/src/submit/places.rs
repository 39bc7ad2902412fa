//! The places of commands on their way: so many for the process, and so many for each tenant.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use ordain_model::AggregateKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{Refusal, SubmitLimits};

/// The places of one process.
#[derive(Debug)]
pub(super) struct Places {
    process: Arc<Semaphore>,
    process_max: u32,
    tenants: Arc<Tenants>,
    tenant_max: u32,
}

/// How many commands each tenant has on their way; none stands here with 0.
#[derive(Debug, Default)]
struct Tenants(Mutex<HashMap<String, u32>>);

/// The place of one command, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: AggregateKey,
    tenants: Arc<Tenants>,
    _process: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(limits: &SubmitLimits) -> Self {
        let process_max = limits.in_flight_commands_max;
        Self {
            process: Arc::new(Semaphore::new(process_max as usize)),
            process_max,
            tenants: Arc::default(),
            tenant_max: limits.in_flight_commands_per_tenant_max,
        }
    }

    /// A place for a command to this aggregate.
    ///
    /// # Errors
    /// The process has none left, or the tenant has its share.
    pub(super) fn take(&self, to: &AggregateKey) -> Result<Place, Refusal> {
        let process = Arc::clone(&self.process).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        if !self.tenants.enter(to.tenant(), self.tenant_max) {
            return Err(Refusal::TenantBusy);
        }
        Ok(Place { of: to.clone(), tenants: Arc::clone(&self.tenants), _process: process })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        (self.process_max as usize).saturating_sub(self.process.available_permits())
    }

    /// Waits until all are free, and lets nobody in any more; says whether that was reached within
    /// the limit.
    pub(super) async fn close(&self, limit: Duration) -> bool {
        let Ok(Ok(all)) = timeout(limit, self.process.acquire_many(self.process_max)).await else {
            return false;
        };
        all.forget();
        true
    }
}

impl Tenants {
    fn enter(&self, tenant: &str, max: u32) -> bool {
        let mut tenants = self.lock();
        match tenants.get_mut(tenant) {
            Some(taken) if *taken >= max => false,
            Some(taken) => {
                *taken += 1;
                true
            }
            None if max == 0 => false,
            None => tenants.insert(tenant.to_owned(), 1).is_none(),
        }
    }

    fn leave(&self, tenant: &str) {
        let mut tenants = self.lock();
        match tenants.get_mut(tenant) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(tenants.remove(tenant)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tenants.leave(self.of.tenant());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(tenant: &str) -> AggregateKey {
        AggregateKey::new(tenant, "account", "a").unwrap()
    }

    #[test]
    fn a_tenant_over_its_limit_leaves_the_others_theirs() {
        let limits = SubmitLimits {
            in_flight_commands_max: 5,
            in_flight_commands_per_tenant_max: 2,
            ..SubmitLimits::default()
        };
        let places = Places::new(&limits);
        let first = places.take(&account("loud")).unwrap();
        let _second = places.take(&account("loud")).unwrap();
        assert_eq!(places.take(&account("loud")).unwrap_err(), Refusal::TenantBusy);
        assert_eq!(places.taken(), 2, "who was refused takes no place");
        let quiet = (places.take(&account("quiet")), places.take(&account("quiet")));
        assert!(quiet.0.is_ok() && quiet.1.is_ok());
        drop(first);
        let _third = places.take(&account("loud")).unwrap();
        let _other = places.take(&account("other")).unwrap();
        assert_eq!(places.take(&account("another")).unwrap_err(), Refusal::Busy);
        drop(quiet);
        assert_eq!(places.tenants.lock().len(), 2, "who has nothing on its way is forgotten");
    }
}
