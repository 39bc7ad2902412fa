//! A world: an embedded home in a directory of its own, for one test.

use ordain_embedded::{Home, Settings};
use tempfile::TempDir;

/// An embedded home in a directory that is removed with it.
#[derive(Debug)]
pub struct World {
    /// Every port.
    pub home: Home,
    directory: TempDir,
}

impl World {
    /// A new home, with so many partitions of the log of requests and of the log of events.
    ///
    /// # Panics
    /// When there is no room for a directory.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self::with(&Settings { partitions: Some(partitions), ..Settings::default() })
    }

    /// A new home, set up like this.
    ///
    /// # Panics
    /// When there is no room for a directory, or the settings are none.
    #[must_use]
    pub fn with(settings: &Settings) -> Self {
        #[expect(clippy::expect_used, reason = "a test cannot go on without a directory")]
        let directory = TempDir::new().expect("a directory for the test");
        Self::on(directory, settings)
    }

    /// The same directory, closed and opened again. What came from the home must be dropped.
    ///
    /// # Panics
    /// When the directory cannot be opened again.
    pub async fn reopen(self, settings: &Settings) -> Self {
        let Self { home, directory } = self;
        home.close().await;
        drop(home);
        Self::on(directory, settings)
    }

    fn on(directory: TempDir, settings: &Settings) -> Self {
        #[expect(clippy::expect_used, reason = "a test cannot go on without a home")]
        let home = Home::open(directory.path(), settings).expect("a home for the test");
        Self { home, directory }
    }
}
