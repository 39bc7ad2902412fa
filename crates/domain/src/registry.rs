//! The registry of all aggregate types of this build.

use std::sync::Arc;

use ordain_model::{Aggregate, BadDefinition, Handler, Registry, Rules};

use crate::account::Account;
use crate::job_request::JobRequest;

/// All aggregate types of this build, one line each.
///
/// # Errors
/// A name or a schema cannot be used.
pub fn registry() -> Result<Registry, BadDefinition> {
    Registry::new([
        handler::<Account>()?, //
        handler::<JobRequest>()?,
        #[cfg(feature = "broken")]
        handler::<crate::broken::Broken>()?,
    ])
}

/// The types of a newer build, which runs beside this one; only in builds for tests.
///
/// # Errors
/// A name or a schema cannot be used.
#[cfg(feature = "broken")]
pub fn newer_registry() -> Result<Registry, BadDefinition> {
    Registry::new([
        handler::<Account>()?, //
        handler::<JobRequest>()?,
        handler::<crate::newer::Newer>()?,
    ])
}

fn handler<A: Aggregate>() -> Result<Arc<dyn Handler>, BadDefinition> {
    Ok(Arc::new(Rules::<A>::new()?))
}
