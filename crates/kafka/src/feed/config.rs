//! How a member of a group is set up.

use rdkafka::config::ClientConfig;

use crate::broker;
use crate::fault::Fault;
use crate::settings::{GroupProtocol, Settings};

/// A member must look in at least so often; the thread looks in all the time.
const POLL_MS_MAX: u64 = 300_000;

/// So often the driver tells how it stands with the group.
const TELLS_EVERY_MS: u64 = 2_000;

/// The set-up of a member of this group.
pub(crate) fn config(settings: &Settings, group: &str) -> Result<ClientConfig, Fault> {
    let mut config = broker::config(settings)?;
    // A group waits so long for a member whose lanes are still finishing.
    let poll = POLL_MS_MAX.max(settings.revoke_ms_max.saturating_mul(2));
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "false")
        .set("max.poll.interval.ms", poll.to_string())
        .set("statistics.interval.ms", TELLS_EVERY_MS.to_string())
        .set("fetch.wait.max.ms", settings.fetch_wait_ms_max.to_string())
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.error.backoff.ms", "100")
        .set("queued.min.messages", settings.fetch_queue_records_max.to_string())
        .set("queued.max.messages.kbytes", settings.fetch_queue_kib_max.to_string());
    match settings.group_protocol {
        GroupProtocol::Classic => config
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", settings.session_ms.to_string())
            .set("heartbeat.interval.ms", settings.heartbeat_ms.to_string()),
        GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
    };
    if let Some(instance) = &settings.instance {
        config.set("group.instance.id", instance);
    }
    Ok(config)
}
