//! All groups on one log, as far as they have saved anything or have been asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fault::Fault;
use crate::group::Group;
use crate::log::Kind;
use crate::queue::lock;
use crate::record;
use crate::tables::{Table, Tables};
use crate::{Settings, key};

/// All groups on one log.
pub(crate) struct Groups {
    kind: Kind,
    partitions: u32,
    revoke: Duration,
    groups: Mutex<HashMap<String, Arc<Group>>>,
}

impl Groups {
    /// The groups that the tables know.
    pub(crate) fn open(
        kind: Kind,
        partitions: u32,
        tables: &Tables,
        settings: &Settings,
    ) -> Result<Self, Fault> {
        let mut saved: HashMap<String, Vec<Option<u64>>> = HashMap::new();
        for pair in tables.view().prefix(Table::Notes, &key::all_progress(kind.byte())) {
            let (key, value) = pair?;
            let unreadable = |why| Fault::Unreadable { what: "progress".to_owned(), why };
            let progress = record::number(&value).map_err(unreadable)?;
            let Some((partition, group)) = key::group_of_progress(&key) else {
                continue;
            };
            let slots = saved.entry(group.to_owned()).or_default();
            slots.resize(partitions as usize, None);
            if let Some(slot) = slots.get_mut(partition as usize) {
                *slot = Some(progress);
            }
        }
        let revoke = Duration::from_millis(settings.revoke_ms_max);
        let group = |(name, saved): (String, Vec<_>)| {
            let group = Arc::new(Group::new(kind, &name, &saved, revoke));
            (name, group)
        };
        let groups = Mutex::new(saved.into_iter().map(group).collect());
        Ok(Self { kind, partitions, revoke, groups })
    }

    /// The group of that name; there is one for every name.
    pub(crate) fn get(&self, name: &str) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(name) {
            return Arc::clone(group);
        }
        let nothing = vec![None; self.partitions as usize];
        let group = Arc::new(Group::new(self.kind, name, &nothing, self.revoke));
        groups.insert(name.to_owned(), Arc::clone(&group));
        group
    }
}
