//! Outcomes that remember how many were asked for at a time.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, RequestId};
use ordain_ports::{Error, Outcomes};

/// Wraps the outcomes.
pub(crate) struct Asked {
    inner: Arc<dyn Outcomes>,
    counts: Mutex<Vec<usize>>,
}

impl Asked {
    pub(crate) fn new(inner: Arc<dyn Outcomes>) -> Arc<Self> {
        Arc::new(Self { inner, counts: Mutex::default() })
    }

    /// How many outcomes were asked for, call by call. Forgets them.
    pub(crate) fn take_counts(&self) -> Vec<usize> {
        std::mem::take(&mut *self.counts.lock().unwrap())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Outcomes for Asked {
    async fn find(
        &self,
        ids: &[(AggregateKey, RequestId)],
    ) -> Result<Vec<Option<Arc<Commit>>>, Error> {
        self.counts.lock().unwrap().push(ids.len());
        self.inner.find(ids).await
    }
}
