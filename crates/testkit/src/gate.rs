//! A gate: whoever comes to it stops until the test opens it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::within;

/// Stops a call at a known point. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Sides>);

#[derive(Debug)]
struct Sides {
    arrivals: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A gate that is shut.
    #[must_use]
    pub fn shut() -> Self {
        Self(Arc::new(Sides { arrivals: watch::Sender::new(0), open: watch::Sender::new(false) }))
    }

    /// Waits in front of the gate until it is open. For the call that is to be stopped.
    pub async fn pass(&self) {
        self.0.arrivals.send_modify(|arrivals| *arrivals += 1);
        // The sender lives in this very gate, so waiting cannot fail.
        drop(self.0.open.subscribe().wait_for(|open| *open).await);
    }

    /// Waits until so many calls have come to the gate, gone through or not.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn reached_by(&self, calls: usize) {
        let mut arrivals = self.0.arrivals.subscribe();
        let came = arrivals.wait_for(|arrivals| *arrivals >= calls);
        drop(within(&format!("{calls} calls at the gate"), came).await);
    }

    /// Waits until a call has come to the gate.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn reached(&self) {
        self.reached_by(1).await;
    }

    /// Lets through all who wait and all who come.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Stops all who come from now on.
    pub fn shut_again(&self) {
        self.0.open.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_stops_until_the_gate_opens() {
        let gate = Gate::shut();
        let call = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass().await }
        });
        gate.reached().await;
        assert!(!call.is_finished());
        gate.open();
        within("the call", call).await.unwrap();
        within("a later call", gate.pass()).await;
    }
}
