//! What older formats kept in another way is brought into today's when a directory is opened.

use fjall::PersistMode;

use crate::directory::Directory;
use crate::key;
use crate::space::{Room, Space};
use crate::tables::{Table, Tables};
use crate::{OpenError, Settings};

/// Up to format 2 the outcomes stood in this keyspace, under aggregate and request id.
const OUTCOMES_BY_AGGREGATE: &str = "outcomes";
/// So many are copied in one write.
const COPIED_AT_ONCE: usize = if cfg!(test) { 2 } else { 10_000 };
/// What the copies may need besides themselves: what is not in any file yet, and the journal.
const SPARE_BYTES: u64 = 256 << 20;

/// Refuses a directory that there is no room to upgrade, before anything of it is changed.
pub(crate) fn check_room(
    directory: &Directory,
    tables: &Tables,
    settings: &Settings,
) -> Result<(), OpenError> {
    if !tables.database().keyspace_exists(OUTCOMES_BY_AGGREGATE) {
        return Ok(());
    }
    let old = tables.database().keyspace(OUTCOMES_BY_AGGREGATE, Default::default);
    let old = old.map_err(|error| directory.store_failed(error))?;
    let needed = old.disk_space().saturating_mul(2).saturating_add(SPARE_BYTES);
    let space = Space::new(directory.path().to_owned(), settings);
    match space.room(usize::try_from(needed).unwrap_or(usize::MAX)) {
        Room::None => Err(OpenError::NoRoom { directory: directory.path().to_owned(), needed }),
        Room::Enough | Room::NoCommands => Ok(()),
    }
}

/// Copies what older formats kept elsewhere, and removes the old place when all copies are durable.
/// An opening that is cut short in between changes nothing: the next one copies all of it again.
pub(crate) fn upgrade(directory: &Directory, tables: &Tables) -> Result<(), OpenError> {
    let (database, failed) = (tables.database(), |error| directory.store_failed(error));
    if !database.keyspace_exists(OUTCOMES_BY_AGGREGATE) {
        return Ok(());
    }
    let old = database.keyspace(OUTCOMES_BY_AGGREGATE, Default::default).map_err(failed)?;
    tracing::info!(directory = %directory.path().display(), "upgrade_begun");
    let (mut outcomes, mut copied) = (old.iter().peekable(), 0);
    while outcomes.peek().is_some() {
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        for outcome in outcomes.by_ref().take(COPIED_AT_ONCE) {
            let (key, revision) = outcome.into_inner().map_err(failed)?;
            let new = key::outcome_of_format_2(&key)
                .ok_or_else(|| directory.damaged(format!("outcome {key:?} cannot be read")))?;
            batch.insert(tables.keyspace(Table::Outcomes), new, revision);
        }
        copied += batch.len();
        batch.commit().map_err(failed)?;
    }
    drop(outcomes);
    database.delete_keyspace(old).map_err(failed)?;
    tracing::info!(directory = %directory.path().display(), outcomes = copied, "upgrade_ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use ordain_model::Commit;
    use ordain_ports::contract::samples::Line;

    use super::*;
    use crate::Home;

    fn settings() -> Settings {
        Settings { partitions: Some(1), ..Settings::default() }
    }

    fn format(directory: &Path) -> PathBuf {
        directory.join("ordain.format")
    }

    /// A directory of format 2 with these commits. If it was cut short on its way to format 3, it
    /// has some outcomes in both places.
    async fn of_format_2(directory: &Path, commits: &[Arc<Commit>], is_cut_short: bool) -> String {
        let home = Home::open(directory, &settings()).unwrap();
        assert_eq!(home.commits().insert(commits).await.stored, commits.len());
        home.close().await;
        let newest = fs::read_to_string(format(directory)).unwrap();
        let tables = Tables::open(&directory.join("ordain.store"), &settings()).unwrap();
        let database = tables.database();
        let old = database.keyspace(OUTCOMES_BY_AGGREGATE, Default::default).unwrap();
        let new = tables.keyspace(Table::Outcomes);
        for (commit, at) in commits.iter().zip(0..) {
            let (aggregate, request) = (commit.aggregate.as_str(), commit.request.as_str());
            let key = format!("{aggregate}\0{request}");
            old.insert(key, commit.revision.to_be_bytes()).unwrap();
            if at > 0 {
                new.remove(key::outcome(&commit.aggregate, &commit.request)).unwrap();
            }
        }
        if !is_cut_short {
            database.delete_keyspace(new.clone()).unwrap();
            let older = newest.replacen(r#""format":3"#, r#""format":2"#, 1);
            assert_ne!(older, newest);
            fs::write(format(directory), older).unwrap();
        }
        newest
    }

    fn commits() -> [Arc<Commit>; 3] {
        let mut line = Line::of("a");
        [line.success(1), line.success(2), line.success(1)]
    }

    #[tokio::test]
    async fn a_directory_of_format_2_still_knows_what_was_decided() {
        for is_cut_short in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let commits = commits();
            let newest = of_format_2(directory.path(), &commits, is_cut_short).await;
            for _ in 0..2 {
                let home = Home::open(directory.path(), &settings()).unwrap();
                assert_eq!(fs::read_to_string(format(directory.path())).unwrap(), newest);
                let ids = commits.each_ref().map(|it| (it.aggregate.clone(), it.request.clone()));
                let found = home.outcomes().find(&ids).await.unwrap();
                assert_eq!(found, commits.clone().map(Some));
                home.close().await;
            }
            let store = directory.path().join("ordain.store");
            let tables = Tables::open(&store, &settings()).unwrap();
            assert!(!tables.database().keyspace_exists(OUTCOMES_BY_AGGREGATE));
        }
    }

    #[tokio::test]
    async fn without_room_for_the_upgrade_the_directory_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        of_format_2(directory.path(), &commits(), false).await;
        let before = fs::read_to_string(format(directory.path())).unwrap();
        let none = Settings { free_bytes_min: u64::MAX, ..settings() };
        let refused = Home::open(directory.path(), &none).unwrap_err();
        assert!(matches!(refused, OpenError::NoRoom { .. }), "{refused:?}");
        assert_eq!(fs::read_to_string(format(directory.path())).unwrap(), before);
        Home::open(directory.path(), &settings()).unwrap();
    }
}
