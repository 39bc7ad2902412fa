//! Heartbeats, in memory: the process is the whole fleet, and ends with it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use ordain_ports::{Error, Heartbeat, Heartbeats};

use crate::Home;

/// The last heartbeat of each member; `None` of one that has left. They are as many as workers
/// were ever started in this process.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<HashMap<String, Option<Heartbeat>>>);

#[async_trait]
impl Heartbeats for Home {
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), Error> {
        let Members(members) = &self.inner.members;
        let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
        match members.entry(heartbeat.member.clone()) {
            Entry::Vacant(new) => drop(new.insert(Some(heartbeat))),
            Entry::Occupied(mut last) => {
                if last.get().as_ref().is_some_and(|last| last.beat < heartbeat.beat) {
                    last.insert(Some(heartbeat));
                }
            }
        }
        Ok(())
    }

    async fn leave(&self, member: &str) -> Result<(), Error> {
        let Members(members) = &self.inner.members;
        let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
        members.insert(member.to_owned(), None);
        Ok(())
    }

    async fn beats(&self) -> Result<Vec<Heartbeat>, Error> {
        let Members(members) = &self.inner.members;
        let members = members.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(members.values().flatten().cloned().collect())
    }
}
