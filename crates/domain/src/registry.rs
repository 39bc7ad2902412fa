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

fn handler<A: Aggregate>() -> Result<Arc<dyn Handler>, BadDefinition> {
    Ok(Arc::new(Rules::<A>::new()?))
}
