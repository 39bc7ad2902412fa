//! A world with one account: what happened to it, and projectors that show it.

use std::sync::Arc;

use ordain_model::Commit;
use ordain_views::View;

use crate::world::{Line, World};

pub(crate) struct Account {
    pub(crate) world: World,
    pub(crate) line: Line,
    /// All that happened to it.
    pub(crate) commits: Vec<Arc<Commit>>,
}

impl Account {
    /// Opened and given so many single units, which is stored and not published.
    pub(crate) async fn stored(deposits: usize) -> Self {
        let world = World::new();
        let (line, commits) = Line::deposits("a", deposits);
        world.store(&commits).await;
        Self { world, line, commits }
    }

    /// The same, and published.
    pub(crate) async fn published(deposits: usize) -> Self {
        let account = Self::stored(deposits).await;
        account.world.publish(&account.commits).await;
        account
    }

    /// Gives it another unit, which is stored and published.
    pub(crate) async fn deposit(&mut self) {
        let deposit = self.line.deposit();
        self.world.store_and_publish(std::slice::from_ref(&deposit)).await;
        self.commits.push(deposit);
    }

    /// Closes the home and opens it again.
    pub(crate) async fn restart(self) -> Self {
        let Self { world, line, commits } = self;
        Self { world: world.restart().await, line, commits }
    }

    /// Up to where the view has come with it.
    pub(crate) async fn place(&self, view: &dyn View) -> Option<u64> {
        self.world.place(view, &self.line.aggregate).await
    }

    /// Waits until the view shows all that happened.
    pub(crate) async fn is_shown(&self, view: &dyn View) {
        self.world.shows(view, &self.commits).await;
    }

    /// Has a projector run until its view shows all that happened.
    pub(crate) async fn is_followed(&self, view: impl View + Copy) {
        let running = self.world.run(view);
        self.is_shown(&view).await;
        running.leave().await;
    }
}
