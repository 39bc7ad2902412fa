//! The embedded home, as the ports that each role wants.

use std::sync::Arc;

use ordain_embedded::Home;
use ordain_ports::SystemClock;

/// The ports of the API.
pub(crate) fn api_ports(home: &Home) -> ordain_api::Ports {
    ordain_api::Ports {
        log: home.command_log(),
        replies: home.replies(),
        outcomes: home.outcomes(),
        commits: home.commits(),
        views: home.view_store(),
        dead_letters: home.dead_letters(),
        clock: Arc::new(SystemClock),
    }
}

/// The ports of the worker.
pub(crate) fn engine_ports(home: &Home) -> ordain_engine::Ports {
    ordain_engine::Ports {
        log: home.command_log(),
        commits: home.commits(),
        outcomes: home.outcomes(),
        snapshots: home.snapshots(),
        replies: home.reply_sender(),
        events: home.event_log(),
        dead_letters: home.dead_letters(),
        crash_marks: home.crash_marks(),
        announcements: home.announcements(),
        clock: Arc::new(SystemClock),
    }
}

/// The ports of a projector.
pub(crate) fn view_ports(home: &Home) -> ordain_views::Ports {
    ordain_views::Ports {
        commits: home.commits(),
        views: home.view_store(),
        dead_letters: home.dead_letters(),
        clock: Arc::new(SystemClock),
    }
}
