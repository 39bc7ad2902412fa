//! The entry: a database, connected, and the ports in it.

use std::fmt;
use std::sync::Arc;

use bson::rawdoc;
use mongodb::Client;
use ordain_ports::{
    Announcements, Commits, CrashMarks, DeadLetters, Error, Heartbeats, Outcomes, Snapshots,
    ViewStore,
};

use crate::fault::Fault;
use crate::server::Server;
use crate::{Settings, connect, setup};

/// The stores in one database. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Mongo {
    pub(crate) server: Arc<Server>,
    pub(crate) of_beats: Arc<Server>,
}

impl Mongo {
    /// Makes ready to use the servers. Nothing is sent yet, so that a process can begin before
    /// they answer; `ping` asks whether they do.
    ///
    /// # Errors
    /// What in the settings is wrong, for people.
    pub async fn connect(settings: &Settings) -> Result<Self, Error> {
        let options = connect::options(settings).await?;
        let client = Client::with_options(options).map_err(Fault::from)?;
        let database = client.database(&settings.prefix);
        let (server, of_beats) = Server::pair(&database, settings);
        Ok(Self { server: Arc::new(server), of_beats: Arc::new(of_beats) })
    }

    /// Sets up what is missing of the collections and indexes, and checks that the servers can
    /// keep the promises. Does nothing where all is there.
    ///
    /// # Errors
    /// The servers do not answer, refuse, or cannot keep the promises.
    pub async fn ensure(&self) -> Result<(), Error> {
        Ok(setup::ensure(&self.server).await?)
    }

    /// Whether a primary answers, and to this user.
    ///
    /// # Errors
    /// Why not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.server.command("ping", rawdoc! { "ping": 1 }).await?;
        Ok(())
    }

    /// Whether a primary answers, and to this user, and the database is set up. What an older
    /// build has left out and is not needed to work is made up for where this user may.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), Error> {
        self.ping().await?;
        self.server.guarded().await?;
        if let Err(fault) = setup::forget_the_dead(&self.server).await {
            let remedy = "set the database up with `ordain topics ensure`";
            tracing::warn!(%fault, remedy, "heartbeats of dead members stay");
        }
        Ok(())
    }

    /// The commit store.
    #[must_use]
    pub fn commits(&self) -> Arc<dyn Commits> {
        Arc::new(self.clone())
    }

    /// The look-up of outcomes.
    #[must_use]
    pub fn outcomes(&self) -> Arc<dyn Outcomes> {
        Arc::new(self.clone())
    }

    /// The store of snapshots.
    #[must_use]
    pub fn snapshots(&self) -> Arc<dyn Snapshots> {
        Arc::new(self.clone())
    }

    /// The view store.
    #[must_use]
    pub fn view_store(&self) -> Arc<dyn ViewStore> {
        Arc::new(self.clone())
    }

    /// The store of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        Arc::new(self.clone())
    }

    /// The store of crash marks.
    #[must_use]
    pub fn crash_marks(&self) -> Arc<dyn CrashMarks> {
        Arc::new(self.clone())
    }

    /// The heartbeats of the fleet's members.
    #[must_use]
    pub fn heartbeats(&self) -> Arc<dyn Heartbeats> {
        Arc::new(self.clone())
    }

    /// The store of announcements.
    #[must_use]
    pub fn announcements(&self) -> Arc<dyn Announcements> {
        Arc::new(self.clone())
    }
}

impl fmt::Debug for Mongo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mongo").field("database", &self.server.database.name()).finish()
    }
}
