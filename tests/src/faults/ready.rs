//! Whether the processes of a fleet have come back to each of their servers, as they say
//! themselves.

use tokio::sync::watch;

use crate::{Client, Role, Server, until};

/// Knows where the processes of a fleet are asked, whoever is in each place.
#[derive(Debug, Clone)]
pub struct Readiness(watch::Receiver<Vec<((Role, usize), Client)>>);

/// Tells where they are.
#[derive(Debug)]
pub(super) struct Places(watch::Sender<Vec<((Role, usize), Client)>>);

impl Places {
    pub(super) fn of(server: &Server) -> Self {
        Self(watch::channel(server.operators_by_place()).0)
    }

    pub(super) fn are_of(&self, server: &Server) {
        self.0.send_replace(server.operators_by_place());
    }

    pub(super) fn readiness(&self) -> Readiness {
        Readiness(self.0.subscribe())
    }
}

impl Readiness {
    /// Waits until whoever is in that place reaches all that it needs.
    ///
    /// # Panics
    /// When it does not.
    pub async fn again(&self, (role, number): (Role, usize)) {
        until(&format!("{role} {number} to be ready again"), || async {
            let places = self.0.borrow().clone();
            let found = places.into_iter().find(|(place, _)| *place == (role, number));
            let told = found?.1.get("/readyz").await.ok()?;
            (told.status == 200).then_some(())
        })
        .await;
    }
}
